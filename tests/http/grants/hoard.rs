//! What people make, send, throw away, fetch back and remove, so that every function of it does all that it may.

use domain::{region::Region, resource::Kind, role::Role};
use reqwest::Method;
use tests::{Answer, App, Person, Value, in_trash, json, path_of};

use crate::many;

/// Somebody, in a workspace.
struct Hoarder<'a> {
    who: Person,
    /// What requests say of the workspace.
    owner: &'a str,
    /// So that slugs are new.
    turn: usize,
}

impl Hoarder<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>, once: Option<&str>) -> Answer {
        let between = if path.contains('?') { '&' } else { '?' };
        let path = if self.owner.is_empty() {
            path.to_owned()
        } else {
            format!("{path}{between}owner={}", self.owner)
        };
        let mut request = self.who.request(method, &path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(key) = once {
            request = request.header("idempotency-key", format!("{key}-{}", self.turn));
        }
        self.who.app.send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, None).await.expect(200)
    }

    /// Makes something, and asks for the same once more.
    async fn make(&self, collection: &str, slug: &str, project: Option<&str>) -> String {
        let mut form = json!({ "slug": format!("{slug}-{}", self.turn), "name": slug });
        if let Some(project) = project {
            form["projectId"] = json!(project);
        }
        let mut ids = Vec::new();
        for _ in 0..2 {
            let made =
                self.ask(Method::POST, &format!("/api/{collection}"), Some(form.clone()), Some(slug)).await;
            ids.push(made.expect(201).text_at("/_id"));
        }
        assert_eq!(ids[0], ids[1]);
        ids.remove(0)
    }

    async fn upload(&self, asset: &str, bytes: usize, once: Option<&str>) {
        let collection = if asset.starts_with("dset_") { "datasets" } else { "models" };
        let form = json!({
            "assetType": collection, "assetId": asset, "filename": "a.bin", "contentType": "text/plain",
            "totalBytes": bytes,
        });
        let path = "/api/upload/signed-url";
        let mut begun = self.ask(Method::POST, path, Some(form.clone()), once).await.expect(200);
        if once.is_some() {
            begun = self.ask(Method::POST, path, Some(form), once).await.expect(200);
        }
        self.who.app.put(&begun, &"7".repeat(bytes)).await.expect(200);
        let form = json!({ "sessionId": begun.at("/sessionId") });
        self.ask(Method::POST, "/api/upload/complete", Some(form), None).await.expect(200);
    }

    /// One of each kind, and a model in a project.
    async fn makes(&self) -> [String; 4] {
        let project = self.make("projects", "p", None).await;
        let within = self.make("models", "within", Some(&project)).await;
        [project, within, self.make("datasets", "d", None).await, self.make("models", "m", None).await]
    }

    async fn looks(&self, things: &[String; 4]) {
        for collection in ["projects", "datasets", "models"] {
            self.get(&format!("/api/{collection}")).await;
        }
        let page = self.get("/api/models?limit=1").await;
        self.get(&format!("/api/models?limit=1&cursor={}", page.text_at("/nextCursor"))).await;
        self.get(&format!("/api/models?projectId={}", things[0])).await;
        for id in things {
            self.get(&path_of(id)).await;
        }
        self.get("/api/storage").await;
    }

    async fn changes(&self, things: &[String; 4]) {
        for id in things {
            let patch = json!({ "name": "New", "slug": format!("new-{}-{}", &id[..4], self.turn) });
            let patch =
                if *id == things[1] { json!({ "slug": format!("inner-{}", self.turn) }) } else { patch };
            self.ask(Method::PATCH, &path_of(id), Some(patch), None).await.expect(200);
        }
        // A second file of the same changes its place among the largest.
        self.upload(&things[1], 3, None).await;
        self.upload(&things[1], 4, None).await;
        self.upload(&things[2], 5, Some("upload")).await;
    }

    /// Into the trash, out of it, and into it again: the model before its project.
    async fn throws_away(&self, things: &[String; 4]) {
        let trash = async |id: &str| {
            self.ask(Method::DELETE, &path_of(id), None, None).await.expect(200);
        };
        trash(&things[1]).await;
        self.restores(&things[1]).await;
        for id in [&things[0], &things[2], &things[3]] {
            trash(id).await;
            self.restores(id).await;
            trash(id).await;
        }
        let page = self.get("/api/trash?limit=1&expand=cursor").await;
        self.get(&format!("/api/trash?limit=1&cursor={}", page.text_at("/nextCursor"))).await;
    }

    async fn restores(&self, id: &str) {
        for _ in 0..2 {
            let once = format!("restore-{id}");
            self.ask(Method::POST, "/api/trash", Some(in_trash(id)), Some(&once)).await.expect(200);
        }
    }

    async fn removes(&self, things: &[String; 4]) {
        for id in [&things[0], &things[2]] {
            self.ask(Method::DELETE, "/api/trash", Some(in_trash(id)), None).await.expect(200);
        }
        if self.who.token.starts_with("ul_") {
            self.ask(Method::DELETE, "/api/trash", Some(json!({ "all": true })), None).await.expect(200);
        } else {
            self.ask(Method::DELETE, "/api/trash/empty", None, None).await.expect(200);
        }
    }

    /// Functions take ten of a key's requests a minute at a time, of which here most stay unused.
    async fn waits(&self) {
        if self.who.token.starts_with("ul_") {
            self.who.app.advance(61).await;
        }
    }

    /// All of it.
    async fn hoards(&self) {
        let things = self.makes().await;
        self.looks(&things).await;
        self.waits().await;
        self.changes(&things).await;
        self.waits().await;
        self.looks(&things).await;
        self.throws_away(&things).await;
        self.waits().await;
        self.removes(&things).await;
    }
}

