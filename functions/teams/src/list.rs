//! `GET /api/teams`: lists the caller's teams in the order of their usernames, without the personal workspace.

use std::sync::Arc;

use domain::{
    ports::{Failure, TeamOfUser, Teams},
    team::MOST_LISTED,
};
use kit::{
    Access, Endpoint, Output, Person, Ports, Prefetched, RequestContext, Spec, TokenIds, grants::teams, spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;
use settings::team_summary::TeamSummary;

/// Lists the caller's teams.
pub struct ListTeams;

/// Dependencies.
pub struct Deps {
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
    type Input = Prefetched<(), Vec<TeamOfUser>>;
    type Output = TeamList;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(deps.teams.of(ids.user, MOST_LISTED)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Prefetched((), early): Self::Input,
    ) -> Result<TeamList, Failure> {
        let teams = early.or_read(deps.teams.of(call.caller.session.user, MOST_LISTED)).await?;
        Ok(TeamList { teams: teams.iter().map(|team| TeamSummary::new(team, call.now)).collect() })
    }
}
