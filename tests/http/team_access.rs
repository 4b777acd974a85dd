//! The access matrix of teams: every endpoint that acts in a workspace, called by everybody who can ask for a team, from the region of
//! the team and from another one. The expected answers follow from the endpoints' descriptions.
//!
//! An unknown parameter makes a request invalid once its caller is let in, before anything happens. So its answer tells exactly who
//! is let in, and nothing changes.
//!
//! Not run in outages: it chooses its regions.

use domain::{region::Region, role::Role};
use kit::Spec;
use reqwest::Method;
use tests::{Answer, App, Person, Value, json, with_body};

use crate::{
    fixtures::{self, Target, with_owner},
    invitations, members,
};

/// Where the teams are.
const HERE: Region = Region::Eu;
/// The answer to an invalid request of a caller who is let in.
const LET_IN: &str = "400 VALIDATION_ERROR";
/// The parameter that no endpoint knows.
const UNKNOWN: &str = "nonsense";

/// The relation of a caller to a team.
#[derive(Debug, Clone, Copy)]
enum Persona {
    Anonymous,
    Stranger,
    FormerMember,
    Member(Role),
    Key,
    /// Of a team without a paid plan.
    LapsedMember(Role),
}

impl Persona {
    /// The answer of an endpoint that does not let the caller in.
    fn refusal(self, spec: &Spec) -> Option<&'static str> {
        let needed = spec.access.needed_role().unwrap();
        let too_low = |role: Role| (role < needed).then_some("403 FORBIDDEN");
        match self {
            Self::Anonymous => Some("401 UNAUTHORIZED"),
            Self::Stranger | Self::FormerMember => Some("404 NOT_FOUND"),
            Self::Member(role) => too_low(role),
            Self::Key => (!spec.takes_key()).then_some("401 UNAUTHORIZED"),
            Self::LapsedMember(role) if role != Role::Owner && !spec.open_to_inactive => {
                Some("403 TEAM_INACTIVE")
            }
            Self::LapsedMember(role) => too_low(role),
        }
    }
}

/// Somebody who asks for a team.
struct Caller {
    persona: Persona,
    app: App,
    /// The session or the key, if there is one.
    person: Option<Person>,
    team: String,
}

impl Caller {
    fn new(persona: Persona, person: &Person, team: &str) -> Self {
        Self { persona, app: person.app.clone(), person: Some(person.clone()), team: team.to_owned() }
    }

    /// The answer to a request. A key whose minute is used up waits for the next one.
    async fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Answer {
        let answer = self.send(method, path, body).await;
        if answer.brief() != "429 RATE_LIMITED" {
            return answer;
        }
        self.app.advance(61).await;
        self.send(method, path, body).await
    }

    async fn send(&self, method: &Method, path: &str, body: Option<&Value>) -> Answer {
        let request = match &self.person {
            Some(person) => person.request(method.clone(), path),
            None => self.app.request(method.clone(), path),
        };
        self.app
            .send(match body {
                Some(body) => with_body(request, body),
                None => request,
            })
            .await
    }
}

/// Lets somebody join a team.
async fn joins(owner: &Person, team: &str, who: &Person, role: &str) {
    invitations::invite(owner, team, &who.email, role).await.expect(201);
    let token = invitations::token(&who.app, &who.email).await;
    invitations::accept(who, &token).await.expect(200);
}

/// Everybody, in a region.
async fn callers(app: &App, home: Region) -> Vec<Caller> {
    let app = app.living_in(home);
    let user = async |name: &str| app.user(&format!("{name}-{home}")).await;
    let (open, lapsed) = (format!("open-{home}"), format!("lapsed-{home}"));
    let owner = user("owner").await;
    owner.found_team_in(&open, HERE).await;
    let without_plan = owner.found_team_in(&lapsed, HERE).await;
    let anonymous =
        Caller { persona: Persona::Anonymous, app: app.clone(), person: None, team: open.clone() };
    let mut callers = vec![anonymous, Caller::new(Persona::Stranger, &user("stranger").await, &open)];
    for (name, role) in [("viewer", Role::Viewer), ("editor", Role::Editor), ("admin", Role::Admin)] {
        let member = user(name).await;
        joins(&owner, &open, &member, name).await;
        callers.push(Caller::new(Persona::Member(role), &member, &open));
    }
    let (former, late) = (user("former").await, user("late").await);
    joins(&owner, &open, &former, "editor").await;
    members::remove(&owner, &open, former.id()).await.expect(200);
    joins(&owner, &lapsed, &late, "admin").await;
    app.living_in(HERE).set_plan(without_plan, "free").await;
    let form = json!({ "name": "ci" });
    let token = owner.post(&format!("/api/api-keys?owner={open}"), form).await.expect(201).text_at("/key");
    let key = Person { token, ..owner.clone() };
    callers.extend([
        Caller::new(Persona::FormerMember, &former, &open),
        Caller::new(Persona::Member(Role::Owner), &owner, &open),
        Caller::new(Persona::Key, &key, &open),
        Caller::new(Persona::LapsedMember(Role::Admin), &late, &lapsed),
        Caller::new(Persona::LapsedMember(Role::Owner), &owner, &lapsed),
    ]);
    callers
}

/// A request on a route.
struct RouteRequest {
    spec: Spec,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// A well-formed request on each route of every endpoint that acts in a workspace.
fn requests() -> Vec<RouteRequest> {
    let mut requests = Vec::new();
    for (spec, fixture) in fixtures::all().into_iter().filter(|(spec, _)| spec.takes_owner()) {
        for route in spec.routes() {
            let target = Target { path: route.path, home: HERE, mark: &|_| "matrix".to_owned() };
            let (path, body) = (fixture.request)(&target);
            let method = route.method.as_str().parse().unwrap();
            requests.push(RouteRequest { spec, method, path, body });
        }
    }
    requests
}

/// Describes the answers to a caller, if they are not the expected ones.
async fn wrong(caller: &Caller, request: &RouteRequest) -> Option<String> {
    let RouteRequest { spec, method, path, body } = request;
    let path = with_owner(path, &caller.team);
    let invalid = caller.ask(method, &format!("{path}&{UNKNOWN}=1"), body.as_ref()).await;
    let (is_right, answers) = match caller.persona.refusal(spec) {
        None => {
            let is_let_in = invalid.brief() == LET_IN && invalid.complaints().contains(UNKNOWN);
            (is_let_in, invalid.brief())
        }
        Some(refusal) => {
            // A caller who is refused changes nothing with a valid request either.
            let valid = caller.ask(method, &path, body.as_ref()).await;
            let answers = [invalid.brief(), valid.brief()];
            (answers.iter().all(|brief| brief == refusal), answers.join(", "))
        }
    };
    let expected = caller.persona.refusal(spec).unwrap_or(LET_IN);
    let (persona, home) = (caller.persona, caller.app.home());
    (!is_right).then(|| format!("{method} {path}: {persona:?} of {home} got {answers}, and not {expected}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_let_in_members_of_every_region_by_their_descriptions_alone() {
    let app = App::start().await;
    let mut everybody = callers(&app, HERE).await;
    everybody.extend(callers(&app, Region::Us).await);
    let (mut cells, mut found) = (0, Vec::new());
    for request in requests() {
        for caller in &everybody {
            found.extend(wrong(caller, &request).await);
            cells += 1;
        }
    }
    assert!(found.is_empty(), "{} of {cells}: {found:#?}", found.len());
    assert!(cells >= 600, "{cells}");
}