/// Everything, by whoever may: in person and by key, at home and sent on, as a member, and at the door of another region.
pub async fn hoard(app: &App) {
    app.no_faults().await;
    let eu = app.living_in(Region::Eu);
    let (ada, carol, bob) =
        (eu.user("ada-hoards").await, eu.user("carol-hoards").await, app.user("bob-hoards").await);
    ada.let_in(&carol, Role::Editor).await;
    let (near, far) = (ada.with_api_key("near").await, ada.with_api_key("far").await);
    let in_person = [(ada.clone(), ""), (ada.by_way_of(Region::Ap), ""), (carol.clone(), "ada-hoards")];
    let by_key = [(near, ""), (far.by_way_of(Region::Ap), "")];
    for (turn, (who, owner)) in in_person.into_iter().enumerate() {
        Hoarder { who, owner, turn }.hoards().await;
    }
    knock(&bob, "ada-hoards").await;
    // The plan has no room for what is to be restored.
    let model = carol.make(Kind::Model, "one-too-many").await;
    carol.delete(&path_of(&model)).await.expect(200);
    many::count(&carol, "models", 100).await;
    carol.post("/api/trash", in_trash(&model)).await.expect(403);
    let dataset = carol.make(Kind::Dataset, "never-sent").await;
    carol.begin_upload(&dataset, 1).await.expect(200);
    for (turn, (who, owner)) in by_key.into_iter().enumerate() {
        Hoarder { who, owner, turn: turn + 10 }.hoards().await;
    }
    // A month passes: what is due is found.
    app.advance(31 * 86_400).await;
    for _ in 0..2 {
        eu.run_worker("purge-trash").await;
    }
}

/// Asks for everything in a workspace of another region, and is let in nowhere.
async fn knock(who: &Person, owner: &str) {
    let id = |prefix: &str| format!("{prefix}_01m858qy4a1ar9by88nhafn40x");
    let (model, dataset) = (id("model"), id("dset"));
    let form = json!({
        "assetType": "datasets", "assetId": dataset, "filename": "a", "contentType": "a/b", "totalBytes": 1,
    });
    let requests = [
        (Method::GET, "/api/projects".to_owned(), None),
        (Method::POST, "/api/projects".to_owned(), Some(json!({ "slug": "a", "name": "A" }))),
        (Method::GET, format!("/api/models/{model}"), None),
        (Method::PATCH, format!("/api/models/{model}"), Some(json!({ "name": "A" }))),
        (Method::DELETE, format!("/api/models/{model}"), None),
        (Method::POST, "/api/upload/signed-url".to_owned(), Some(form)),
        (Method::POST, "/api/upload/complete".to_owned(), Some(json!({ "sessionId": id("upl") }))),
        (Method::GET, "/api/storage".to_owned(), None),
        (Method::GET, "/api/trash".to_owned(), None),
        (Method::POST, "/api/trash".to_owned(), Some(in_trash(&model))),
        (Method::DELETE, "/api/trash".to_owned(), Some(in_trash(&model))),
        (Method::DELETE, "/api/trash/empty".to_owned(), None),
    ];
    for (method, path, body) in requests {
        who.send(method, &format!("{path}?owner={owner}"), body).await.expect(404);
    }
}
