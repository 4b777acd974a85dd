//! What the regions ask and tell each other about users whose teams are in another region.
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
    endpoint teams::ReadTeams;
    worker tell_regions::TellRegions;
}
