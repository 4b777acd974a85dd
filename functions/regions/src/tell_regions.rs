//! `tell-regions`: tells another region what happened here. The home of a member learns that the membership began, changed or ended; the
//! region of a team, that the account of a member was deleted; the home of a user, a mail to send.
//!
//! It reads a membership after the change, and the home keeps the latest copy only, so that repeated and reordered messages are
//! harmless. While the other region is down, the message waits in its queue.

use std::sync::Arc;

use domain::{
    Timestamp,
    domain_events::{DomainEvent, Message},
    handle::Handle,
    id::{UserId, WorkspaceId},
    plan::Plan,
    ports::{Failure, Outcome, Saved, Teams, TransactionExtras, Workspaces},
    region::Region,
    role::Role,
    team::{MembershipCopy, TeamMember},
    workspace::Workspace,
};
use kit::{
    Ports, RegionClient, RunContext, Trigger, Worker, WorkerSpec,
    grants::{forwarding_keys, teams, workspaces},
    region_client::IN_BACKGROUND,
    worker,
    worker::Envelope,
};
use serde::Serialize;

use crate::{
    mails::{MailToUser, SendMailToUser},
    members_end::{EndMembership, EndedMembership},
    memberships::KeepMembership,
};

/// Tells other regions.
pub struct TellRegions;

/// The ports that it uses.
pub struct Deps {
    teams: Arc<dyn Teams>,
    workspaces: Arc<dyn Workspaces>,
    regions: RegionClient,
}

/// The result.
#[derive(Serialize)]
pub struct TellRegionsReport {
    told: bool,
}

impl Worker for TellRegions {
    const SPEC: WorkerSpec = worker(
        "tell-regions",
        Trigger::Bus,
        "Tells another region about memberships and mails of its users and teams",
        &[teams::MEMBER, teams::END_FOREIGN, workspaces::FIND, forwarding_keys::FORWARDING_KEY],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = TellRegionsReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams(), workspaces: ports.workspaces(), regions: ports.region_client() }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Envelope) -> Result<TellRegionsReport, Failure> {
        let Message { id, notice, .. } = event.detail;
        match notice {
            DomainEvent::MembershipChanged { team, handle, user, home, since } => {
                let member = futures::try_join!(deps.workspaces.find(team), deps.teams.member(team, user))?;
                let copy = match &member {
                    (Some(team), Some(member)) => copy_of(team, member, job.now),
                    _ => ended(team, user, (handle, job.region), since),
                };
                let kept = deps.regions.ask::<KeepMembership, _>(home, &copy, IN_BACKGROUND).await?;
                if let ((Some(team), Some(member)), true) = (member, kept.user_gone) {
                    end(deps, &team, &member).await?;
                }
            }
            DomainEvent::MembershipEnds { team, region, user } => {
                let ends = EndedMembership { user, team };
                let end = deps.regions.ask::<EndMembership, _>(region, &ends, IN_BACKGROUND).await?;
                if !end.ended {
                    // Only an owner stays a member, and the account of an owner is not closed.
                    return Err(Failure::Broken("a deleted account owns a team".to_owned()));
                }
            }
            DomainEvent::MailWritten { user, home, content } => {
                let mail = MailToUser { message: id, user, content };
                // A refused mail, and one to a deleted account, are done.
                deps.regions.ask::<SendMailToUser, _>(home, &mail, IN_BACKGROUND).await?;
            }
            _ => return Ok(TellRegionsReport { told: false }),
        }
        Ok(TellRegionsReport { told: true })
    }
}

/// Ends the membership of a user whose account was deleted while the user joined.
async fn end(deps: &Deps, team: &Workspace, member: &TeamMember) -> Outcome<()> {
    let left = member.role == Role::Owner
        || deps.teams.end_foreign(team, member, TransactionExtras::default()).await? == Saved::Yes;
    if left { Ok(()) } else { Err(Failure::Raced) }
}

/// The message that a membership began, changed or ended, if the member's home has to be told.
pub fn message_about(team: &Workspace, member: &TeamMember) -> Option<DomainEvent> {
    (member.region != team.region).then(|| DomainEvent::MembershipChanged {
        team: team.id,
        handle: team.handle.clone(),
        user: member.user,
        home: member.region,
        since: member.joined_at,
    })
}

/// A membership as it is now.
pub fn copy_of(team: &Workspace, member: &TeamMember, now: Timestamp) -> MembershipCopy {
    MembershipCopy {
        team: team.id,
        user: member.user,
        handle: team.handle.clone(),
        region: team.region,
        plan: team.plan_at(now),
        role: Some(member.role),
        since: member.joined_at,
        changes: member.changes,
    }
}

fn ended(
    team: WorkspaceId,
    user: UserId,
    (handle, region): (Handle, Region),
    since: Timestamp,
) -> MembershipCopy {
    MembershipCopy { team, user, handle, region, plan: Plan::Free, role: None, since, changes: 0 }
}
