//! One fixture per endpoint: what the sweeps over all endpoints need to know about it. The access matrix, the fault sweep, the
//! measurement of AWS calls, residency, grants and outages all read these.

mod activity;
pub(crate) mod api_keys;
pub(crate) mod auth;
pub(crate) mod billing;
mod billing_due;
mod billing_resident;
mod billing_views;
mod collisions;
mod departing;
mod effects;
mod emails;
mod fixture;
mod hoard;
mod invitations;
mod members;
pub(crate) mod members_elsewhere;
mod oauth;
pub(crate) mod payers;
mod payments;
mod payments_rare;
pub(crate) mod payments_resident;
mod privacy;
mod provision;
pub(crate) mod referrals;
mod regions;
pub(crate) mod resident;
mod resources;
mod settings;
mod teams;
mod trash;

use std::collections::BTreeMap;

use domain::{region::Region, role::Role};
use futures::future::BoxFuture;
use kit::{Endpoint, Spec, Visitor, Worker};
use tests::{App, Value};

pub use self::fixture::{Caller, Figures, Fixture, InOutage, Retry, SOME_ULID, Scenario, Target, missing_id};

/// An area's part: its endpoints, what its residents enter, and what only rare events make its functions do.
pub struct Area {
    /// One fixture per endpoint.
    pub fixtures: fn() -> Vec<Fixture>,
    /// What residents enter.
    pub marks: Marks,
    /// Makes the area's functions do what the scenarios don't: races, lost claims, hand-over between containers.
    pub rare: fn(App) -> BoxFuture<'static, ()>,
}

/// Every area, in the order of `infra::every`.
pub const AREAS: [Area; 12] = [
    auth::AREA,
    settings::AREA,
    emails::AREA,
    api_keys::AREA,
    activity::AREA,
    resources::AREA,
    teams::AREA,
    billing::AREA,
    payments::AREA,
    regions::AREA,
    trash::AREA,
    privacy::AREA,
];

/// The fields into which residents enter something that can be searched for, by where it may be found afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// The home region stores these in clear.
    pub kept: &'static [&'static str],
    /// Nobody stores these.
    pub discarded: &'static [&'static str],
    /// The directory may store these, in every region.
    pub public: &'static [&'static str],
}

impl Marks {
    /// The marks of all areas.
    pub fn all() -> [Vec<&'static str>; 3] {
        let of = |fields: fn(&Marks) -> &'static [&'static str]| {
            AREAS.iter().flat_map(|area| fields(&area.marks)).copied().collect()
        };
        [of(|marks| marks.kept), of(|marks| marks.discarded), of(|marks| marks.public)]
    }
}

/// Why reads wait for the session.
pub const ALIVE_FIRST: &str = "a change reads its records once the session is known to be live and the caller to be allowed; only \
    endpoints that change nothing begin to read beside the session check";
/// Why two calls are not one.
pub const BESIDE: &str =
    "two ports read side by side: one call for both would save neither a trip nor a unit";
/// A message that only subscribers outside are told of.
pub const PUBLISHED: &[&str] = &["publish-events (a message)"];

/// Every endpoint's spec.
#[derive(Default)]
struct Specs(Vec<Spec>);

impl Visitor for Specs {
    fn endpoint<E: Endpoint>(&mut self) {
        self.0.push(E::SPEC);
    }

    fn worker<W: Worker>(&mut self) {}
}

/// Every endpoint with its fixture.
pub fn all() -> Vec<(Spec, Fixture)> {
    let (mut fixtures, mut specs) = (by_id(), Specs::default());
    infra::every(&mut specs);
    let of = |spec: Spec| {
        let fixture = fixtures.remove(spec.id);
        let fixture = fixture.unwrap_or_else(|| {
            panic!("{} has no fixture: add it to its area in tests/http/fixtures", spec.id)
        });
        (spec, fixture)
    };
    let all = specs.0.into_iter().map(of).collect();
    assert!(fixtures.is_empty(), "fixtures of no endpoint: {:?}", fixtures.keys());
    all
}

fn by_id() -> BTreeMap<&'static str, Fixture> {
    let mut fixtures = BTreeMap::new();
    for fixture in AREAS.iter().flat_map(|area| (area.fixtures)()) {
        let id = fixture.id;
        assert!(fixtures.insert(id, fixture).is_none(), "{id} has two fixtures");
    }
    fixtures
}

/// A well-formed request for every endpoint that takes `owner=`.
pub fn at_workspace(home: Region, owner: &str, mark: &dyn Fn(&str) -> String) -> Vec<WorkspaceRequest> {
    let request = |(spec, fixture): (Spec, Fixture)| {
        let path = spec.routes().into_iter().next().unwrap().path;
        let (path, body) = (fixture.request)(&Target { path, home, mark });
        WorkspaceRequest { id: spec.id, method: spec.method.as_str(), path: with_owner(&path, owner), body }
    };
    all().into_iter().filter(|(spec, _)| spec.takes_owner()).map(request).collect()
}

/// A request about a workspace.
pub struct WorkspaceRequest {
    /// The endpoint's id.
    pub id: &'static str,
    /// The method.
    pub method: &'static str,
    /// The path with its query.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
}

/// A path with `owner=`.
pub fn with_owner(path: &str, owner: &str) -> String {
    format!("{path}{}owner={owner}", if path.contains('?') { '&' } else { '?' })
}

/// Makes every changing call with an `Idempotency-Key` twice, and every request about a workspace as a member, and as somebody
/// of another region who has no role there.
pub async fn use_every_grant(app: &App) {
    let eu = app.living_in(Region::Eu);
    for (spec, fixture) in all().into_iter().filter(|(spec, _)| spec.once) {
        for (n, retry) in fixture.retries.iter().enumerate() {
            let who = (retry.prepare)(eu.in_network(spec.id), format!("{}-twice{n}", short(spec.id))).await;
            for _ in 0..2 {
                let answer = (retry.call)(who.clone(), "twice".to_owned()).await;
                assert!(answer.status < 300, "{}: {}", spec.id, answer.text);
            }
        }
    }
    let (near, far) = (app.user("near-grants").await, eu.user("far-grants").await);
    let member = app.user("member-grants").await;
    near.let_in(&member, Role::Admin).await;
    for owner in [&near, &far] {
        let requests = at_workspace(app.home(), &owner.handle, &|field| format!("grants-{field}"));
        for request in requests {
            let WorkspaceRequest { id, method, path, body } = request;
            let answer = member.send(method.parse().unwrap(), &path, body).await;
            let is_refused = answer.brief() == "404 NOT_FOUND";
            assert!(is_refused || owner.handle == near.handle, "{id}: {}", answer.text);
        }
    }
}

/// A short form of an endpoint's id, for handles.
pub fn short(id: &str) -> String {
    let word = |word: &str| word.chars().take(3).collect::<String>();
    id.split('-').map(word).collect::<Vec<_>>().join("-")
}

#[test]
fn every_endpoint_has_a_complete_fixture() {
    let incomplete = |(spec, fixture): &(Spec, Fixture)| {
        let lacks = |what: &str| Some(format!("{}: {what}", spec.id));
        match fixture {
            Fixture { scenarios, .. } if scenarios.is_empty() => lacks("no scenario"),
            Fixture { retries, .. } if retries.is_empty() && spec.changes() => lacks("no retry"),
            _ => None,
        }
    };
    let incomplete: Vec<String> = all().iter().filter_map(incomplete).collect();
    assert!(incomplete.is_empty(), "{incomplete:#?}");
}
