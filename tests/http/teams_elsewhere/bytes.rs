//! The region of a team stores the id, the username, the role and the region of a member from elsewhere, and nothing else of them.

use std::collections::BTreeMap;

use reqwest::Method;
use tests::{Answer, PASSWORD};

use super::*;
use crate::{
    emails,
    privacy::{Everything, until},
    search::{Needles, search},
};

const HANDLE: &str = "anh-in-bytes";
/// Short addresses: the search takes long texts apart.
const EMAIL: &str = "qz@bytes-of-anh.example";
const SECOND_EMAIL: &str = "qz@second-bytes.example";
const NAME: &str = "Qz Anh of Bytes";
const COMPANY: &str = "Qz Byte Works";
const BIO: &str = "Qz counts bytes.";
const AGENT: &str = "QzBrowser/7.5 (a device of Anh)";

/// A member who sends every request from a device in a network.
struct Traveller {
    person: Person,
    /// The hash of the primary address, as the home and the directory have it.
    hash: String,
}

impl Traveller {
    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.person.request(method, path).header("user-agent", AGENT);
        self.person.app.send(if body.is_null() { request } else { tests::with_body(request, &body) }).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Value::Null).await.expect(200)
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }

    /// Signs up in `ap`, and fills the profile.
    async fn new(app: &App) -> Self {
        let app = app.living_in(Region::Ap).in_network("a cafe of bytes");
        app.sign_up(EMAIL).await.expect(202);
        let form = json!({ "email": EMAIL, "code": app.code(EMAIL).await, "password": PASSWORD });
        let request = app.request(Method::POST, "/api/auth/verify").header("user-agent", AGENT).json(&form);
        let tokens = app.send(request).await.expect(200);
        let person = Person::new(app, HANDLE, EMAIL, &tokens);
        let new = Self { hash: hash_of(&person).await, person };
        let form = json!({ "username": HANDLE, "displayName": NAME, "company": COMPANY });
        new.post("/api/onboarding", form).await.expect(201);
        new.ask(Method::PATCH, "/api/settings", json!({ "bio": BIO })).await.expect(200);
        new.post("/api/settings/icon", icon_form(json!({}))).await.expect(200);
        emails::add_verified(&new.person, SECOND_EMAIL).await;
        new
    }

    /// The network address of the session, as its user sees it.
    async fn address(&self) -> String {
        self.get("/api/auth/sessions").await.text_at("/sessions/0/ipAddress")
    }

    /// The id of the picture.
    async fn picture(&self) -> String {
        let path = self.get("/api/settings").await.text_at("/imageUrl");
        path.rsplit('/').next().unwrap().to_owned()
    }

    /// Does all that an admin of a team does.
    async fn works(&self, lab: &str) {
        let dataset = makes_dataset(&self.person, lab, "by-a-traveller").await;
        self.ask(Method::DELETE, &within(&path_of(&dataset), lab), Value::Null).await.expect(200);
        self.post(&within("/api/trash", lab), in_trash(&dataset)).await.expect(200);
        let patch = json!({ "company": "The Lab Ltd" });
        self.ask(Method::PATCH, &within("/api/settings", lab), patch).await.expect(200);
        let form = json!({ "email": "guest-of-bytes@people.example", "role": "viewer" });
        self.post(&within("/api/members", lab), form).await.expect(201);
        for path in ["/api/members", "/api/activity", "/api/datasets", "/api/account/summary"] {
            self.get(&within(path, lab)).await;
        }
    }
}

/// The hash of the only address of an account.
async fn hash_of(who: &Person) -> String {
    let everything = Everything::of(&who.app).await;
    let hash = everything.items.values().find_map(|item| {
        let hash = item["pk"].as_str()?.strip_prefix(ItemKind::Addresses.prefix())?;
        (item["user"] == json!(who.id())).then(|| hash.to_owned())
    });
    hash.unwrap()
}

/// The personal data of a member, by what each text is.
async fn personal(of: &Traveller) -> BTreeMap<&'static str, String> {
    let mut texts = BTreeMap::from([
        ("address", EMAIL.to_owned()),
        ("second address", SECOND_EMAIL.to_owned()),
        ("name", NAME.to_owned()),
        ("company", COMPANY.to_owned()),
        ("bio", BIO.to_owned()),
        ("device", AGENT.to_owned()),
        ("picture", of.picture().await),
        ("hash", of.hash.clone()),
    ]);
    if cfg!(target_os = "linux") {
        texts.insert("network", of.address().await);
    }
    texts
}

/// The folder of a region, without the mails that it sent.
async fn found_in(app: &App, region: Region, texts: &BTreeMap<&'static str, String>) -> Vec<String> {
    let mut needles = Needles::default();
    texts.iter().for_each(|(name, text)| needles.keep(name, text));
    let found = search(&needles, &app.data().join(region.as_str()));
    found.into_iter().map(|(file, names)| format!("{file}: {names:?}")).collect()
}

#[tokio::test]
async fn region_of_a_team_holds_no_personal_data_of_a_member_from_elsewhere() {
    const LAB: &str = "lab-in-bytes";
    let app = App::start().await;
    let ewa = user(&app, "ewa-in-bytes", Region::Eu).await;
    let team = ewa.found_team_in(LAB, Region::Eu).await;
    let anh = Traveller::new(&app).await;
    // The region of the team mails the invitation, so it is told an address; it keeps that no longer than the invitation.
    invitations::invite(&ewa, LAB, SECOND_EMAIL, "editor").await.expect(201);
    let token = invitations::token(&app, SECOND_EMAIL).await;
    anh.post(invitations::ACCEPT, json!({ "token": token })).await.expect(200);
    members::change_role(&ewa, LAB, anh.person.id(), "admin").await.expect(200);
    anh.works(LAB).await;
    assert_eq!(member_row(&ewa, LAB, &anh.person).await["email"], EMAIL, "read from the home");
    app.mail_of_kind(EMAIL, "team-role-changed").await;
    home_knows(&anh.person, team, json!("admin")).await;

    let (texts, eu) = (personal(&anh).await, app.living_in(Region::Eu));
    let member =
        item(&eu, ItemKind::Members.partition(team), format!("MEMBER#{}", anh.person.id())).await.unwrap();
    let names: Vec<&str> = member.as_object().unwrap().keys().map(String::as_str).collect();
    let allowed = ["changes", "handle", "invitedBy", "joinedAt", "pk", "region", "role", "sk", "user"];
    assert!(names.iter().all(|name| allowed.contains(name)), "{member}");
    let all: Vec<String> = texts.values().cloned().collect();
    let mut told = Everything::of(&eu).await.tell_of(&all);
    // Every region's replica of the directory has the hash.
    told.retain(|item| !item.starts_with("account-directory"));
    assert_eq!(told, Vec::<String>::new());
    // With an external emulator, the tables are in no file here.
    if std::env::var_os("ACCOUNT_TEST_AWS").is_some() {
        return;
    }
    let is_compact = async || app.post("/_local/compact", json!(null)).await.status == 204;
    until("the files are not compacted", is_compact).await;
    assert_eq!(found_in(&app, Region::Eu, &texts).await, Vec::<String>::new());
    let known = BTreeMap::from([("username", HANDLE.to_owned()), ("id", anh.person.id().bare())]);
    assert!(!found_in(&app, Region::Eu, &known).await.is_empty(), "the search must reach the tables");
    assert!(found_in(&app, Region::Ap, &texts).await.iter().any(|found| found.contains("name")));
}
