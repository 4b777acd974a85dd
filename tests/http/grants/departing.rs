//! What is asked for of one's data, and what is left for the workers to write and to erase, so that each does all that it may.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{region::Region, resource::Kind, role::Role};
use kit::Items;
use tests::{Answer, App, Person, Value, json, path_of};

use crate::{
    password,
    privacy::{SECOND_LOOK, forgotten, looked_once, until},
};

/// Somebody of `eu` who asks through `ap`, with something of every sort.
async fn owner(app: &App, handle: &str) -> Person {
    let who = app.living_in(Region::Eu).user(handle).await.by_way_of(Region::Ap);
    who.make_key("ci").await;
    let project = who.make(Kind::Project, "yolo").await;
    let within = who.make_in(&project, "nano").await;
    let (dataset, gone) = (who.make(Kind::Dataset, "coco").await, who.make(Kind::Model, "gone").await);
    for asset in [&within, &dataset, &gone] {
        who.upload(asset, "12345").await;
    }
    who.begin_upload(&dataset, 5).await.expect(200);
    who.delete(&path_of(&gone)).await.expect(200);
    who.post("/api/activity/mark-seen", json!({ "all": true })).await.expect(200);
    who
}

/// Asks twice under one `Idempotency-Key`; what came the first time.
async fn twice(who: &Person, form: Value, key: &str) -> Answer {
    let first = who.post_once("/api/gdpr", form.clone(), key).await;
    who.post_once("/api/gdpr", form, key).await;
    first.expect(202)
}

fn refused(service: &str, operation: Value, function: &str) -> Value {
    json!({ "service": service, "operation": operation, "function": function, "kind": "refused", "times": 0 })
}

/// Everything that a worker asks for is refused.
fn services_of(function: &str) -> Vec<Value> {
    ["dynamodb", "s3"].map(|service| refused(service, Value::Null, function)).into()
}

/// Plans faults, and waits until the function has met one.
async fn meets(app: &App, function: &str, faults: Value, work: impl Future<Output = ()>) {
    let since = app.last_call().await;
    app.faults(faults).await;
    work.await;
    until("no fault is met", move || async move {
        app.calls_of(function, since).await.iter().any(|call| call["fault"].is_string())
    })
    .await;
    app.no_faults().await;
}

/// A bundle in each format, one whose parts are lost on the way, and what is removed after a week.
async fn export(app: &App) {
    let who = owner(app, "ada-departs").await;
    let job = twice(&who, json!({ "action": "export" }), "export").await.text_at("/jobId");
    who.done(&job).await;
    who.export("json").await;
    let begun = async {
        who.ask_for_export("zip").await.expect(202);
    };
    meets(app, "run-export", json!([refused("s3", json!("CompleteMultipartUpload"), "run-export")]), begun)
        .await;
    let jobs = who.jobs().await;
    let job = jobs.iter().find(|job| job["upload"].is_string()).unwrap();
    let key = format!("exports/{}/{}.zip", who.id(), job["id"].as_str().unwrap());
    let abort = who.app.files().abort_multipart_upload().bucket(who.app.bucket()).key(key);
    abort.upload_id(job["upload"].as_str().unwrap()).send().await.unwrap();
    app.advance(15 * 60).await;
    who.app.run_worker("run-export").await;
    app.advance(8 * 86_400).await;
    who.app.run_worker("run-export").await;
}

/// A team of somebody's.
async fn delete_team(app: &App, who: &Person) {
    let mate = app.living_in(Region::Eu).user("mate-departs").await;
    let team = who.found_team("team-departs").await;
    mate.join(team, Role::Admin).await;
    assert_eq!(mate.ask_to_delete_team("team-departs").await.status, 403);
    assert_eq!(who.ask_to_delete_team("team-departs").await.status, 409);
    assert_eq!(who.ask_to_be_deleted().await.status, 409);
    mate.leave(team).await;
    let form = json!({ "action": "delete", "confirmationWord": "DELETE", "teamUsername": "team-departs" });
    twice(who, form, "team").await;
    looked_once(who).await;
    mate.leave(team).await;
}

