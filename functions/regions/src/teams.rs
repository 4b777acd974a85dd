//! `POST /internal/regions/teams`: the teams of this region that a user of the region that asks belongs to, as they are now.

use std::sync::Arc;

use domain::{
    id::{UserId, WorkspaceId},
    ports::{Failure, Teams},
    team::MOST_LISTED,
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec, grants::teams, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::team_summary::TeamSummary;

/// Reads the teams of a user.
pub struct ReadTeams;

/// Dependencies.
pub struct Deps {
    teams: Arc<dyn Teams>,
}

/// A user and teams.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TeamsQuery {
    /// The user.
    pub user: UserId,
    /// At most 1,000.
    pub teams: Vec<WorkspaceId>,
}

/// Those of the teams that the user belongs to.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TeamsOfGuest {
    /// In any order.
    pub teams: Vec<TeamSummary>,
}
impl Output for TeamsOfGuest {}

impl Endpoint for ReadTeams {
    const SPEC: Spec = spec("region-teams", Post, "/internal/regions/teams")
        .summary("List those of the given teams of this region that a user of another region belongs to")
        .access(Access::region())
        .body_limit(BODY)
        .uses(&[teams::AMONG]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<TeamsQuery>;
    type Output = TeamsOfGuest;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<OtherRegion>,
        Body(TeamsQuery { user, mut teams }): Self::Input,
    ) -> Result<TeamsOfGuest, Failure> {
        teams.truncate(MOST_LISTED);
        let found = deps.teams.among(user, &teams).await?;
        Ok(TeamsOfGuest { teams: found.iter().map(|team| TeamSummary::new(team, call.now)).collect() })
    }
}

/// Room for the most ids.
const BODY: usize = 64 * 1_024;
