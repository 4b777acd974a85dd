//! Requests for exports and deletions, and their answers.

use domain::resource::Kind;
use tests::{App, Download, Person, Value, json};

use super::bundle::Bundle;

/// The bundle that a job made.
async fn download(status: &Value) -> Vec<u8> {
    let file = Download::from(status["downloadUrl"].as_str().unwrap()).await;
    assert_eq!((file.status, file.bytes.len() as u64), (200, status["bytes"].as_u64().unwrap()));
    file.bytes
}

#[tokio::test]
async fn export_is_complete_in_both_formats() {
    let app = App::start().await;
    let ada = app.user("ada-export").await;
    let project = ada.make(Kind::Project, "kept").await;
    let model = ada.make_in(&project, "within").await;
    let upload = ada.upload(&model, "seven77").await;
    let trashed = ada.make(Kind::Dataset, "thrown-away").await;
    ada.upload(&trashed, "eight888").await;
    ada.trash(&trashed).await.expect(200);
    let (key, secret) = ada.make_key("ci").await;
    let begun = ada.begin_upload(&model, 9).await.expect(200);

    let asked = ada.post("/api/gdpr", json!({ "action": "export" })).await.expect(202);
    let status = ada.done(&asked.text_at("/jobId")).await.body;
    let files = Bundle::of(&download(&status).await).await;
    let account: Value = serde_json::from_str(&files.0["account.json"]).unwrap();
    assert_eq!(account["profile"]["username"], "ada-export");
    assert_eq!(account["emails"][0]["address"], ada.email.as_str());
    assert_eq!(account["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(files.rows("projects.ndjson")[0]["id"], project.as_str());
    assert_eq!(files.rows("models.ndjson")[0]["projectId"], project.as_str());
    let datasets = files.rows("datasets.ndjson");
    assert!(datasets[0]["id"] == trashed.as_str() && datasets[0]["trashedAt"].is_string(), "{datasets:?}");
    let of = |row: &Value| (row["of"].as_str().unwrap().to_owned(), row["bytes"].as_u64().unwrap());
    assert_eq!(
        files.rows("files.ndjson").iter().map(of).collect::<Vec<_>>(),
        [(model.clone(), 7), (trashed, 8)]
    );
    assert_eq!(files.rows("files.ndjson")[0]["id"], upload.as_str());
    let activity = files.rows("activity.ndjson");
    assert_eq!(activity[0]["resourceType"], "onboarding");
    assert!(activity.iter().all(|line| line["actor"] == "you"));
    assert_eq!(activity.last().unwrap()["action"], "started");
    let transactions = files.rows("transactions.ndjson");
    assert_eq!(transactions.len(), 1, "the opening credit, before the wallet has changed");
    assert_eq!(transactions[0]["balanceMicroUsd"], account["wallet"]["balanceMicroUsd"]);
    assert_eq!(files.rows("api-keys.ndjson")[0]["id"], key.as_str());
    assert!(!files.text().contains(&secret));
    check_begun_upload(&files, &model, &begun);
    assert_eq!(ada.activity().await[0], format!("completed export {}", file_name(&status, "zip")));
    let mail = app.mail_of_kind(&ada.email, "export-ready").await;
    assert!(!mail.to_string().contains("http"), "{mail}");

    let asked = ada.post("/api/gdpr?format=json", json!({ "action": "export" })).await.expect(202);
    let status = ada.done(&asked.text_at("/jobId")).await.body;
    let document: Value = serde_json::from_slice(&download(&status).await).unwrap();
    assert_eq!(document["account"], account);
    let members = [
        ("projects", "projects"),
        ("files", "files"),
        ("transactions", "transactions"),
        ("apiKeys", "api-keys"),
        ("uploads", "uploads"),
    ];
    for (member, file) in members {
        assert_eq!(document[member], Value::from(files.rows(&format!("{file}.ndjson"))), "{member}");
    }
    assert_eq!(document["activity"].as_array().unwrap().len(), activity.len() + 2);
}

/// An upload that was begun and not completed: the file's description, without the URL that it could be sent to.
fn check_begun_upload(files: &Bundle, of: &str, begun: &tests::Answer) {
    let rows = files.rows("uploads.ndjson");
    let [row] = rows.as_slice() else { panic!("one upload was not completed: {rows:?}") };
    assert_eq!((&row["id"], &row["of"]), (begun.at("/sessionId"), &json!(of)));
    assert_eq!((&row["bytes"], &row["status"]), (&json!(9), &json!("begun")));
    assert!(
        ["name", "contentType", "createdAt", "expiresAt"].iter().all(|name| row[name].is_string()),
        "{row}"
    );
    let url = begun.text_at("/uploadUrl");
    let signature = url.split("X-Amz-Signature=").nth(1).unwrap().split('&').next().unwrap();
    let text = files.text();
    assert!(!text.contains("X-Amz") && !text.contains(signature), "a signed URL is in the bundle");
}

fn file_name(status: &Value, extension: &str) -> String {
    format!("account-export-{}.{extension}", &status["createdAt"].as_str().unwrap()[..10])
}

#[tokio::test]
async fn invalid_privacy_requests_are_refused() {
    let app = App::start().await;
    let ada = app.user("ada-forms").await;
    for (path, body, field) in [
        ("/api/gdpr", json!({ "action": "delete" }), "confirmationWord"),
        ("/api/gdpr", json!({ "action": "delete", "confirmationWord": "delete" }), "confirmationWord"),
        ("/api/gdpr", json!({ "action": "export", "confirmationWord": "DELETE" }), "confirmationWord"),
        ("/api/gdpr", json!({ "action": "export", "teamUsername": "ada-forms" }), "teamUsername"),
        ("/api/gdpr?format=json", json!({ "action": "delete", "confirmationWord": "DELETE" }), "format"),
        ("/api/gdpr?format=pdf", json!({ "action": "export" }), "format"),
        ("/api/gdpr", json!({ "action": "import" }), "action"),
    ] {
        let refused = ada.post(path, body).await.expect(400);
        assert_eq!(refused.text_at("/errors/0/field"), field, "{}", refused.text);
    }
    for team in ["ada-forms", "nobody-here", "NOT A HANDLE"] {
        let form = json!({ "action": "delete", "confirmationWord": "DELETE", "teamUsername": team });
        assert_eq!(ada.post("/api/gdpr", form).await.brief(), "404 NOT_FOUND");
    }
    app.advance(15 * 60).await;
    let refreshed = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &refreshed);
    let form = json!({ "action": "delete", "confirmationWord": "DELETE" });
    assert_eq!(ada.post("/api/gdpr", form).await.brief(), "403 STEP_UP_REQUIRED");
}

#[tokio::test]
async fn account_without_username_is_deleted() {
    let app = App::start().await;
    let ada = app.newcomer("ada-nameless").await;
    let form = json!({ "action": "delete", "confirmationWord": "DELETE" });
    let answer = ada.post("/api/gdpr", form).await.expect(202);
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2, "the browser forgets the session");
    assert_eq!(ada.job("job_01m858qy4a1ar9by88nhafn40x").await.status, 401);
}