/// What late requests may have written of an account: as it was.
async fn records(who: &Person) -> Vec<Item> {
    let (user, workspace) = (who.id(), who.workspace());
    let of = [
        (Items::Users, user.to_string()),
        (Items::Passwords, user.to_string()),
        (Items::Workspaces, workspace.to_string()),
        (Items::Handles, who.handle.clone()),
    ];
    let mut records = Vec::new();
    for (kind, subject) in of {
        let partition = AttributeValue::S(kind.partition(subject));
        let query = who.app.tables().query().table_name(who.app.table(kind.table().as_str()));
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", partition);
        let items = query.send().await.unwrap().items.unwrap_or_default();
        records.extend(items.into_iter().map(|item| Item { kind, item }));
    }
    assert_eq!(records.len(), 4);
    records
}

/// An item, and where it is.
struct Item {
    kind: Items,
    item: HashMap<String, AttributeValue>,
}

/// An account with everything: something is being removed, a password was just reset, an export is in the making, requests
/// arrive late, and the mail is refused at first.
async fn delete(app: &App) {
    let who = owner(app, "bob-departs").await;
    delete_team(app, &who).await;
    let token = password::token(&who.app, &who.email).await;
    password::reset(&who.app, &token, password::NEW).await.expect(200);
    let tokens = who.app.sign_in(&who.email, password::NEW).await.expect(200);
    let who = Person::new(who.app.clone(), &who.handle, &who.email, &tokens);
    who.join(app.user("host-departs").await.workspace(), Role::Viewer).await;
    who.export("zip").await;
    let late = records(&who).await;
    let gone = who.make(Kind::Dataset, "being-removed").await;
    who.upload(&gone, "12345").await;
    who.trash(&gone).await.expect(200);
    let mut held = services_of("purge-trash");
    held.push(refused("s3", json!("UploadPart"), "run-export"));
    let all = [held.clone(), services_of("run-deletion")].concat();
    app.faults(all.into()).await;
    who.purge(&gone).await.expect(200);
    who.ask_for_export("json").await.expect(202);
    let by = &who;
    until("the export is not begun", move || async move {
        by.jobs().await.iter().any(|job| job["upload"].is_string())
    })
    .await;
    twice(&who, json!({ "action": "delete", "confirmationWord": "DELETE" }), "account").await;
    app.faults(held.into()).await;
    who.app.try_worker("run-deletion").await;
    looked_once(&who).await;
    app.faults(json!([{ "service": "ses", "function": "run-deletion", "kind": "refused" }])).await;
    for Item { kind, item } in late {
        let put = who.app.tables().put_item().table_name(who.app.table(kind.table().as_str()));
        put.set_item(Some(item)).send().await.unwrap();
    }
    app.advance(SECOND_LOOK).await;
    for _ in 0..2 {
        who.app.try_worker("run-deletion").await;
    }
    forgotten(&who).await;
}

/// More at once than one run of the schedule removes; some have no workspace, and of one the request could not erase keys and
/// sessions. No message sets a run off before.
async fn delete_many(app: &App) {
    let who = owner(app, "carol-departs").await;
    let mut others = Vec::new();
    for n in 0..9 {
        others.push(app.living_in(Region::Eu).newcomer(&format!("few-depart{n}")).await);
    }
    let held = refused("events", Value::Null, "publish-events");
    app.faults(json!([held])).await;
    for other in others {
        other.ask_to_be_deleted().await.expect(202);
    }
    app.faults(json!([held, refused("dynamodb", json!("BatchWriteItem"), "gdpr-request")])).await;
    assert_eq!(who.ask_to_be_deleted().await.status, 503);
    who.app.run_worker("run-deletion").await;
    app.no_faults().await;
    looked_once(&who).await;
}

/// All of it.
pub async fn depart(app: &App) {
    app.no_faults().await;
    app.get("/.well-known/jwks.json?retired=true").await.expect(200);
    export(app).await;
    delete(app).await;
    delete_many(app).await;
}
