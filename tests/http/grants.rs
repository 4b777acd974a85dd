//! Each function may do what its spec grants, no less and no more. Less fails everywhere: the local platform refuses what is
//! not granted, as IAM would. More fails here.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Need, Policy};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{region::Region, role::Role};
use futures::future::join;
use kit::{Grant, Items, On};
use local::policy::Roles;
use reqwest::Method;
use store::table::Table;
use tests::{App, PASSWORD, Person, Value, json};

use crate::residency::resident::Resident;

mod departing;
mod hoard;
mod roles;

/// What functions need, by their names: in which AWS region they ran, and what a call of theirs asked IAM for.
type Needs = BTreeMap<String, BTreeSet<(String, Need)>>;

/// What the functions' calls needed.
fn needs(calls: &[Value]) -> Needs {
    let mut needs = Needs::new();
    for call in calls {
        // Outsiders have no home. Lambda itself reads the stream with no function's role.
        let (Some(home), function) = (call["home"].as_str(), call["function"].as_str().unwrap()) else {
            continue;
        };
        if function == local::policy::EVENT_SOURCE {
            continue;
        }
        let these: Vec<Need> = serde_json::from_value(call["needs"].clone()).unwrap();
        needs
            .entry(function.to_owned())
            .or_default()
            .extend(these.into_iter().map(|it| (home.to_owned(), it)));
    }
    needs
}

/// What a need is, as grants are written: each kind of items on its own. (Where the directory is written, its replica and
/// itself are one: what is read there, calls from other regions tell apart.)
fn granted_by((home, need): &(String, Need)) -> Vec<String> {
    let (service, action) = need.action.split_once(':').unwrap();
    let keys = need.context.get("dynamodb:LeadingKeys").into_iter().flatten();
    let table = Table::ALL.into_iter().find(|table| need.on.ends_with(&format!("-{}", table.as_str())));
    let written = !matches!(action, "GetItem" | "Query");
    let far = table == Some(Table::Directory) && (written || need.region != *home);
    let at = if far { "authority" } else { "items" };
    let kind = |key: &String| table.and_then(|table| Items::of(table, key));
    match service {
        "dynamodb" => {
            keys.map(|key| format!("Grant::{at}(\"{action}\", Items::{:?})", kind(key).unwrap())).collect()
        }
        "kms" => vec![format!("Grant::data_keys(\"{action}\")")],
        "secretsmanager" => vec![format!("Grant::secret(\"{}\")", need.on.rsplit('/').next().unwrap())],
        "events" => vec!["Grant::bus()".to_owned()],
        "s3" if is_of_bundles(need) => vec![format!("Grant::bundles(\"{action}\")")],
        "s3" => vec![format!("Grant::files(\"{action}\")")],
        _ => vec!["Grant::mail()".to_owned()],
    }
}

/// Whether it is about export bundles, and not about people's files.
fn is_of_bundles(need: &Need) -> bool {
    let mut prefixes = need.context.get("s3:prefix").into_iter().flatten();
    need.on.contains("/exports/") || prefixes.any(|prefix| prefix.starts_with("exports/"))
}

/// A grant as it is written, and as a sentence would name it.
fn name(grant: &Grant) -> String {
    let on = match grant.on {
        On::Items(kind) => format!("{kind:?} ({}*)", kind.prefix()),
        On::Authority(kind) => format!("{kind:?} ({}*) in the authority", kind.prefix()),
        other => format!("{other:?}"),
    };
    format!("{} on {on}", grant.iam_action())
}

