//! The places for owned teams, at the owner's home. A place for a team in another region is reserved before that region makes the user
//! the owner. If it does not, because the request failed or the region went down, the place is freed when it is needed.

use domain::{
    Timestamp,
    id::UserId,
    ports::{Failure, Outcome, TeamsElsewhere},
    role::Role,
    team::Reservation,
};
use futures::future::try_join_all;
use kit::{RegionClient, region_client::BRIEFLY};

use crate::teams::{ReadTeams, TeamsQuery};

/// Ends the reservations of a user whose requests have ended. Returns whether a place became free. A place for a team whose region
/// does not answer stays reserved.
///
/// # Errors
///
/// If AWS fails.
pub async fn free_settled(
    elsewhere: &dyn TeamsElsewhere,
    regions: &RegionClient,
    user: UserId,
    now: Timestamp,
) -> Outcome<bool> {
    let reservations = elsewhere.reservations(user).await?;
    let settled = reservations.iter().filter(|reservation| reservation.is_settled(now));
    let freed = try_join_all(settled.map(|reservation| free(elsewhere, regions, user, reservation))).await?;
    Ok(freed.contains(&true))
}

/// Ends a reservation, if the region of its team answers. Returns whether its place became free.
async fn free(
    elsewhere: &dyn TeamsElsewhere,
    regions: &RegionClient,
    user: UserId,
    reservation: &Reservation,
) -> Outcome<bool> {
    let ask = TeamsQuery { user, teams: vec![reservation.team] };
    let answer = match regions.ask::<ReadTeams, _>(reservation.region, &ask, BRIEFLY).await {
        Err(Failure::Unavailable { .. }) => return Ok(false),
        answer => answer?,
    };
    let owns = answer.teams.iter().any(|team| team.role == Role::Owner);
    elsewhere.settle(user, reservation, owns).await?;
    Ok(!owns)
}
