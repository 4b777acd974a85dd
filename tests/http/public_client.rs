//! The public client's commands, as they are installed from the package index, against this platform.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use domain::{region::Region, resource::Kind};
use tempfile::TempDir;
use tests::{App, Value, json, kind_of};
use tokio::io::AsyncWriteExt;

use crate::fixtures::{SOME_ULID, billing::tells};

/// An installed client that knows this platform and one key, and nothing of this machine.
struct Client {
    /// Where it and its Python are.
    programs: PathBuf,
    home: TempDir,
    url: String,
    key: String,
}

impl Client {
    /// Installs it if it isn't there.
    async fn new(app: &App, key: &str) -> Self {
        Self {
            programs: tests::python_tools().await,
            home: tempfile::tempdir().unwrap(),
            url: app.api_url().to_owned(),
            key: key.to_owned(),
        }
    }

    /// Runs `ul cloud …`.
    async fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(self.programs.join("ul"));
        command.env_clear().current_dir(self.home.path()).env("HOME", self.home.path());
        command.env("ULTRALYTICS_PLATFORM_URL", &self.url).env("ULTRALYTICS_API_KEY", &self.key);
        command.arg("cloud").args(arguments.split(' '));
        tokio::process::Command::from(command).output().await.unwrap()
    }

    /// What a command that succeeds prints, which is of the type that the client promises.
    async fn ask(&self, arguments: &str) -> Value {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        self.check(arguments, &output.stdout).await;
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The client prints any answer; its types say which members there are.
    async fn check(&self, arguments: &str, answer: &[u8]) {
        let mut command = tokio::process::Command::new(self.programs.join("python"));
        command.args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/tools/client_types.py")]);
        command.args(arguments.split(' ').take(2));
        let mut checking = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        checking.stdin.take().unwrap().write_all(answer).await.unwrap();
        let checked = checking.wait_with_output().await.unwrap();
        let complaint = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{arguments}: {}: {complaint}", String::from_utf8_lossy(answer));
    }

    /// What a command that fails says.
    async fn refusal(&self, arguments: &str) -> String {
        let output = self.run(arguments).await;
        assert!(!output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn the_client_sees_the_account_until_its_key_is_revoked() {
    let app = App::start().await;
    let ada = app.user("ada12").await;
    let (id, key) = ada.make_key("laptop").await;
    let client = Client::new(&app, &key).await;
    let summary = json!({
        "username": "ada12", "name": "ADA12", "accountType": "personal", "plan": "free", "creditsCents": 2_500,
        "counts": { "projects": 0, "datasets": 0, "models": 0 }, "teams": [],
    });
    assert_eq!(client.ask("account summary").await, summary);
    ada.delete(&format!("/api/api-keys?keyId={id}")).await.expect(200);
    let refusal = client.refusal("account summary").await;
    assert!(refusal.contains("401") && refusal.contains("This API key is not valid."), "{refusal}");
    let left: Vec<_> = std::fs::read_dir(client.home.path()).unwrap().collect();
    assert!(left.is_empty(), "the client keeps something: {left:?}");
}

#[tokio::test]
async fn client_uses_other_regions_key_until_revoked() {
    tests::needs_every_region!();
    let app = App::start().await.living_in(Region::Us);
    let ada = app.living_in(Region::Eu).user("ada-e").await;
    let (id, key) = ada.make_key("laptop").await;
    // The client knows the entry point only, which is the endpoint of `us`.
    let client = Client::new(&app, &key).await;
    for _ in 0..2 {
        assert_eq!(client.ask("account summary").await["username"], "ada-e");
    }
    assert_eq!(client.ask("account api-keys").await["keys"][0]["keyId"], json!(id));
    assert_eq!(client.ask("account profile username=ada-e").await["user"]["fullName"], "ADA-E");
    ada.delete(&format!("/api/api-keys?keyId={id}")).await.expect(200);
    let refusal = client.refusal("account summary").await;
    assert!(refusal.contains("401") && refusal.contains("This API key is not valid."), "{refusal}");
}

#[tokio::test]
async fn client_lists_keys_without_values_and_shows_profiles() {
    let app = App::start().await;
    let bob = app.user("bob12").await;
    let (id, key) = bob.make_key("ci").await;
    let client = Client::new(&app, &key).await;
    let listed = client.ask("account api-keys").await;
    let made = listed["keys"][0]["createdAt"].as_str().unwrap();
    let row = json!({ "keyId": id, "name": "ci", "keyPrefix": key[..11], "createdAt": made });
    assert_eq!(listed, json!({ "keys": [row] }));
    let profile = client.ask("account profile username=bob12").await;
    let user = json!({
        "username": "bob12", "fullName": "BOB12", "accountType": "personal", "followerCount": 0, "isFollowed": false,
    });
    assert_eq!(profile, json!({ "user": user }));
    let refusal = client.refusal("account profile username=nobody12").await;
    assert!(refusal.contains("404"), "{refusal}");
}

#[tokio::test]
async fn client_follows_and_unfollows_an_account() {
    let app = App::start().await;
    let ada = app.user("ada-follows").await;
    app.user("bob-follows").await;
    let client = Client::new(&app, &ada.make_key("ci").await.1).await;
    for (followed, number) in [(true, 1), (false, 0)] {
        let answer = client.ask(&format!("account follow username=bob-follows followed={followed}")).await;
        assert_eq!(answer, json!({ "followed": followed, "followerCount": number }));
        let profile = client.ask("account profile username=bob-follows").await;
        assert_eq!(profile["user"]["isFollowed"], followed);
        assert_eq!(profile["user"]["followerCount"], number);
    }
    let refusal = client.refusal("account follow username=nobody-follows followed=true").await;
    assert!(refusal.contains("404"), "{refusal}");
}

#[tokio::test]
async fn the_client_shows_the_reason_that_the_platform_gives() {
    let app = App::start().await;
    let keyless = Client::new(&app, &format!("ul_{}", "0".repeat(40))).await;
    let refusal = keyless.refusal("account summary").await;
    assert!(refusal.contains("This API key is not valid."), "{refusal}");
    let refusal = keyless.refusal("account profile username=x").await;
    assert!(refusal.contains("username: Use 4 to 32 characters."), "{refusal}");
}

#[tokio::test]
async fn client_manages_trash_and_reads_storage() {
    let app = App::start().await;
    let carol = app.user("carol12").await;
    let client = Client::new(&app, &carol.make_key("laptop").await.1).await;
    assert_eq!(client.ask("lifecycle trash").await["items"], json!([]));
    assert_eq!(client.ask("account storage").await["updatedAt"], Value::Null);
    let project = carol.make(Kind::Project, "yolo").await;
    let (inside, loose) = (carol.make_in(&project, "inside").await, carol.make(Kind::Model, "loose").await);
    let (alone, dataset) = (carol.make_in(&project, "alone").await, carol.make(Kind::Dataset, "coco").await);
    for id in [&inside, &loose, &alone, &dataset] {
        carol.upload(id, "some bytes").await;
    }
    let storage = client.ask("account storage details=true").await;
    assert_eq!(storage["usage"]["storage"]["current"], 40);
    assert_eq!(storage["breakdown"]["topItems"].as_array().unwrap().len(), 4);
    assert_eq!(client.ask("account storage details=false").await["breakdown"]["topItems"], json!([]));

    for id in [&alone, &project, &loose, &dataset] {
        carol.trash(id).await.expect(200);
    }
    let names = |list: &Value| {
        let rows = list["items"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = client.ask("lifecycle trash").await;
    assert_eq!(names(&all), ["coco", "loose", "yolo", "alone"]);
    assert_eq!(
        (&all["items"][2]["cascadedCount"], &all["items"][3]["parentProject"]["name"]),
        (&json!(1), &json!("yolo"))
    );
    assert_eq!(names(&client.ask("lifecycle trash type=all page=2 limit=3").await), ["alone"]);
    for (kind, wanted) in
        [("project", vec!["yolo"]), ("dataset", vec!["coco"]), ("model", vec!["loose", "alone"])]
    {
        assert_eq!(names(&client.ask(&format!("lifecycle trash type={kind}")).await), wanted);
    }

    for id in [&project, &loose, &dataset] {
        let kind = kind_of(id);
        let restored = client.ask(&format!("lifecycle restore id={id} type={}", kind.as_str())).await;
        let models = (kind == Kind::Project).then_some(1);
        assert_eq!((&restored["success"], restored["restoredModels"].as_u64()), (&json!(true), models));
        let refusal = client.refusal(&format!("lifecycle restore id={id} type={}", kind.as_str())).await;
        assert!(refusal.contains("404"), "{refusal}");
        carol.trash(id).await.expect(200);
        let body = json!({ "id": id, "type": kind });
        let deleted = client.ask(&format!("lifecycle delete-trash body={body}")).await;
        assert_eq!((&deleted["deletedCount"], deleted["cascadedModels"].as_u64()), (&json!(1), models));
    }
    let emptied = client.ask("lifecycle delete-trash body={\"all\":true}").await;
    assert_eq!(emptied["deletedCount"], 1);
    let refusal = client.refusal("lifecycle delete-trash body={\"all\":false}").await;
    assert!(refusal.contains("400"), "{refusal}");
    assert_eq!(client.ask("lifecycle trash").await["summary"]["totalItems"], 0);
    assert_eq!(client.ask("account storage").await["usage"]["storage"]["current"], 0);
}

#[tokio::test]
async fn client_reads_the_plan_and_the_transactions() {
    let app = App::start().await;
    let dora = app.user("dora12").await;
    let client = Client::new(&app, &dora.make_key("laptop").await.1).await;
    let summary = client.ask("billing usage-summary").await;
    assert_eq!((&summary["plan"]["planId"], &summary["creditsCents"]), (&json!("free"), &json!(2_500)));
    let types = |list: &Value| {
        let rows = list["transactions"].as_array().unwrap().iter();
        rows.map(|row| row["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(types(&client.ask("billing transactions").await), ["signup"]);
    let job = json!({
        "job": "job-1", "outcome": "settled", "costMicroUsd": 15_000, "overageMicroUsd": 15_000,
        "category": "training", "gpuType": "a100", "run": "run-1", "model": format!("model_{SOME_ULID}"),
        "dataset": format!("dset_{SOME_ULID}"), "apiKey": format!("key_{SOME_ULID}"),
    });
    tells(&dora, json!([job])).await.expect(200);
    let listed = client.ask("billing transactions").await;
    assert_eq!(types(&listed), ["training", "signup"]);
    assert_eq!(
        (&listed["transactions"][0]["amountCents"], &listed["transactions"][0]["balanceAfter"]),
        (&json!(-2), &json!(2_498))
    );
    assert_eq!(client.ask("billing transactions from_=2020-01-01 to=2199-12-31").await, listed);
    assert_eq!(types(&client.ask("billing transactions to=2020-01-01").await), [""; 0]);
    assert_eq!(client.ask("billing usage-summary").await["creditsCents"], 2_498);
}
