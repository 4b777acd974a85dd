//! Wallets in bundles, and what a deletion leaves of them.

use std::collections::BTreeMap;

use domain::{
    id::WorkspaceId,
    wallet::{Cause, Posting},
};
use kit::ItemKind;
use reqwest::Method;
use tests::{Answer, App, Person, Value, json};

use super::{bundle::Bundle, erase, everything::Everything, looked_once};
use crate::{
    fixtures::billing::{adjusts, charges, holds, holds_by, settled, tells},
    many,
};

/// Tells of a job of a workspace.
async fn charge(app: &App, workspace: WorkspaceId, job: Value) -> Answer {
    let body = json!({ "workspace": workspace, "jobs": [job] });
    app.as_service(Method::POST, "/internal/usage/settlements", body).await.expect(200)
}

async fn adjust(app: &App, workspace: WorkspaceId, micros: i64, reason: &str) -> Answer {
    let body = json!({
        "workspace": workspace, "reference": "closed-reference", "amountMicroUsd": micros, "reason": reason,
    });
    app.as_service(Method::POST, "/internal/wallets/adjustments", body).await.expect(200)
}

/// A copy of a row without the time.
fn timeless(row: &Value) -> Value {
    let mut row = row.clone();
    assert!(row.as_object_mut().unwrap().remove("at").unwrap().is_string());
    row
}

#[tokio::test]
async fn bundle_has_the_wallet_and_every_posting() {
    let app = App::start().await;
    let (ada, mate) = (app.user("ada-wallet").await, app.user("mate-wallet").await);
    let (key, _) = ada.make_key("ci").await;
    let budget = json!({ "id": key, "monthlyBudgetCents": 100 });
    ada.patch("/api/api-keys", budget).await.expect(200);
    let job = |name: &str, by: &Person| {
        let mut job = settled(name, 3_000, 3_000);
        (job["user"], job["apiKey"]) = (json!(by.id()), json!(key));
        (job["gpuType"], job["run"]) = (json!("h100"), json!(format!("run-of-{name}")));
        job
    };
    tells(&ada, json!([job("own", &ada), job("others", &mate), settled("free", 0, 0)])).await.expect(200);
    let refund = json!([{ "job": "own", "outcome": "refunded", "amountMicroUsd": 1_000 }]);
    tells(&ada, refund).await.expect(200);
    adjusts(&ada, "gift", 500).await.expect(200);
    holds_by(&ada, &key, "runs", 2_000).await.expect(200);

    let bundle = Bundle::of(&ada.export("zip").await).await;
    let rows = bundle.rows("transactions.ndjson");
    let lots =
        |kind: &str, micros: i64| json!([{ "kind": kind, "amountMicroUsd": micros, "expiresAt": null }]);
    let expected = [
        json!({
            "number": 1, "type": "signup", "amountMicroUsd": 25_000_000, "balanceMicroUsd": 25_000_000,
            "lots": lots("sign-up", 25_000_000),
        }),
        json!({
            "number": 2, "type": "training", "amountMicroUsd": -3_000, "balanceMicroUsd": 24_997_000,
            "lots": lots("sign-up", -3_000), "job": "own", "category": "training", "gpuType": "h100",
            "user": "you", "apiKey": key, "run": "run-of-own",
        }),
        json!({
            "number": 3, "type": "training", "amountMicroUsd": -3_000, "balanceMicroUsd": 24_994_000,
            "lots": lots("sign-up", -3_000), "job": "others", "category": "training", "gpuType": "h100",
            "user": "a member", "run": "run-of-others",
        }),
        json!({
            "number": 4, "type": "refund", "amountMicroUsd": 1_000, "balanceMicroUsd": 24_995_000,
            "lots": lots("sign-up", 1_000), "job": "own", "category": "training", "gpuType": "h100",
            "user": "you", "apiKey": key, "run": "run-of-own",
        }),
        json!({
            "number": 5, "type": "adjustment", "amountMicroUsd": 500, "balanceMicroUsd": 24_995_500,
            "lots": lots("adjustment", 500), "reference": "gift", "reason": "A test",
        }),
    ];
    assert_eq!(rows.iter().map(timeless).collect::<Vec<_>>(), expected);
    let account: Value = serde_json::from_str(&bundle.0["account.json"]).unwrap();
    let wallet = &account["wallet"];
    assert_eq!(wallet["balanceMicroUsd"], 24_995_500);
    let free = [lots("sign-up", 24_993_000)[0].clone(), lots("adjustment", 500)[0].clone()];
    assert_eq!(wallet["lots"], json!(free));
    let held = &wallet["holds"][0];
    assert_eq!((&held["job"], &held["amountMicroUsd"]), (&json!("runs"), &json!(2_000)));
    assert_eq!(held["apiKey"], json!(key));
    let budget = &wallet["budgets"][0];
    assert_eq!((&budget["apiKey"], &budget["monthlyMicroUsd"]), (&json!(key), &json!(1_000_000)));
    assert!(budget["spentMicroUsd"].is_i64() && budget["month"].as_str().unwrap().ends_with("-01"));
    assert_eq!(held["lots"], lots("sign-up", 2_000));
    assert!(!bundle.text().contains(&mate.id().bare()));
}

