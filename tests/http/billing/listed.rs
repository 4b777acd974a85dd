//! Lists of transactions: order, pages, filters and files.

use std::collections::BTreeMap;

use domain::{
    money::MicroUsd,
    reference::Reference,
    region::Region,
    wallet::{Cause, Lot, LotId, LotKind, Lots, Posting, PostingType},
};
use kit::ItemKind;
use tests::{Answer, App, Person, Value, json};

use super::{TRANSACTIONS, adjust, again, each, listed, rows};
use crate::{
    fixtures::{
        SOME_ULID,
        billing::{adjusts, balance, charges, tells},
    },
    many,
};

/// Where the `Link` header leads.
fn next(page: &Answer) -> Option<String> {
    let (path, _) = page.header("link")?.strip_prefix('<')?.split_once('>')?;
    Some(path.to_owned())
}

fn numbers(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["number"].as_u64().unwrap()).collect()
}

fn number(row: &Value, member: &str) -> i64 {
    row[member].as_i64().unwrap()
}

#[tokio::test]
async fn transactions_are_listed_newest_first_and_cents_add_up() {
    let app = App::start().await;
    let who = app.user("listed-ada").await;
    adjusts(&who, "gift", 1_234_567).await.expect(200);
    charges(&who, "job-1", 999_999).await.expect(200);
    charges(&who, "job-2", 1).await.expect(200);
    tells(&who, json!([{ "job": "job-1", "outcome": "refunded", "amountMicroUsd": 500_001 }]))
        .await
        .expect(200);
    adjusts(&who, "mistake", -10_000).await.expect(200);
    let rows = listed(&who, "").await;
    assert_eq!(numbers(&rows), [6, 5, 4, 3, 2, 1]);
    assert_eq!(each(&rows, "id"), ["6", "5", "4", "3", "2", "1"]);
    let types = ["adjustment", "refund", "training", "training", "adjustment", "signup"];
    assert_eq!(each(&rows, "type"), types);
    let amounts = [-10_000, 500_001, -1, -999_999, 1_234_567, 25_000_000];
    assert_eq!(each(&rows, "amountMicroUsd"), amounts.map(Value::from));
    let jobs = [json!(null), json!("job-1"), json!("job-2"), json!("job-1"), json!(null), json!(null)];
    assert_eq!(each(&rows, "job"), jobs);
    assert_eq!(each(&rows, "reason")[0], "A test");
    assert_eq!(each(&rows, "category")[2], "training");
    for pair in rows.windows(2) {
        for (amount, after) in [("amountCents", "balanceAfter"), ("amountMicroUsd", "balanceAfterMicroUsd")] {
            assert_eq!(
                number(&pair[1], after) + number(&pair[0], amount),
                number(&pair[0], after),
                "{pair:?}"
            );
        }
    }
    for row in &rows {
        let lots = row["lots"].as_array().unwrap().iter();
        assert_eq!(lots.map(|lot| number(lot, "amountMicroUsd")).sum::<i64>(), number(row, "amountMicroUsd"));
    }
    let now = balance(&who).await;
    assert_eq!(rows[0]["balanceAfterMicroUsd"], now["balanceMicroUsd"]);
    let cents: i64 = rows.iter().map(|row| number(row, "amountCents")).sum();
    assert_eq!(cents, now["creditsCents"].as_i64().unwrap());
}

