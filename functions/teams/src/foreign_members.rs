//! Users whose home is another region, as callers and as members of teams of this region.

use domain::{Timestamp, domain_events::Message, id::UserId, team::TeamMember, workspace::Workspace};
use kit::{PersonOrGuest, RegionClient, RequestContext, region_client::BRIEFLY};
use regions::{
    memberships::KeepMembership,
    tell_regions::{copy_of, message_about},
};

/// The user who calls; `None` before onboarding.
pub fn onboarded(caller: &PersonOrGuest) -> Option<UserId> {
    match caller {
        PersonOrGuest::Person(person) => person.onboarded.then_some(person.session.user),
        PersonOrGuest::Guest(guest) => guest.handle.as_ref().map(|_| guest.user),
    }
}

/// The message that a membership begins, changes or ends, for the home of a member from another region. `None` for a local member.
pub fn message<C>(call: &RequestContext<C>, team: &Workspace, member: &TeamMember) -> Option<Message> {
    message_about(team, member).map(|notice| call.message(notice))
}

/// Tells the home of a new member from another region of the membership, so that the user's list has the team when the response
/// arrives. A failure does no harm: the message that the transaction wrote tells the home again.
pub async fn tell_at_once(regions: &RegionClient, team: &Workspace, member: &TeamMember, now: Timestamp) {
    if member.region == team.region {
        return;
    }
    let copy = copy_of(team, member, now);
    // Briefly: the change is made, and the response waits.
    if let Err(failure) = regions.ask::<KeepMembership, _>(member.region, &copy, BRIEFLY).await {
        tracing::warn!(region = member.region.as_str(), %failure, "the home learns of a new member later");
    }
}
