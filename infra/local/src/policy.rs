//! The functions' roles, as the template makes them: each may do what its spec grants, on what it grants it.

use std::collections::{BTreeMap, BTreeSet};

use kit::{Endpoint, Grant, Visitor, Worker};

/// What each function may do.
#[derive(Default)]
pub struct Roles(BTreeMap<&'static str, BTreeSet<Grant>>);

/// Lambda's own: reads the outbox's stream for the function that it sets off.
pub const EVENT_SOURCE: &str = "event-source";

impl Roles {
    /// The roles of all functions.
    pub fn of_all() -> Self {
        let mut roles = Self::default();
        infra::every(&mut roles);
        roles
    }

    fn allows(&self, function: &str, (service, action, on): (&str, &str, &str)) -> bool {
        let granted = self.0.get(function).into_iter().flatten();
        granted.into_iter().any(|grant| (grant.service, grant.action, grant.on) == (service, action, on))
    }
}

impl Visitor for Roles {
    fn endpoint<E: Endpoint>(&mut self) {
        self.0.insert(E::SPEC.id, E::SPEC.all_grants().into_iter().collect());
    }

    fn worker<W: Worker>(&mut self) {
        self.0.insert(W::SPEC.id, W::SPEC.grants.iter().copied().collect());
    }
}

impl aws::Policy for Roles {
    fn allows(&self, function: &str, service: &str, action: &str, on: &str) -> bool {
        let streams = ["ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"];
        if function == EVENT_SOURCE {
            return service == "dynamodb" && streams.contains(&action);
        }
        self.allows(function, (service, action, granted_on(service, on)))
    }
}

/// What a grant calls the thing that a request names: `account-eu-identity` is the table `identity`, `account/eu/tokens` the
/// secret `tokens`. Whether it is the right region's, its address and its signature say.
pub fn granted_on<'a>(service: &str, on: &'a str) -> &'a str {
    match service {
        "dynamodb" => on.rsplit('-').next().unwrap_or(on),
        "secretsmanager" => on.rsplit('/').next().unwrap_or(on),
        "kms" => "key",
        "events" => "bus",
        _ => on,
    }
}