/// What functions with these grants would be refused, of all that they need.
fn missing(grants: &[(&'static str, Vec<Grant>)], needs: &Needs) -> Vec<String> {
    let roles = Roles::new(grants.iter().cloned());
    let mut missing = Vec::new();
    for (function, needed) in needs {
        let refused = needed.iter().filter(|(home, need)| !roles.allows(function, home, need));
        missing.extend(refused.flat_map(granted_by).map(|grant| format!("{function}: {grant}")));
    }
    missing.sort();
    missing.dedup();
    missing
}

/// The grants of a function without which it could do all that it needs.
fn unused(function: &'static str, grants: &[Grant], needs: &Needs) -> Vec<String> {
    let needs: Needs =
        needs.get_key_value(function).map(|(id, it)| (id.clone(), it.clone())).into_iter().collect();
    let is_unused = |unwanted: &&Grant| {
        let others = grants.iter().filter(|grant| grant != unwanted).copied().collect();
        missing(&[(function, others)], &needs).is_empty()
    };
    grants.iter().filter(is_unused).map(|grant| format!("{function}: {}", name(grant))).collect()
}

/// What each function was seen to need, to write its spec from.
fn seen(needs: &Needs, functions: &[String]) -> String {
    let wanted = |function: &str| functions.iter().any(|line| line.starts_with(&format!("{function}: ")));
    let mut text = String::new();
    for (function, needs) in needs.iter().filter(|(function, _)| wanted(function)) {
        let grants: BTreeSet<String> = needs.iter().flat_map(granted_by).collect();
        text += &format!("{function} was seen to need:\n");
        text.extend(grants.iter().map(|grant| format!("    {grant},\n")));
    }
    text
}

/// Every endpoint, as people of two regions use it through a third, at each other's doors too.
async fn live(app: &App) {
    let mut residents = [Region::Eu, Region::Us]
        .map(|home| Resident::new(app, home, Region::Ap))
        .into_iter()
        .collect::<Vec<_>>();
    for resident in &mut residents {
        resident.signs_up().await;
        resident.moves_in().await;
        resident.uses_keys().await;
        resident.keeps_the_inbox().await;
        resident.comes_and_goes().await;
        resident.forgets_the_password().await;
        resident.signs_in().await;
    }
    residents[0].visits(&residents[1].person.handle).await;
    // The region that is asked may also be the home of the one who asks, and of the one who is asked for.
    let (ada, bob) = (app.user("ada-grants").await, app.user("bob-grants").await);
    ada.let_in(&bob, Role::Admin).await;
    for path in ["/api/settings", "/api/activity", "/api/api-keys", "/api/account/summary"] {
        bob.get(&format!("{path}?owner=ada-grants")).await;
    }
    let at_adas = |path: &str| format!("{path}?owner=ada-grants");
    bob.patch(&at_adas("/api/settings"), json!({ "company": "Theirs" })).await.expect(200);
    for path in ["/api/activity/mark-seen", "/api/activity/archive"] {
        bob.post(&at_adas(path), json!({ "all": true, "archive": true })).await;
    }
    let elsewhere = &residents[0].person.handle;
    bob.post(&format!("/api/activity/mark-seen?owner={elsewhere}"), json!({ "all": true })).await.expect(404);
    let key = "key_01m858qy4a1ar9by88nhafn40x";
    bob.delete(&format!("/api/api-keys?keyId={key}&owner={elsewhere}")).await.expect(404);
    for handle in ["ada-grants", elsewhere] {
        app.get(&format!("/api/users?username={handle}")).await.expect(200);
    }
}

/// Requests that come again under their `Idempotency-Key`.
async fn repeat(app: &App) {
    let email = "again@people.example";
    let twice = async |path: &str, form: Value| {
        for _ in 0..2 {
            let request = app.request(Method::POST, path).header("idempotency-key", "again").json(&form);
            let answer = app.send(request).await;
            assert!(answer.status < 300, "{path}: {}", answer.text);
        }
    };
    let form = json!({ "email": email, "password": PASSWORD, "region": app.home() });
    twice("/api/auth/sign-up", form).await;
    twice("/api/auth/verify", json!({ "email": email, "code": app.code(email).await })).await;
    twice("/api/auth/sign-in", json!({ "email": email, "password": PASSWORD })).await;
    twice("/api/auth/password/forgot", json!({ "email": email })).await;
    let mail = app.mail_of_kind(email, "password-reset").await;
    let token =
        mail["text"].as_str().unwrap().split_whitespace().find(|word| word.starts_with("pr_")).unwrap();
    twice("/api/auth/password/reset", json!({ "token": token, "password": "another lamp above the desk" }))
        .await;
}

/// Names that two want, mail that is refused, and claims that are left behind.
async fn collide(app: &App) {
    let eu = app.living_in(Region::Eu);
    let email = "both@people.example";
    for app in [app, &eu] {
        app.sign_up(email).await.expect(202);
    }
    for code in app.codes(email, 2).await {
        app.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
    }
    let onboard = async |who: &Person, handle: &str| {
        who.post("/api/onboarding", json!({ "username": handle, "displayName": "X" })).await
    };
    let carol = app.newcomer("carol-grants").await;
    assert_eq!(onboard(&carol, "ada-grants").await.brief(), "409 USERNAME_TAKEN");
    // Two handles at once: the claim on one of them is taken back.
    for n in 0..10 {
        let dave = app.newcomer(&format!("dave-grants{n}")).await;
        let (one, two) = (format!("this-one{n}"), format!("that-one{n}"));
        join(onboard(&dave, &one), onboard(&dave, &two)).await;
    }
    let fault = |service: &str, operation: &str, function: &str, times: usize| {
        json!({ "service": service, "operation": operation, "function": function, "kind": "refused",
            "region": app.home(), "times": times })
    };
    app.faults(json!([fault("ses", "SendEmail", "send-mail", 1)])).await;
    app.newcomer("erin-grants").await;
    // The claims are made, and nobody confirms or uses them.
    let frank = eu.newcomer("frank-grants").await;
    let mut unused = fault("dynamodb", "TransactWriteItems", "onboarding", 0);
    unused["region"] = json!("eu");
    let unconfirmed = fault("dynamodb", "TransactWriteItems", "confirm-claims", 0);
    // The first is the count of tries, the second in `eu` opens the account.
    let mut unopened = fault("dynamodb", "TransactWriteItems", "auth-verify", 0);
    (unopened["region"], unopened["nth"]) = (json!("eu"), json!(2));
    app.faults(json!([unused, unconfirmed, unopened])).await;
    assert_eq!(onboard(&frank, "never-used").await.status, 503);
    let email = "never-opened@people.example";
    eu.sign_up(email).await.expect(202);
    let form = json!({ "email": email, "code": eu.code(email).await });
    assert_eq!(eu.post("/api/auth/verify", form).await.status, 503);
    app.newcomer("grace-grants").await;
    onboard(&app.newcomer("henry-grants").await, "henry-grants").await.expect(201);
    app.advance(601).await;
    for region in Region::ALL {
        app.post(&format!("/_local/run/reap-claims?region={region}"), json!({})).await.expect(200);
    }
}

/// Every secret gets its first keys, and tokens as many as it takes until one is withdrawn.
async fn rotate(app: &App) {
    let app = app.living_in(Region::AUTHORITY);
    crate::rotation::empty(&app, "addresses").await;
    for secret in ["addresses", "codes", "forwarding", "tokens", "tokens"] {
        app.rotate(secret).await.expect(200);
    }
    app.advance(2 * 3_600).await;
    app.rotate("tokens").await.expect(200);
}

/// Somebody whose password was hashed with the parameters of long ago signs in: it is hashed again.
async fn come_back(app: &App) {
    let who = app.user("long-away").await;
    let hash =
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$CxuT1SWAceinaGsnLbOwPUXrwmUKsRvRULcm2sSczgg";
    let text = |text: String| AttributeValue::S(text);
    let request = app.tables().put_item().table_name(app.table("identity"));
    let request = request.item("pk", text(Items::Passwords.partition(who.id())));
    let request = request.item("sk", text("PASSWORD".to_owned())).item("password", text(hash.to_owned()));
    request.send().await.unwrap();
    app.sign_in(&who.email, PASSWORD).await.expect(200);
}

/// Somebody turns pages with an API key, and changes the same settings twice at once: whoever loses reads them again.
async fn turn_pages_and_hurry(app: &App) {
    let who = app.user("hasty").await;
    let key = who.make_key("one").await.1;
    who.make_key("two").await;
    let with_key = Person { token: key, ..who.clone() };
    with_key.get("/api/api-keys?limit=1").await.expect(200).text_at("/nextCursor");
    for n in 0..10 {
        let change = async |name: &str| {
            who.patch("/api/settings", json!({ "company": format!("{name} {n}") })).await.expect(200)
        };
        join(change("one"), change("other")).await;
    }
}

#[tokio::test]
async fn every_function_may_do_what_it_needs_and_nothing_else() {
    let app = App::start().await;
    let all = {
        let app = app.clone();
        async move {
            rotate(&app).await;
            live(&app).await;
            repeat(&app).await;
            collide(&app).await;
            come_back(&app).await;
            turn_pages_and_hurry(&app).await;
            hoard::hoard(&app).await;
            departing::depart(&app).await;
        }
    };
    // In a task of its own: what a refusal breaks says less than what was refused.
    let lived = tokio::spawn(all).await;
    let (needs, grants) = (needs(&app.calls(0).await), infra::grants());
    let missing = missing(&grants, &needs);
    assert!(missing.is_empty(), "needed, but not granted: {missing:#?}\n{}", seen(&needs, &missing));
    lived.unwrap();
    let unused: Vec<String> =
        grants.iter().flat_map(|(function, grants)| unused(function, grants, &needs)).collect();
    assert!(unused.is_empty(), "granted, but not needed: {unused:#?}\n{}", seen(&needs, &unused));
}
