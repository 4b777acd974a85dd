//! The access matrix: every endpoint as every persona, as one file that people review.

use std::fmt::Write as _;

use domain::{resource::Kind, role::Role};
use kit::Spec;
use tests::{App, Person, Value, json, path_of, with_body};

use crate::fixtures::{self, Fixture, InOutage, Target, with_owner};

/// Whose workspace everybody asks for.
const OWNER: &str = "the-home";

/// The sender of a request.
enum Persona {
    Nobody,
    Person(Person),
    Service,
}

impl Persona {
    /// The person, if it has a session and no API key.
    fn with_session(&mut self) -> Option<&mut Person> {
        match self {
            Self::Person(person) if is_session(person) => Some(person),
            _ => None,
        }
    }
}

async fn ask(app: &App, who: &Persona, (spec, fixture): &(Spec, Fixture), path: &str) -> String {
    let target = Target { path: path.to_owned(), home: app.home(), mark: &|_| "matrix".to_owned() };
    let (mut path, body) = (fixture.request)(&target);
    if spec.takes_owner() {
        path = with_owner(&path, OWNER);
    }
    let method = spec.method.as_str().parse().unwrap();
    let mut request = match who {
        Persona::Person(person) => person.request(method, &path),
        Persona::Nobody | Persona::Service => app.request(method, &path),
    };
    if let Some(body) = body {
        request = with_body(request, &body);
    }
    let answer = async {
        match who {
            Persona::Service => app.send_signed(request).await,
            Persona::Nobody | Persona::Person(_) => app.send(request).await,
        }
    };
    match fixture.in_outage {
        InOutage::Works => answer.await.brief(),
        InOutage::AsksElsewhere | InOutage::ClaimsName => app.claiming(answer).await.brief(),
    }
}

/// Whether a persona has a session, and no API key.
fn is_session(person: &Person) -> bool {
    !person.token.starts_with("ul_")
}

/// The clock moves on, and sessions with it.
async fn renew_sessions(personas: &mut [(&str, Persona)]) {
    let people = personas.iter_mut().filter_map(|(_, persona)| persona.with_session());
    for person in people.filter(|person| !person.refresh.is_empty()) {
        let form = json!({ "refreshToken": person.refresh });
        let tokens = person.app.post("/api/auth/refresh", form).await.expect(200);
        *person = Person::new(person.app.clone(), &person.handle, &person.email, &tokens);
    }
}

#[tokio::test]
async fn the_access_matrix_is_as_reviewed() {
    let app = App::start().await;
    let owner = app.user(OWNER).await;
    let mut personas = vec![("anonymous", Persona::Nobody)];
    personas.push(("newcomer", Persona::Person(app.newcomer("newcomer").await)));
    personas.push(("stranger", Persona::Person(app.user("stranger").await)));
    for (name, role) in [("viewer", Role::Viewer), ("editor", Role::Editor), ("admin", Role::Admin)] {
        let member = app.user(&format!("the-{name}")).await;
        owner.let_in(&member, role).await;
        personas.push((name, Persona::Person(member)));
    }
    let former = app.user("former").await;
    owner.let_in(&former, Role::Admin).await;
    assert_eq!(former.get("/api/settings?owner=the-home").await.status, 200);
    owner.put_out(&former).await;
    personas.push(("ex-member", Persona::Person(former)));
    personas.push(("owner's key", Persona::Person(owner.with_api_key("ci").await)));
    personas.push(("other's key", Persona::Person(app.user("other").await.with_api_key("ci").await)));
    personas.push(("owner", Persona::Person(owner)));
    // The last: sessions end while the others ask.
    personas.push(("service", Persona::Service));

    let mut endpoints = fixtures::all();
    // Ending a session would end the persona's for all that follow.
    endpoints.sort_by_key(|(spec, fixture)| (fixture.ends_session, spec.id));
    let mut matrix = String::new();
    for endpoint in &endpoints {
        let (spec, fixture) = endpoint;
        for route in spec.routes().into_iter().filter(|route| route.method == spec.method) {
            let _ = writeln!(matrix, "{} {} ({})", spec.method.as_str(), route.path, spec.id);
            if spec.id == "feedback" {
                // Its limit counts by the hour: all callers ask in the same one.
                app.advance(3_600 - app.now().await.as_second().rem_euclid(3_600)).await;
                renew_sessions(&mut personas).await;
            }
            for (name, persona) in &mut personas {
                if let Some(person) = persona.with_session().filter(|_| fixture.needs_step_up) {
                    person.step_up().await;
                }
                let answer = ask(&app, persona, endpoint, &route.path).await;
                let _ = writeln!(matrix, "    {name:12} {answer}");
                // Onboarding succeeds once and sign-up is throttled: what matters here is who is let in.
                app.advance(61).await;
            }
            if !fixture.ends_session {
                renew_sessions(&mut personas).await;
            }
        }
    }
    insta::assert_snapshot!("access_matrix", matrix);
}

#[tokio::test]
async fn hidden_and_missing_resources_look_the_same() {
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
