//! Who may do what. A proof is a value that only this module makes; what changes something takes one.

use jiff::Timestamp;

use crate::{
    activity::Actor,
    api_key::KeyHolder,
    id::{UserId, WorkspaceId},
    role::Role,
    session::Session,
    user::personal_workspace,
    workspace::Workspace,
};

/// A person in a workspace: who, and with which role.
#[derive(Clone)]
pub struct Member {
    /// The workspace.
    pub workspace: Workspace,
    /// The person's role in it.
    pub role: Role,
    /// The person.
    pub user: UserId,
    /// Whether the person proved who they are recently enough to be shown secrets.
    pub stepped_up: bool,
}

impl Member {
    /// The member as the one who did something.
    pub fn actor(&self) -> Actor {
        Actor { user: self.user, key: None }
    }
}

/// The caller may not do this, though they may see the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Something that only the owner may.
    #[error("Workspace owner access required")]
    OwnerOnly,
    /// Something that needs a higher role.
    #[error("This needs the role {} or higher", .0.as_str())]
    RoleTooLow(Role),
    /// Something that needs a fresh proof of who one is.
    #[error("Sign in again, or confirm your password, to continue")]
    StepUpNeeded,
}

/// Proof that the caller may make and revoke keys of this workspace.
pub struct ManagesKeys {
    workspace: WorkspaceId,
}

/// Proof that the caller may see the values of this workspace's keys.
pub struct RevealsKeys {
    workspace: WorkspaceId,
}

/// Proof that the caller may change this workspace's profile.
pub struct EditsProfile {
    workspace: WorkspaceId,
}

/// Proof that the caller may keep this workspace's inbox.
pub struct KeepsInbox {
    workspace: WorkspaceId,
}

/// Proof that the caller may create, change, trash, restore and remove what this workspace has.
#[derive(Clone, Copy)]
pub struct EditsResources {
    workspace: WorkspaceId,
    actor: Actor,
}

/// Proof that the caller may delete an account, or a team, for good.
pub struct DeletesForGood {
    workspace: WorkspaceId,
}

impl DeletesForGood {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl EditsResources {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Who does it.
    pub fn actor(&self) -> Actor {
        self.actor
    }
}

impl ManagesKeys {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl RevealsKeys {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl EditsProfile {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl KeepsInbox {
    /// Where the proof is good.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

/// Whether `role` is enough where `needed` is.
pub fn at_least(role: Role, needed: Role) -> Result<(), Denied> {
    match (role >= needed, needed) {
        (true, _) => Ok(()),
        (false, Role::Owner) => Err(Denied::OwnerOnly),
        (false, _) => Err(Denied::RoleTooLow(needed)),
    }
}

/// Only the owner manages keys, and only in person: a key is no [`Member`], so it can't make or revoke keys.
pub fn may_manage_keys(member: &Member) -> Result<ManagesKeys, Denied> {
    at_least(member.role, Role::Owner)?;
    Ok(ManagesKeys { workspace: member.workspace.id })
}

/// Whoever manages keys sees their values, shortly after having signed in.
pub fn may_reveal_keys(member: &Member) -> Result<RevealsKeys, Denied> {
    let workspace = may_manage_keys(member)?.workspace;
    if member.stepped_up { Ok(RevealsKeys { workspace }) } else { Err(Denied::StepUpNeeded) }
}

/// Admins and the owner edit the profile.
pub fn may_edit_profile(member: &Member) -> Result<EditsProfile, Denied> {
    at_least(member.role, Role::Admin)?;
    Ok(EditsProfile { workspace: member.workspace.id })
}

/// Editors, and whoever may more, edit what a workspace has.
pub fn may_edit_resources(member: &Member) -> Result<EditsResources, Denied> {
    at_least(member.role, Role::Editor)?;
    Ok(EditsResources { workspace: member.workspace.id, actor: member.actor() })
}

/// A key does so as its workspace's owner.
pub fn key_may_edit_resources(key: &KeyHolder) -> EditsResources {
    EditsResources { workspace: key.workspace, actor: Actor { user: key.owner, key: Some(key.key) } }
}

/// A person deletes their own account, shortly after having signed in.
pub fn may_delete_account(session: &Session, now: Timestamp) -> Result<DeletesForGood, Denied> {
    let workspace = personal_workspace(session.user);
    if session.is_stepped_up(now) { Ok(DeletesForGood { workspace }) } else { Err(Denied::StepUpNeeded) }
}

/// A team's owner deletes it, shortly after having signed in.
pub fn may_delete_team(
    session: &Session,
    team: &Workspace,
    now: Timestamp,
) -> Result<DeletesForGood, Denied> {
    at_least(if team.owner == session.user { Role::Owner } else { Role::Viewer }, Role::Owner)?;
    may_delete_account(session, now)?;
    Ok(DeletesForGood { workspace: team.id })
}

/// Whoever sees a workspace keeps its inbox.
pub fn may_keep_inbox(member: &Member) -> KeepsInbox {
    KeepsInbox { workspace: member.workspace.id }
}
