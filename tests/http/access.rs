//! Who may do what: every endpoint as every persona, as one file that people review.

use std::fmt::Write as _;

use domain::{region::Region, resource::Kind, role::Role};
use kit::{Endpoint, Spec, Visitor, Worker};
use tests::{App, PASSWORD, Person, Value, json, path_of};

#[derive(Default)]
struct Specs(Vec<Spec>);

impl Visitor for Specs {
    fn endpoint<E: Endpoint>(&mut self) {
        self.0.push(E::SPEC);
    }

    fn worker<W: Worker>(&mut self) {}
}

/// A well-formed request for an operation. Every endpoint is here: a new one fails the test until it is.
fn request(spec: &Spec, path: &str, home: Region) -> (String, Option<Value>) {
    let path = path.to_owned();
    let some_event = "evt_01m858qy4a1ar9by88nhafn40x";
    match spec.id {
        "auth-sign-up" => {
            (path, Some(json!({ "email": "matrix@people.example", "password": PASSWORD, "region": home })))
        }
        "auth-verify" => {
            // The number says that it is of this region.
            let code = format!("{:06}", Region::ALL.iter().position(|region| *region == home).unwrap());
            (path, Some(json!({ "email": "matrix@people.example", "code": code })))
        }
        "auth-sign-in" => (path, Some(json!({ "email": "nobody@people.example", "password": PASSWORD }))),
        "auth-refresh" => (path, Some(json!({}))),
        "auth-password-forgot" => (path, Some(json!({ "email": "matrix@people.example" }))),
        "auth-password-reset" => {
            let id = &some_event[4..];
            let token = format!("pr_{home}_{id}_{id}_{}", "A".repeat(43));
            (path, Some(json!({ "token": token, "password": PASSWORD })))
        }
        "auth-step-up" => (path, Some(json!({ "password": PASSWORD }))),
        "onboarding" => (path, Some(json!({ "username": "matrix", "displayName": "M" }))),
        "username-check" => (format!("{path}?username=matrix"), None),
        "users-public-profile" => (format!("{path}?username=the-home"), None),
        "settings-update" => (path, Some(json!({}))),
        "api-keys-create" => (path, Some(json!({ "name": "matrix" }))),
        "api-keys-revoke" => (format!("{path}?keyId=key_01m858qy4a1ar9by88nhafn40x"), None),
        "activity-mark-seen" | "activity-archive" => (path, Some(json!({ "eventIds": [some_event] }))),
        "resources-create" => (path, Some(json!({ "slug": "matrix", "name": "M" }))),
        "resources-read" | "resources-trash" => (with_id(&path), None),
        "resources-update" => (with_id(&path), Some(json!({}))),
        "upload-url" => {
            let form = json!({
                "assetType": "models", "assetId": id_of("models"), "filename": "matrix.pt",
                "contentType": "application/octet-stream", "totalBytes": 1,
            });
            (path, Some(form))
        }
        "upload-complete" => (path, Some(json!({ "sessionId": "upl_01m858qy4a1ar9by88nhafn40x" }))),
        "trash-restore" | "trash-purge" => {
            (path, Some(json!({ "id": id_of("datasets"), "type": "dataset" })))
        }
        "gdpr-request" => (path, Some(json!({ "action": "export" }))),
        "gdpr-status" => (format!("{path}?jobId=job_01m858qy4a1ar9by88nhafn40x"), None),
        "resources-list" | "storage-read" | "trash-list" | "trash-empty" | "auth-sign-out" | "jwks"
        | "settings-read" | "account-summary" | "api-keys-list" | "activity-list" => (path, None),
        other => panic!("{other} is not in the access matrix: add a well-formed request for it"),
    }
}

/// The id of something that is not there.
fn id_of(kinds: &str) -> String {
    let prefix = match kinds {
        "projects" => "proj",
        "datasets" => "dset",
        _ => "model",
    };
    format!("{prefix}_01m858qy4a1ar9by88nhafn40x")
}

/// The path of one of a kind that is not there.
fn with_id(path: &str) -> String {
    path.replace("{id}", &id_of(path.split('/').nth(2).unwrap()))
}

/// These can't answer while another region is down: they claim or look for a name, or a stranger's address is at home there.
const NEED_ANOTHER_REGION: [&str; 5] =
    ["onboarding", "auth-verify", "auth-sign-in", "auth-password-forgot", "username-check"];

async fn ask(app: &App, who: Option<&Person>, (spec, path): (&Spec, &str), owner: &str) -> String {
    let (mut path, body) = request(spec, path, app.home());
    if spec.takes_owner() {
        path = format!("{path}{}owner={owner}", if path.contains('?') { '&' } else { '?' });
    }
    let method = spec.method.as_str().parse().unwrap();
    let mut request = match who {
        Some(person) => person.request(method, &path),
        None => app.request(method, &path),
    };
    if let Some(body) = body {
        request = request.json(&body);
    }
    match NEED_ANOTHER_REGION.contains(&spec.id) {
        true => app.claiming(app.send(request)).await.brief(),
        false => app.send(request).await.brief(),
    }
}

