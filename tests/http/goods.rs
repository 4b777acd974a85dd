//! Things that people make and send, for tests that are about something else.

use tests::{Person, Value, json};

/// Makes something; its id.
pub async fn make(who: &Person, collection: &str, slug: &str, project: Option<&str>) -> String {
    let mut form = json!({ "slug": slug, "name": format!("The {slug}") });
    if let Some(project) = project {
        form["projectId"] = json!(project);
    }
    who.post(&format!("/api/{collection}"), form).await.expect(201).text_at("/_id")
}

/// Asks where to send a file of so many bytes; the answer.
pub async fn begin_upload(who: &Person, asset: &str, bytes: usize) -> Value {
    let collection = if asset.starts_with("dset_") { "datasets" } else { "models" };
    let form = json!({
        "assetType": collection, "assetId": asset, "filename": "some.bin", "contentType": "application/octet-stream",
        "totalBytes": bytes,
    });
    who.post("/api/upload/signed-url", form).await.expect(200).body
}

/// Sends what was promised.
pub async fn send(begun: &Value, bytes: usize) {
    let mut request = reqwest::Client::new().put(begun["uploadUrl"].as_str().unwrap()).body(vec![7; bytes]);
    for (name, value) in begun["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Uploads a file of so many bytes.
pub async fn upload(who: &Person, asset: &str, bytes: usize) {
    let begun = begin_upload(who, asset, bytes).await;
    send(&begun, bytes).await;
    let form = json!({ "sessionId": begun["sessionId"] });
    who.post("/api/upload/complete", form).await.expect(200);
}

/// Where something is by its id.
pub fn path(id: &str) -> String {
    let collection = match id.split('_').next().unwrap() {
        "proj" => "projects",
        "dset" => "datasets",
        _ => "models",
    };
    format!("/api/{collection}/{id}")
}

/// What a request on the trash says of something.
pub fn in_trash(id: &str) -> Value {
    let r#type = match id.split('_').next().unwrap() {
        "proj" => "project",
        "dset" => "dataset",
        _ => "model",
    };
    json!({ "id": id, "type": r#type })
}
