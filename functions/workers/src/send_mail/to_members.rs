//! The mails to members and owners of workspaces, who may have another home region.

use domain::{
    Timestamp,
    domain_events::DomainEvent,
    id::{InvitationId, UserId, WorkspaceId},
    invitation::{Invitation, InvitationToken},
    mail_content::MailContent,
    permissions::may_give,
    ports::{Failure, Mail, Outcome},
    region::Region,
    role::Role,
    user::personal_workspace,
    wallet::TopUpPause,
    workspace::{Workspace, WorkspaceKind},
};
use kit::RunContext;

use super::{Deps, Outgoing, to_user};
use crate::{
    mail_templates,
    team_mails::{self, DisplayedName},
};

/// Writes the mail for an event of that time, if the event has one for a member or an owner.
pub async fn write(
    deps: &Deps,
    job: &RunContext,
    at: Timestamp,
    notice: DomainEvent,
) -> Result<Option<Outgoing>, Failure> {
    match notice {
        DomainEvent::ApiKeyCreated { workspace, user, name, .. } => {
            api_key_created(deps, job, (workspace, user), name.as_str()).await
        }
        DomainEvent::MemberInvited { team, invitation } => {
            Ok(invited(deps, job, at, team, invitation).await?.map(Outgoing::Mail))
        }
        DomainEvent::MemberRoleChanged { team, user } => role_changed(deps, job, team, user).await,
        DomainEvent::MemberRemoved { team, user, home } => removed(deps, job, team, (user, home)).await,
        DomainEvent::TeamTransferred { team, user } => transferred(deps, job, team, user).await,
        DomainEvent::TopUpsPaused { workspace, reason } => paused(deps, job, workspace, reason).await,
        _ => Ok(None),
    }
}

/// The mail with the token of an invitation. There is none if the invitation ended, expired, or was sent again since: then another
/// event has its mail. Nor is there one if its sender may not invite for this role any more: nobody can accept it.
async fn invited(
    deps: &Deps,
    job: &RunContext,
    at: Timestamp,
    team: WorkspaceId,
    invitation: InvitationId,
) -> Result<Option<Mail>, Failure> {
    let found = deps.invitations.find(team, invitation).await?;
    let is_sent = |it: &Invitation| it.sent_at == at && it.is_pending(job.now);
    let Some(invitation) = found.filter(is_sent) else { return Ok(None) };
    let (named_team, sender, account, key) = futures::try_join!(
        named(deps, team),
        deps.teams.member(team, invitation.invited_by),
        named(deps, personal_workspace(invitation.invited_by)),
        deps.tokens.derivation_key(invitation.sent_at)
    )?;
    let sender = sender.filter(|sender| may_give(sender.role, invitation.role).is_ok());
    let Some(((_, team), sender)) = named_team.zip(sender) else { return Ok(None) };
    let inviter = match account {
        Some((_, name)) => name,
        // The account was deleted, and its memberships end with it.
        None if sender.region == job.region => return Ok(None),
        None => DisplayedName::new(&sender.handle, None),
    };
    let token = InvitationToken::new(job.region, &invitation, &key);
    Ok(Some(team_mails::invitation(&invitation, &team, &inviter, &token)))
}

/// The mail about a new API key of a person or of a team that still exists.
async fn api_key_created(
    deps: &Deps,
    job: &RunContext,
    (workspace, user): (WorkspaceId, UserId),
    name: &str,
) -> Result<Option<Outgoing>, Failure> {
    if workspace == personal_workspace(user) {
        let mail = to_user(deps, user, |to| mail_templates::api_key_created(to, name)).await?;
        return Ok(mail.map(Outgoing::Mail));
    }
    let (team, member) = futures::try_join!(named(deps, workspace), deps.teams.member(workspace, user))?;
    let Some(((_, team), member)) = team.zip(member) else { return Ok(None) };
    to_member(deps, job, (user, member.region), team_mails::api_key_created(&team, name)).await
}

/// The mail about a member's new role, if the user is still a member.
async fn role_changed(
    deps: &Deps,
    job: &RunContext,
    team: WorkspaceId,
    user: UserId,
) -> Result<Option<Outgoing>, Failure> {
    let (team, member) = futures::try_join!(named(deps, team), deps.teams.member(team, user))?;
    let Some(((_, team), member)) = team.zip(member) else { return Ok(None) };
    to_member(deps, job, (user, member.region), team_mails::role_changed(&team, member.role)).await
}

/// The mail to a former member, who may be back since.
async fn removed(
    deps: &Deps,
    job: &RunContext,
    team: WorkspaceId,
    (user, home): (UserId, Option<Region>),
) -> Result<Option<Outgoing>, Failure> {
    let (team, member) = futures::try_join!(named(deps, team), deps.teams.member(team, user))?;
    match (team, member) {
        (Some((_, team)), None) => {
            to_member(deps, job, (user, home.unwrap_or(job.region)), team_mails::removed(&team)).await
        }
        _ => Ok(None),
    }
}

/// The mail to the new owner of a team, who may have transferred it since.
async fn transferred(
    deps: &Deps,
    job: &RunContext,
    team: WorkspaceId,
    user: UserId,
) -> Result<Option<Outgoing>, Failure> {
    let (team, member) = futures::try_join!(named(deps, team), deps.teams.member(team, user))?;
    match team.zip(member) {
        Some(((_, name), member)) if member.role == Role::Owner => {
            to_member(deps, job, (user, member.region), team_mails::ownership(&name)).await
        }
        _ => Ok(None),
    }
}

/// Tells the owner of a workspace that no credit is bought automatically any more.
async fn paused(
    deps: &Deps,
    job: &RunContext,
    workspace: WorkspaceId,
    reason: TopUpPause,
) -> Result<Option<Outgoing>, Failure> {
    let Some((workspace, name)) = named(deps, workspace).await? else { return Ok(None) };
    let content = team_mails::top_ups_paused(&name, reason);
    let owner = workspace.owner;
    let home = match workspace.kind {
        WorkspaceKind::Personal => Some(workspace.region),
        WorkspaceKind::Team => deps.teams.member(workspace.id, owner).await?.map(|member| member.region),
    };
    match home {
        Some(home) => to_member(deps, job, (owner, home), content).await,
        None => Ok(None),
    }
}

/// A workspace, and its name in mails.
async fn named(deps: &Deps, id: WorkspaceId) -> Outcome<Option<(Workspace, DisplayedName)>> {
    let (found, record) = futures::try_join!(deps.workspaces.find(id), deps.workspaces.profile(id))?;
    Ok(found.map(|workspace| {
        let name = record.map(|record| record.profile.display_name);
        let name = DisplayedName::new(&workspace.handle, name.as_ref());
        (workspace, name)
    }))
}

/// A mail to a member of a team, whose home may be another region. Deleted accounts receive none.
async fn to_member(
    deps: &Deps,
    job: &RunContext,
    (user, home): (UserId, Region),
    content: MailContent,
) -> Result<Option<Outgoing>, Failure> {
    if home != job.region {
        return Ok(Some(Outgoing::Relayed(home, user, content)));
    }
    let found = deps.accounts.user(user).await?;
    Ok(found.map(|user| Outgoing::Mail(Mail::new(user.primary_email, content))))
}
