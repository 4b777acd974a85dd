//! What people have: made, filled with files, put into the trash, taken out again.

use domain::{
    Timestamp,
    resource::{Kind, ResourceId},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answer, App, Person};

/// The media type of files that tests send.
pub const FILE_TYPE: &str = "application/zip";

/// What an id is the id of.
pub fn kind_of(id: &str) -> Kind {
    id.parse::<ResourceId>().unwrap().kind()
}

/// The path of something.
pub fn path_of(id: &str) -> String {
    format!("/api/{}/{id}", kind_of(id).plural())
}

/// What requests on the trash say of something.
pub fn in_trash(id: &str) -> Value {
    json!({ "id": id, "type": kind_of(id) })
}

/// Whether the storage checks signatures, times and CORS rules. External emulators look at neither the signature nor the time
/// of a signed request.
pub fn checks_signatures() -> bool {
    std::env::var_os("ACCOUNT_TEST_AWS").is_none()
}

impl Person {
    /// Asks for a project, dataset or model whose name is its slug.
    pub async fn ask_for(&self, kind: Kind, slug: &str) -> Answer {
        self.post(&format!("/api/{}", kind.plural()), json!({ "slug": slug, "name": slug })).await
    }

    /// Makes a project, dataset or model; its id.
    pub async fn make(&self, kind: Kind, slug: &str) -> String {
        self.ask_for(kind, slug).await.expect(201).text_at("/_id")
    }

    /// Makes a model in a project; its id.
    pub async fn make_in(&self, project: &str, slug: &str) -> String {
        let form = json!({ "slug": slug, "name": slug, "projectId": project });
        self.post("/api/models", form).await.expect(201).text_at("/_id")
    }

    /// Puts something into the trash.
    pub async fn trash(&self, id: &str) -> Answer {
        self.delete(&path_of(id)).await
    }

    /// Restores something.
    pub async fn restore(&self, id: &str) -> Answer {
        self.post("/api/trash", in_trash(id)).await
    }

    /// Permanently removes an item in the trash.
    pub async fn purge(&self, id: &str) -> Answer {
        self.send(Method::DELETE, "/api/trash", Some(in_trash(id))).await
    }

    /// The names of the items in the trash, newest first.
    pub async fn in_trash(&self) -> Vec<String> {
        names(&self.get("/api/trash?limit=200").await.expect(200), "/items")
    }

    /// Begins the upload of a file of so many bytes.
    pub async fn begin_upload(&self, asset: &str, bytes: u64) -> Answer {
        let form = json!({
            "assetType": kind_of(asset).plural(), "assetId": asset, "filename": "file.zip",
            "contentType": FILE_TYPE, "totalBytes": bytes,
        });
        self.post("/api/upload/signed-url", form).await
    }

    /// Says that a file was sent.
    pub async fn complete(&self, session: &str) -> Answer {
        self.post("/api/upload/complete", json!({ "sessionId": session })).await
    }

    /// Sends a file of a dataset or model; the upload's id.
    pub async fn upload(&self, asset: &str, content: &str) -> String {
        let place = self.begin_upload(asset, content.len() as u64).await.expect(200);
        self.app.put(&place, content).await.expect(200);
        let session = place.text_at("/sessionId");
        self.complete(&session).await.expect(200);
        session
    }
}

impl App {
    /// Sends a file where an answer says, with the headers that it says.
    pub async fn put(&self, place: &Answer, content: &str) -> Answer {
        self.put_as(place, content, "", "").await
    }

    /// The same with another value of one header; without it, if that is empty.
    pub async fn put_as(&self, place: &Answer, content: &str, name: &str, value: &str) -> Answer {
        let mut request = reqwest::Client::new().put(place.text_at("/uploadUrl")).body(content.to_owned());
        // The length is the body's, as browsers have it.
        let others = [name, "content-length"];
        for (name, value) in place.at("/headers").as_object().unwrap() {
            if !others.contains(&name.as_str()) {
                request = request.header(name, value.as_str().unwrap());
            }
        }
        if !value.is_empty() {
            request = request.header(name, value);
        }
        if content.is_empty() {
            // Browsers say it of an empty body too.
            request = request.header("content-length", "0");
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// The keys of the files at home.
    pub async fn file_keys(&self) -> Vec<String> {
        let page = self.files().list_objects_v2().bucket(self.bucket()).send().await.unwrap();
        page.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// What the clock shows.
    pub async fn now(&self) -> Timestamp {
        self.get("/_local/clock").await.expect(200).text_at("/now").parse().unwrap()
    }

    /// Sets the clock.
    pub async fn set_clock(&self, now: Timestamp) {
        self.post("/_local/clock", json!({ "now": now })).await.expect(200);
    }

    /// Has nothing removed in the background until the faults are cleared.
    pub async fn hold_purges(&self) {
        let fault =
            |service| json!({ "service": service, "function": "purge-trash", "kind": "refused", "times": 0 });
        self.faults(["dynamodb", "s3"].map(fault).into()).await;
    }
}

/// The names in a list.
pub fn names(answer: &Answer, list: &str) -> Vec<String> {
    let rows = answer.at(list).as_array().unwrap_or_else(|| panic!("no list at {list} in {}", answer.text));
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}
