//! `GET /api/teams`: lists the caller's teams in all regions in the order of their usernames, without the personal workspace.

use std::sync::Arc;

use domain::{
    ports::{Failure, Teams, TeamsOfUser},
    team::MOST_LISTED,
};
use kit::{
    Access, Endpoint, Output, Person, Ports, Prefetched, RegionClient, RequestContext, Spec, TokenIds,
    grants::teams, spec, spec::Method::Get,
};
use regions::{team_list::summaries, team_summary::TeamSummary};
use schemars::JsonSchema;
use serde::Serialize;

/// Lists the caller's teams.
pub struct ListTeams;

/// Dependencies.
pub struct Deps {
    regions: RegionClient,
    teams: Arc<dyn Teams>,
}

/// The caller's teams.
#[derive(Serialize, JsonSchema)]
pub struct TeamList {
    /// At most 1,000.
    teams: Vec<TeamSummary>,
}
impl Output for TeamList {}

impl Endpoint for ListTeams {
    const SPEC: Spec = spec("teams-list", Get, "/api/teams")
        .summary("List the teams of the user")
        .access(Access::person())
        .uses(&[teams::OF]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Prefetched<(), TeamsOfUser>;
    type Output = TeamList;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { regions: ports.region_client(), teams: ports.teams() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(deps.teams.of(ids.user, MOST_LISTED)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Prefetched((), early): Self::Input,
    ) -> Result<TeamList, Failure> {
        let user = call.caller.session.user;
        let teams = early.or_read(deps.teams.of(user, MOST_LISTED)).await?;
        Ok(TeamList { teams: summaries(&deps.regions, user, &teams, call.now).await })
    }
}
