//! What the regions ask and tell each other about users whose teams, or whose friends, are in another region.
//!
//! Only another region can call these endpoints. Each is idempotent.

pub mod owned_places;
pub mod team_list;
pub mod team_summary;

kit::functions! {
    endpoint mails::SendMailToUser;
    endpoint members_end::EndMembership;
    endpoint memberships::KeepMembership;
    endpoint owned_teams::ReserveOwnedTeam;
    endpoint people::ReadPeople;
    endpoint referral_reward::BookReward;
    endpoint referrer::FindReferrer;
    endpoint teams::ReadTeams;
    worker reward_referrers::RewardReferrers;
    worker tell_regions::TellRegions;
}