#[tokio::test]
async fn pages_join_by_cursor_and_by_link() {
    let app = App::start().await;
    let who = app.user("listed-bob").await;
    for n in 0..6 {
        charges(&who, &format!("job-{n}"), 10).await.expect(200);
    }
    let mut pages = Vec::new();
    let mut path = format!("{TRANSACTIONS}?limit=3&expand=details");
    loop {
        let page = who.get(&path).await.expect(200);
        pages.push(numbers(&rows(&page)));
        let Some(cursor) = page.at("/nextCursor").as_str() else {
            assert_eq!(next(&page), None);
            break;
        };
        assert!(next(&page).unwrap().ends_with(&format!("cursor={cursor}")));
        path = format!("{TRANSACTIONS}?limit=3&expand=details&cursor={cursor}");
    }
    assert_eq!(pages, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    // A filter skips rows, and no page has fewer than it could.
    let page = who.get(&format!("{TRANSACTIONS}?limit=2&type=training")).await.expect(200);
    assert_eq!(each(&rows(&page), "id"), ["7", "6"]);
    let page = who.get(&next(&page).unwrap()).await.expect(200);
    assert_eq!(each(&rows(&page), "id"), ["5", "4"]);
    let cursor = page.text_at("/nextCursor");
    let other = who.get(&format!("{TRANSACTIONS}?type=refund&cursor={cursor}")).await;
    assert_eq!(other.brief(), "400 BAD_REQUEST");
    for (query, complaints) in
        [("limit=0", "limit INVALID"), ("limit=1001", "limit INVALID"), ("type=gift", "type INVALID")]
    {
        assert_eq!(who.get(&format!("{TRANSACTIONS}?{query}")).await.complaints(), complaints);
    }
}

#[tokio::test]
async fn search_finds_parts_of_what_a_transaction_is_about() {
    let app = App::start().await;
    let who = app.user("listed-cyd").await;
    let (model, dataset) = (format!("model_{SOME_ULID}"), format!("dset_{SOME_ULID}"));
    let key = format!("key_{SOME_ULID}");
    let job = json!({
        "job": "Job-gpu", "outcome": "settled", "costMicroUsd": 5_000, "overageMicroUsd": 5_000,
        "category": "training", "gpuType": "A100-80", "run": "run-Nine", "model": model, "dataset": dataset,
        "apiKey": key,
    });
    tells(&who, json!([job])).await.expect(200);
    let change = json!({ "reference": "adj-1", "amountMicroUsd": 1, "reason": "Für Ünal" });
    adjust(&who, change).await.expect(200);
    let found = async |search: &str| numbers(&listed(&who, &format!("search={search}")).await);
    for search in ["a100", "NINE", "job-GPU", "train", &model, &dataset.to_uppercase()] {
        assert_eq!(found(search).await, [2], "{search}");
    }
    for search in ["unal", "f%C3%BCr", "ADJUST"] {
        assert_eq!(found(search).await, [3], "{search}");
    }
    assert_eq!(found("SIGN").await, [1]);
    assert_eq!(found("").await, [3, 2, 1]);
    assert_eq!(found("nothing").await, [0; 0]);
    let trainings = listed(&who, "type=training").await;
    let members = ["modelId", "datasetId", "apiKeyId", "runId", "gpuType"];
    let about = members.map(|member| trainings[0][member].clone());
    assert_eq!(about, [json!(model), json!(dataset), json!(key), json!("run-Nine"), json!("A100-80")]);
}

#[tokio::test]
async fn dates_are_inclusive_and_a_reversed_range_is_refused() {
    let app = App::start().await;
    app.stop_clock().await;
    app.set_clock("2027-03-01T12:00:00Z".parse().unwrap()).await;
    let who = app.user("listed-dan").await;
    app.set_clock("2027-03-02T23:59:59.5Z".parse().unwrap()).await;
    let who = again(&who).await;
    charges(&who, "job-1", 10).await.expect(200);
    for (query, expected) in [
        ("from=2027-03-01", vec![2, 1]),
        ("from=2027-03-02", vec![2]),
        ("from=2027-03-03", vec![]),
        ("to=2027-03-01", vec![1]),
        ("to=2027-03-02", vec![2, 1]),
        ("to=2027-02-28", vec![]),
        ("from=2027-03-02&to=2027-03-02", vec![2]),
        ("from=2027-03-02T23:59:59.500Z&to=2027-03-02T23:59:59.500Z", vec![2]),
        ("from=0001-01-01&to=9999-12-31", vec![2, 1]),
    ] {
        assert_eq!(numbers(&listed(&who, query).await), expected, "{query}");
    }
    for (query, complaints) in [
        ("from=2027-03-02&to=2027-03-01", "from INVALID"),
        ("from=2027-03-32", "from INVALID"),
        ("to=yesterday", "to INVALID"),
    ] {
        assert_eq!(who.get(&format!("{TRANSACTIONS}?{query}")).await.complaints(), complaints, "{query}");
    }
}

/// The rows of a table, by the names of its columns.
fn records(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let by_name = |record: Result<csv::StringRecord, csv::Error>| -> BTreeMap<String, String> {
        let record = record.unwrap();
        names.iter().cloned().zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(by_name).collect()
}

/// A value as it stands in a cell, but for formulas.
fn cell(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Somebody with a few transactions, whose reasons are odd.
async fn with_odd_reasons(app: &App, handle: &str) -> Person {
    let who = app.user(handle).await;
    charges(&who, "-job", 5_000).await.expect(200);
    for (n, reason) in ["=1+1", "say \"hi\", twice", "Ünal"].into_iter().enumerate() {
        let change = json!({ "reference": format!("adj-{n}"), "amountMicroUsd": -7, "reason": reason });
        adjust(&who, change).await.expect(200);
    }
    who
}

#[tokio::test]
async fn files_have_the_rows_of_the_list_and_no_formula() {
    let app = App::start().await;
    let who = with_odd_reasons(&app, "listed-eve").await;
    let table = who.get(&format!("{TRANSACTIONS}?format=csv")).await.expect(200);
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(table.header("content-disposition"), Some("attachment; filename=\"transactions.csv\""));
    assert_eq!((next(&table), table.text.matches("\r\n").count()), (None, 6));
    let file = who.get(&format!("{TRANSACTIONS}?format=json")).await.expect(200);
    assert_eq!(file.header("content-type"), Some("application/json"));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"transactions.json\""));
    let rows = rows(&file);
    assert_eq!(rows, listed(&who, "").await);
    let records = records(&table.text);
    assert_eq!((rows.len(), records.len()), (5, 5));
    for (row, record) in rows.iter().zip(&records) {
        for (column, text) in record {
            let expected = cell(row.get(column));
            let is_formula = ["=1+1", "-job"].contains(&expected.as_str());
            assert_eq!(*text, if is_formula { format!("'{expected}") } else { expected }, "{column}");
        }
    }
    assert_eq!(records[2]["reason"], "'=1+1");
    assert_eq!((records[2]["amountMicroUsd"].as_str(), records[3]["job"].as_str()), ("-7", "'-job"));
    assert_eq!(who.get(&format!("{TRANSACTIONS}?format=xml")).await.complaints(), "format INVALID");
}

#[tokio::test]
async fn links_lead_through_a_table_of_any_length_from_every_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = with_odd_reasons(&app.living_in(Region::Eu), "listed-fay").await;
    for who in [who.clone(), who.by_way_of(Region::Ap)] {
        let (mut all, mut path) = (Vec::new(), format!("{TRANSACTIONS}?format=csv&limit=2"));
        loop {
            let page = who.get(&path).await.expect(200);
            assert_eq!(page.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
            assert!(page.header("content-disposition").is_some());
            all.extend(records(&page.text).into_iter().map(|record| record["id"].clone()));
            match next(&page) {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(all, ["5", "4", "3", "2", "1"]);
    }
}

/// Stores so many postings of somebody: a sign-up, and jobs.
async fn plant(who: &Person, count: u64) {
    let (at, mut balance) = (who.app.now().await, 0);
    let posting = |number: u64| {
        let (r#type, amount, cause) = match number {
            1 => (PostingType::Signup, 25_000_000, Cause::SignUp),
            _ => (PostingType::Training, -1, Cause::Job(Reference::parse(&format!("job-{number}")).unwrap())),
        };
        balance += amount;
        let amount = MicroUsd::new(amount);
        let lots = Lots::from(Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount });
        let balance = MicroUsd::new(balance);
        let posting =
            Posting { number, r#type, amount, balance, lots, cause, at, record: None, reason: None };
        let mut item = serde_json::to_value(posting).unwrap();
        item["pk"] = ItemKind::Postings.partition(who.workspace()).into();
        item["sk"] = format!("{number:012}").into();
        item
    };
    many::put_all(&who.app, "billing", (1..=count).map(posting)).await;
}

#[tokio::test]
async fn a_request_looks_at_a_thousand_transactions_at_most() {
    let app = App::start().await;
    let who = app.user("listed-gus").await;
    plant(&who, 1_150).await;
    // Without `limit`, as the reference's client asks.
    let first = who.get(TRANSACTIONS).await.expect(200);
    assert_eq!((rows(&first).len(), first.at("/nextCursor")), (1_000, &Value::Null));
    let second = who.get(&next(&first).unwrap()).await.expect(200);
    assert_eq!((rows(&second).len(), next(&second)), (150, None));
    assert_eq!(rows(&second)[0]["id"], "150");

    let since = app.last_call().await;
    let empty = who.get(&format!("{TRANSACTIONS}?limit=20&search=signup")).await.expect(200);
    assert_eq!(rows(&empty), Vec::<Value>::new());
    let queries = app.calls_of("billing-transactions", since).await;
    let queries = queries.iter().filter(|call| call["operation"] == "Query").count();
    // The container may also read the signing keys.
    assert!((10..=11).contains(&queries), "{queries}");
    let cursor = empty.text_at("/nextCursor");
    let found = who.get(&format!("{TRANSACTIONS}?limit=20&search=signup&cursor={cursor}")).await.expect(200);
    assert_eq!((each(&rows(&found), "id"), next(&found)), (vec![json!("1")], None));
}
