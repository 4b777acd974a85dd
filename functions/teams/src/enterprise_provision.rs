//! `POST /internal/plans/enterprise`: sets the plan of a user or a team, when it ends, and the seats of its contract. For the service
//! that bills. Doing it twice changes nothing and answers the same.
//!
//! Fewer seats than are taken remove no member: nobody can be invited until enough seats are free.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    directory::Name,
    domain_events::DomainEvent,
    entitlements::Quota,
    handle::Handle,
    id::WorkspaceId,
    permissions::SetsPlans,
    plan::Plan,
    ports::{Directory, Failure, Rounds, Saved, Workspaces},
    region::Region,
    text::Invalid,
    workspace::{PlanTerms, Workspace},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Service, Spec, Whole,
    grants::{directory, extras, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The most seats of a contract.
const MOST_SEATS: i64 = 10_000;

/// Sets the plan of a workspace.
pub struct ProvisionEnterprise;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    directory: Arc<dyn Directory>,
}

/// The terms of the plan. They replace the former ones as a whole.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProvisionBody {
    /// The username of the user or team, ignoring case.
    #[serde(deserialize_with = "domain::handle::looked_up")]
    #[schemars(schema_with = "domain::handle::lookup_schema")]
    username: Handle,
    /// The plan.
    plan: Plan,
    /// The seats of a team. Without it, those of the plan.
    #[serde(default, deserialize_with = "seats")]
    #[schemars(range(min = 1, max = 10_000))]
    seats: Option<u64>,
    /// When the plan ends, in the future. Without it, the plan does not end.
    #[serde(default)]
    #[schemars(schema_with = "kit::input::optional_date_time")]
    ends_at: Option<Timestamp>,
}

fn seats<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let seats = Option::<Whole<1, MOST_SEATS>>::deserialize(from)?;
    Ok(seats.and_then(|seats| u64::try_from(seats.get()).ok()))
}

/// The plan of the workspace now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionedPlan {
    /// The username.
    username: String,
    /// The plan.
    plan: Plan,
    /// The seats, or `null` for any number.
    seats: Option<u64>,
    /// The seats that members and pending invitations take. They may be more than `seats`.
    seats_used: u64,
    /// When the plan ends, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    ends_at: Option<Timestamp>,
}
impl Output for ProvisionedPlan {}

kit::errors! {
    pub enum Error from Failure {
        /// The plan would have ended already.
        EndsBefore => Problem::field("endsAt", &Invalid::new("Use a time in the future.")),
        /// The name is not in use.
        Nobody => Problem::not_found(),
        /// The workspace belongs to another region.
        Elsewhere(region: Region) => Problem::new(
            Code::Conflict,
            format!("This username belongs to the region {region}. Call that region."),
        ),
    }
}

impl Endpoint for ProvisionEnterprise {
    const SPEC: Spec = spec("enterprise-provision", Post, "/internal/plans/enterprise")
        .summary("Set the plan of a user or team")
        .access(Access::service())
        .problems(&[Code::NotFound, Code::Conflict])
        .uses(&[
            workspaces::BY_HANDLE,
            directory::FIND_HANDLE,
            workspaces::FIND,
            workspaces::SET_PLAN,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Permitted<Service, SetsPlans>;
    type Deps = Deps;
    type Input = Body<ProvisionBody>;
    type Output = ProvisionedPlan;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), directory: ports.directory() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(ProvisionBody { username, plan, seats, ends_at }): Self::Input,
    ) -> Result<ProvisionedPlan, Error> {
        if ends_at.is_some_and(|end| end <= call.now) {
            return Err(Error::EndsBefore);
        }
        let terms = PlanTerms { plan, ends_at, seats: seats.map(Quota::AtMost) };
        let id = workspace_of(deps, call.region, username).await?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let before = deps.workspaces.find(id).await?.ok_or(Error::Nobody)?;
            let after = before.clone().with_plan_terms(terms, call.now);
            let provisioned = ProvisionedPlan::of(&after, call.now);
            if before.plan_terms() == terms {
                return Ok(provisioned);
            }
            let notice = DomainEvent::PlanChanged { workspace: id };
            let extras = call.extras(Some(event(call, &before, terms)), Some(notice), "");
            if deps.workspaces.set_plan(&call.caller.proof, &before, &after, extras).await? == Saved::Yes {
                return Ok(provisioned);
            }
        }
    }
}

impl ProvisionedPlan {
    fn of(workspace: &Workspace, now: Timestamp) -> Self {
        Self {
            username: workspace.handle.to_string(),
            plan: workspace.plan,
            seats: workspace.entitlements(now).seats,
            seats_used: workspace.seats_taken,
            ends_at: workspace.plan_ends_at,
        }
    }
}

/// The workspace of this region with this username.
async fn workspace_of(deps: &Deps, here: Region, username: Handle) -> Result<WorkspaceId, Error> {
    if let Some(id) = deps.workspaces.by_handle(&username).await? {
        return Ok(id);
    }
    let holder = deps.directory.find(&Name::Handle(username)).await?;
    let elsewhere = holder.filter(|holder| holder.confirmed && holder.region != here);
    Err(elsewhere.map_or(Error::Nobody, |holder| Error::Elsewhere(holder.region)))
}

/// The line in the history. An actor is a user: the owner, with a note that a service acted.
fn event<C>(call: &RequestContext<C>, workspace: &Workspace, terms: PlanTerms) -> ActivityEvent {
    let actor = Actor { user: workspace.owner, key: None };
    let event = call.event(workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event = event.about(workspace.id, &workspace.handle);
    let seats = terms.seats.and_then(|seats| match seats {
        Quota::AtMost(seats) => Some(seats),
        Quota::Unlimited => None,
    });
    let details = [
        ("by", Some("service".into())),
        ("plan", serde_json::to_value(terms.plan).ok()),
        ("seats", seats.map(Into::into)),
        ("endsAt", terms.ends_at.map(|end| end.to_string().into())),
    ];
    let details = details.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    event.metadata.extend(details);
    event
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn seats_are_a_whole_number_from_1_to_10000() {
        let read = |seats: serde_json::Value| {
            let body = json!({ "username": "the-team", "plan": "pro", "seats": seats });
            from_value::<ProvisionBody>(body).map(|body| body.seats).map_err(|error| error.to_string())
        };
        for (seats, expected) in
            [(json!(1), Some(1)), (json!(10_000), Some(10_000)), (json!(7.0), Some(7)), (json!(null), None)]
        {
            assert_eq!(read(seats.clone()), Ok(expected), "{seats}");
        }
        for wrong in [json!(0), json!(10_001), json!(-1), json!(1.5), json!("7"), json!([])] {
            assert_eq!(read(wrong.clone()), Err("Use a whole number from 1 to 10000.".to_owned()), "{wrong}");
        }
    }
}
