//! `POST /internal/regions/owned-teams`: reserves one of the places for owned teams of a user of this region, for a team in the region
//! that asks. The copy of the membership confirms it ([`memberships`](crate::memberships)).

use std::sync::Arc;

use domain::{
    id::{UserId, WorkspaceId},
    ports::{Failure, Outcome, PlaceReserved, TeamsElsewhere},
    region::Region,
    team::Reservation,
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RegionClient, RequestContext, Spec,
    grants::teams_elsewhere, region_client::PATIENTLY, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::owned_places::free_settled;

/// Reserves a place for an owned team.
pub struct ReserveOwnedTeam;

/// Dependencies.
pub struct Deps {
    elsewhere: Arc<dyn TeamsElsewhere>,
    regions: RegionClient,
}

/// The team that the user is about to own.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct NewOwner {
    /// The user.
    pub user: UserId,
    /// The team.
    pub team: WorkspaceId,
    /// The team's region.
    pub region: Region,
}

/// Whether the place is reserved.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ReservedPlace {
    /// The result.
    pub result: PlaceReserved,
}
impl Output for ReservedPlace {}

impl Endpoint for ReserveOwnedTeam {
    const SPEC: Spec = spec("region-owned-teams", Post, "/internal/regions/owned-teams")
        .summary("Reserve a place for a team that a user of this region is about to own")
        .access(Access::region())
        .uses(&[teams_elsewhere::RESERVE, teams_elsewhere::RESERVATIONS, teams_elsewhere::SETTLE]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<NewOwner>;
    type Output = ReservedPlace;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { elsewhere: ports.teams_elsewhere(), regions: ports.region_client() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<OtherRegion>,
        Body(NewOwner { user, team, region }): Self::Input,
    ) -> Result<ReservedPlace, Failure> {
        let reservation = Reservation { team, region, at: call.now };
        let mut result = deps.elsewhere.reserve(user, &reservation).await?;
        if result == PlaceReserved::LimitReached
            && free_settled(&*deps.elsewhere, &deps.regions, user, call.now).await?
        {
            result = deps.elsewhere.reserve(user, &reservation).await?;
        }
        Ok(ReservedPlace { result })
    }
}

/// Reserves a place at the home of a user, which is another region, for a team of `here`.
///
/// # Errors
///
/// If that region does not answer.
pub async fn reserve_at_home(
    regions: &RegionClient,
    (user, home): (UserId, Region),
    (team, here): (WorkspaceId, Region),
) -> Outcome<PlaceReserved> {
    let ask = NewOwner { user, team, region: here };
    Ok(regions.ask::<ReserveOwnedTeam, _>(home, &ask, PATIENTLY).await?.result)
}