#[tokio::test]
async fn the_access_matrix_is_as_reviewed() {
    let app = App::start().await;
    let owner = app.user("the-home").await;
    let mut personas: Vec<(&str, Option<Person>)> = vec![("anonymous", None)];
    personas.push(("newcomer", Some(app.newcomer("newcomer").await)));
    personas.push(("stranger", Some(app.user("stranger").await)));
    for (name, role) in [("viewer", Role::Viewer), ("editor", Role::Editor), ("admin", Role::Admin)] {
        let member = app.user(&format!("the-{name}")).await;
        owner.let_in(&member, role).await;
        personas.push((name, Some(member)));
    }
    let former = app.user("former").await;
    owner.let_in(&former, Role::Admin).await;
    assert_eq!(former.get("/api/settings?owner=the-home").await.status, 200);
    owner.put_out(&former).await;
    personas.push(("ex-member", Some(former)));
    personas.push(("owner's key", Some(owner.with_api_key("ci").await)));
    personas.push(("other's key", Some(app.user("other").await.with_api_key("ci").await)));
    personas.push(("owner", Some(owner)));

    let mut specs = Specs::default();
    infra::every(&mut specs);
    // Signing out would end the persona's session for all that follow.
    specs.0.sort_by_key(|spec| (spec.id == "auth-sign-out", spec.id));
    let mut matrix = String::new();
    let on_each_path = |spec: &Spec| {
        let routes = spec.routes().into_iter().filter(|route| route.method == spec.method);
        routes.map(|route| (*spec, route.path)).collect::<Vec<_>>()
    };
    for (spec, path) in specs.0.iter().flat_map(on_each_path) {
        let _ = writeln!(matrix, "{} {path} ({})", spec.method.as_str(), spec.id);
        for (name, person) in &personas {
            let _ = writeln!(
                matrix,
                "    {name:12} {}",
                ask(&app, person.as_ref(), (&spec, &path), "the-home").await
            );
            // Onboarding succeeds once and sign-up is throttled: what matters here is who is let in.
            app.advance(61).await;
        }
        for (_, person) in &mut personas {
            if let Some(person) = person
                && !person.refresh.is_empty()
                && !person.token.starts_with("ul_")
                && spec.id != "auth-sign-out"
            {
                let tokens = app
                    .post("/api/auth/refresh", json!({ "refreshToken": person.refresh }))
                    .await
                    .expect(200);
                *person = Person::new(app.clone(), &person.handle, &person.email, &tokens);
            }
        }
    }
    insta::assert_snapshot!("access_matrix", matrix);
}

#[tokio::test]
async fn what_is_hidden_and_what_is_missing_look_the_same() {
    let app = App::start().await;
    let (ada, mallory) = (app.user("ada6").await, app.user("mallory6").await);
    let (id, _) = ada.make_key("ci").await;
    let missing = |id: &str| id.replace(&id[id.len() - 4..], "zzzz");
    let mut pairs = vec![
        ("GET", "/api/settings?owner=ada6".to_owned(), "/api/settings?owner=nobody6".to_owned()),
        ("GET", "/api/activity?owner=ada6".to_owned(), "/api/activity?owner=NOT%20A%20HANDLE".to_owned()),
        ("GET", "/api/api-keys?owner=ada6".to_owned(), "/api/api-keys?owner=settings".to_owned()),
        ("DELETE", format!("/api/api-keys?keyId={id}"), format!("/api/api-keys?keyId={}", missing(&id))),
        ("GET", "/api/trash?owner=ada6".to_owned(), "/api/trash?owner=nobody6".to_owned()),
    ];
    for kind in Kind::ALL {
        let id = ada.make(kind, "hidden").await;
        let paths = (path_of(&id), path_of(&missing(&id)));
        pairs.extend(["GET", "DELETE"].map(|method| (method, paths.0.clone(), paths.1.clone())));
    }
    for (method, hidden, missing) in pairs {
        let hidden = mallory.send(method.parse().unwrap(), &hidden, None).await;
        let missing = mallory.send(method.parse().unwrap(), &missing, None).await;
        let without_id = |answer: &tests::Answer| {
            let mut body = answer.body.clone();
            body["requestId"] = Value::Null;
            (answer.status, body.to_string(), answer.headers.len())
        };
        assert_eq!(without_id(&hidden), without_id(&missing));
        assert_eq!(hidden.status, 404);
    }
    assert_eq!(mallory.get("/api/api-keys?owner=ada6").await.status, 404);
    let viewer = app.user("viewer6").await;
    ada.let_in(&viewer, Role::Viewer).await;
    let refused = viewer.get("/api/api-keys?owner=ada6").await;
    assert_eq!(
        (refused.status, refused.text_at("/error").as_str()),
        (403, "Workspace owner access required")
    );
}