/// A posting of somebody's, as it is stored.
fn item(who: &Person, posting: &Posting) -> Value {
    let mut item = json!(posting);
    item["pk"] = json!(ItemKind::Postings.partition(who.workspace()));
    item["sk"] = json!(format!("{:012}", posting.number));
    item
}

#[tokio::test]
async fn bundle_has_every_page_of_postings_until_its_request() {
    let app = App::start().await;
    let ada = app.user("ada-spends").await;
    charges(&ada, "job-2", 1).await.expect(200);
    let query = app.tables().get_item().table_name(app.table("billing")).set_key(Some(
        serde_dynamo::to_item(json!({
            "pk": ItemKind::Postings.partition(ada.workspace()), "sk": "000000000002",
        }))
        .unwrap(),
    ));
    let first: Posting = serde_dynamo::from_item(query.send().await.unwrap().item.unwrap()).unwrap();
    let nth = |number: u64| {
        let job = domain::reference::Reference::parse(&format!("job-{number}")).unwrap();
        Posting { number, cause: Cause::Job(job), ..first.clone() }
    };
    // Two whole pages, and a posting of a later time.
    let later = first.at.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let postings = (3..=1_000).map(nth).chain([Posting { at: later, ..nth(1_001) }]);
    many::put_all(&app, "billing", postings.map(|posting| item(&ada, &posting))).await;
    for format in ["zip", "json"] {
        let bytes = ada.export(format).await;
        let rows = match format {
            "zip" => Bundle::of(&bytes).await.rows("transactions.ndjson"),
            _ => {
                let document: Value = serde_json::from_slice(&bytes).unwrap();
                document["transactions"].as_array().unwrap().clone()
            }
        };
        let numbers: Vec<u64> = rows.iter().map(|row| row["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=1_000).collect::<Vec<u64>>(), "{format}");
    }
}

/// The items of the table of wallets.
async fn billing(app: &App) -> Vec<Value> {
    let (table, everything) = (app.table("billing"), Everything::of(app).await);
    let of_table = everything.items.into_iter().filter(|(key, _)| key.starts_with(&format!("{table} ")));
    of_table.map(|(_, item)| item).collect()
}

#[tokio::test]
async fn deletion_leaves_amounts_without_owner_job_and_reason() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-closes").await, app.user("bob-stays").await);
    let team = ada.found_team("team-closes").await;
    charges(&bob, "closed-not", 5).await.expect(200);
    for (workspace, cost) in [(ada.workspace(), 3_000), (team, 400)] {
        let mut job = settled("closed-job", cost, cost);
        (job["user"], job["run"]) = (json!(ada.id()), json!("closed-run"));
        charge(&app, workspace, job).await;
        adjust(&app, workspace, 1_000, "The closed-reason").await;
        // It costs nothing, so that nothing but its cause is stored.
        charge(&app, workspace, settled("closed-free", 0, 0)).await;
    }
    holds(&ada, "closed-held", 7).await.expect(200);
    let told =
        ["closed-job", "closed-run", "closed-reason", "closed-reference", "closed-free", "closed-held"];
    let told = told.map(str::to_owned);
    assert!(Everything::of(&app).await.tell_of(&told).len() > 8);
    let others = |items: Vec<Value>| {
        let pk = |item: &Value| item["pk"].as_str().unwrap().to_owned();
        let (closed, others): (Vec<Value>, Vec<Value>) =
            items.into_iter().partition(|item| pk(item).starts_with(ItemKind::ClosedPostings.prefix()));
        let mut by_wallet: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        closed.into_iter().for_each(|item| by_wallet.entry(pk(&item)).or_default().push(item));
        // A run of the schedule notes how far it compared.
        let is_position = |item: &Value| pk(item).starts_with(ItemKind::Reconciliations.prefix());
        (by_wallet, others.into_iter().filter(|item| !is_position(item)).collect::<Vec<_>>())
    };
    let (_, before) = others(billing(&app).await);

    ada.ask_to_delete_team("team-closes").await.expect(202);
    looked_once(&ada).await;
    erase(&ada).await;

    assert_eq!(Everything::of(&app).await.tell_of(&told), Vec::<String>::new());
    let (closed, after) = others(billing(&app).await);
    let of_bob = |item: &Value| item.to_string().contains(&bob.id().bare());
    assert_eq!(after, before.into_iter().filter(of_bob).collect::<Vec<_>>());
    let amounts = |items: &Vec<Value>| -> Vec<(i64, i64)> {
        items.iter().map(|it| (it["amount"].as_i64().unwrap(), it["balance"].as_i64().unwrap())).collect()
    };
    let mut kept: Vec<_> = closed.values().map(amounts).collect();
    kept.sort_unstable();
    let of_team = vec![(-400, -400), (1_000, 600)];
    let of_ada = vec![(25_000_000, 25_000_000), (-3_000, 24_997_000), (1_000, 24_998_000)];
    assert_eq!(kept, [of_team, of_ada]);
    for item in closed.values().flatten() {
        let names: Vec<&String> = item.as_object().unwrap().keys().collect();
        assert_eq!(names, ["amount", "at", "balance", "pk", "sk", "type"]);
        for whose in [ada.id().bare(), team.bare()] {
            assert!(!item.to_string().contains(&whose), "{item}");
        }
    }
}
