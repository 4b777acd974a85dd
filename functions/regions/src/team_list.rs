//! The teams of a user over all regions. The home of the user knows in which regions they are; those say what they are now. Of a region
//! that does not answer, the list has what it told last.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    id::{UserId, WorkspaceId},
    ports::TeamsOfUser,
    region::Region,
    team::MembershipCopy,
};
use futures::future::join_all;
use kit::{RegionClient, region_client::BRIEFLY};

use crate::{
    team_summary::TeamSummary,
    teams::{ReadTeams, TeamsQuery},
};

/// All teams of a user, in the order of their usernames.
pub async fn summaries(
    regions: &RegionClient,
    user: UserId,
    TeamsOfUser { here, elsewhere }: &TeamsOfUser,
    now: Timestamp,
) -> Vec<TeamSummary> {
    let mut by_region: BTreeMap<Region, Vec<&MembershipCopy>> = BTreeMap::new();
    for copy in elsewhere.iter().filter(|copy| copy.role.is_some()) {
        by_region.entry(copy.region).or_default().push(copy);
    }
    let asked = by_region.into_iter().map(|(region, copies)| told_by(regions, region, user, copies));
    let mut all: Vec<TeamSummary> = here.iter().map(|team| TeamSummary::new(team, now)).collect();
    all.extend(join_all(asked).await.into_iter().flatten());
    all.sort_by(|one, other| one.username.cmp(&other.username));
    all
}

/// The teams of a user in another region: as it says now, or as it said last.
async fn told_by(
    regions: &RegionClient,
    region: Region,
    user: UserId,
    copies: Vec<&MembershipCopy>,
) -> Vec<TeamSummary> {
    let teams: Vec<WorkspaceId> = copies.iter().map(|copy| copy.team).collect();
    match regions.ask::<ReadTeams, _>(region, &TeamsQuery { user, teams }, BRIEFLY).await {
        Ok(answer) => answer.teams,
        Err(failure) => {
            tracing::warn!(region = region.as_str(), %failure, "the teams of a region as it told last");
            copies.into_iter().filter_map(TeamSummary::unavailable).collect()
        }
    }
}
