//! Authorization. A proof is a value that only this module can create; operations that change data require a proof.

use jiff::Timestamp;

use crate::{
    activity::Actor,
    api_key::KeyHolder,
    id::{UserId, WorkspaceId},
    role::Role,
    session::Session,
    team::ActingMember,
    user::personal_workspace,
    workspace::Workspace,
};

/// A member of a workspace with a role.
#[derive(Clone)]
pub struct Member {
    /// The workspace.
    pub workspace: Workspace,
    /// The member's role in the workspace.
    pub role: Role,
    /// The user.
    pub user: UserId,
    /// Whether the session is stepped up, which sensitive actions require.
    pub stepped_up: bool,
}

impl Member {
    /// The member as the actor of an event.
    pub fn actor(&self) -> Actor {
        Actor { user: self.user, key: None }
    }

    /// The member as a condition of a change.
    pub fn acting(&self) -> ActingMember {
        let Workspace { id: team, region, .. } = self.workspace;
        ActingMember { team, region, user: self.user, role: self.role }
    }
}

/// The caller may see the workspace but may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Requires the owner.
    #[error("Workspace owner access required")]
    OwnerOnly,
    /// Requires a higher role.
    #[error("This action requires the role {} or higher.", .0.as_str())]
    RoleTooLow(Role),
    /// The member that the action is about has the caller's role or a higher one.
    #[error("You can act only on members and invitations whose role is below your own.")]
    RoleNotBelow,
    /// Requires a recent sign-in or password confirmation.
    #[error("Sign in again or confirm your password to continue.")]
    StepUpNeeded,
}

/// Proof that the caller may revoke keys of this workspace.
pub struct ManagesKeys {
    workspace: WorkspaceId,
}

/// Proof that the caller may create keys of this workspace.
pub struct MakesKeys {
    workspace: WorkspaceId,
}

/// Proof that the caller may read the values of this workspace's keys.
pub struct RevealsKeys {
    workspace: WorkspaceId,
}

/// Proof that the caller may change this workspace's profile.
pub struct EditsProfile {
    workspace: WorkspaceId,
}

/// Proof that the caller may manage this workspace's inbox.
pub struct KeepsInbox {
    workspace: WorkspaceId,
}

/// Proof that the caller may create, update, trash, restore and delete this workspace's resources.
#[derive(Clone, Copy)]
pub struct EditsResources {
    workspace: WorkspaceId,
    actor: Actor,
}

/// Proof that the caller may invite, remove or change members of the team with the roles that were asked about.
pub struct ActsOnMembers {
    by: ActingMember,
}

/// Proof that the caller may transfer the ownership of the team.
pub struct TransfersTeam {
    by: ActingMember,
}

/// Proof that another service of the platform may set the plans of workspaces.
pub struct SetsPlans(());

/// Proof that the caller may change a wallet: a balance, or the budget of an API key.
pub struct ChangesWallets(());

/// Proof that a user may buy credit for a workspace, and manage its payment methods and billing details.
pub struct ManagesBilling {
    workspace: WorkspaceId,
    actor: Actor,
}

/// Proof that a user may export their data.
pub struct ExportsData {
    user: UserId,
}

/// Proof that the caller may permanently delete an account or a team.
pub struct DeletesForGood {
    workspace: WorkspaceId,
}

impl ActsOnMembers {
    /// The caller.
    pub fn by(&self) -> &ActingMember {
        &self.by
    }
}

impl TransfersTeam {
    /// The caller.
    pub fn by(&self) -> &ActingMember {
        &self.by
    }
}

impl DeletesForGood {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl EditsResources {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The actor.
    pub fn actor(&self) -> Actor {
        self.actor
    }
}

impl ManagesKeys {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl MakesKeys {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl ExportsData {
    /// The user of the proof.
    pub fn user(&self) -> UserId {
        self.user
    }
}

impl RevealsKeys {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl ManagesBilling {
    /// The workspace.
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The user.
    pub const fn actor(&self) -> Actor {
        self.actor
    }
}

impl EditsProfile {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

impl KeepsInbox {
    /// The workspace of the proof.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

/// Checks that `role` includes `needed`.
pub fn at_least(role: Role, needed: Role) -> Result<(), Denied> {
    match (role >= needed, needed) {
        (true, _) => Ok(()),
        (false, Role::Owner) => Err(Denied::OwnerOnly),
        (false, _) => Err(Denied::RoleTooLow(needed)),
    }
}

/// Allows the owner with a session. API keys are not [`Member`]s, so a key cannot create or revoke keys.
pub fn may_manage_keys(member: &Member) -> Result<ManagesKeys, Denied> {
    at_least(member.role, Role::Owner)?;
    Ok(ManagesKeys { workspace: member.workspace.id })
}

/// Allows the owner with a stepped-up session, because a key outlives the session that created it.
pub fn may_make_keys(member: &Member) -> Result<MakesKeys, Denied> {
    let workspace = may_manage_keys(member)?.workspace;
    if member.stepped_up { Ok(MakesKeys { workspace }) } else { Err(Denied::StepUpNeeded) }
}

/// Allows the owner with a stepped-up session.
pub fn may_reveal_keys(member: &Member) -> Result<RevealsKeys, Denied> {
    let workspace = may_manage_keys(member)?.workspace;
    if member.stepped_up { Ok(RevealsKeys { workspace }) } else { Err(Denied::StepUpNeeded) }
}

/// Allows admins and the owner.
pub fn may_edit_profile(member: &Member) -> Result<EditsProfile, Denied> {
    at_least(member.role, Role::Admin)?;
    Ok(EditsProfile { workspace: member.workspace.id })
}

/// Allows admins and the owner.
pub fn may_manage_billing(member: &Member) -> Result<ManagesBilling, Denied> {
    at_least(member.role, Role::Admin)?;
    Ok(ManagesBilling { workspace: member.workspace.id, actor: member.actor() })
}

/// Allows who manages billing to set automatic top-ups, which are part of the wallet.
pub fn may_set_top_ups(_manager: &ManagesBilling) -> ChangesWallets {
    ChangesWallets(())
}

/// Allows a worker to set the plan that a subscription at Stripe gives.
pub fn worker_may_set_paid_plans() -> SetsPlans {
    SetsPlans(())
}

/// Allows a worker to book what Stripe says of payments.
pub fn worker_may_book_payments() -> ChangesWallets {
    ChangesWallets(())
}

/// Allows editors and higher roles.
pub fn may_edit_resources(member: &Member) -> Result<EditsResources, Denied> {
    at_least(member.role, Role::Editor)?;
    Ok(EditsResources { workspace: member.workspace.id, actor: member.actor() })
}

/// Allows an API key, acting as the owner of its workspace.
pub fn key_may_edit_resources(key: &KeyHolder, owner: UserId) -> EditsResources {
    EditsResources { workspace: key.workspace, actor: Actor { user: owner, key: Some(key.key) } }
}

/// Allows admins and the owner to act on members and invitations with these roles: nobody acts on a role at or above their own. So
/// nobody acts on themselves, and nobody makes an owner.
pub fn may_act_on(member: &Member, roles: &[Role]) -> Result<ActsOnMembers, Denied> {
    roles.iter().try_for_each(|role| may_give(member.role, *role))?;
    at_least(member.role, Role::Admin)?;
    Ok(ActsOnMembers { by: member.acting() })
}

/// Allows admins and the owner to give roles below their own. An invitation is valid while its sender may give its role.
pub fn may_give(by: Role, role: Role) -> Result<(), Denied> {
    at_least(by, Role::Admin)?;
    if role < by { Ok(()) } else { Err(Denied::RoleNotBelow) }
}

/// Allows the owner with a stepped-up session, because only the new owner can give the team back.
pub fn may_transfer_team(member: &Member) -> Result<TransfersTeam, Denied> {
    at_least(member.role, Role::Owner)?;
    if member.stepped_up { Ok(TransfersTeam { by: member.acting() }) } else { Err(Denied::StepUpNeeded) }
}

/// Allows every service with an IAM role that may call the route: IAM decides that, before a function runs.
pub fn service_may_set_plans(_role: &str) -> SetsPlans {
    SetsPlans(())
}

/// The same for balances.
pub fn service_may_change_wallets(_role: &str) -> ChangesWallets {
    ChangesWallets(())
}

/// Allows a worker to post what is due.
pub fn worker_may_post_what_is_due() -> ChangesWallets {
    ChangesWallets(())
}

/// Allows a worker to credit the first company address of an account.
pub fn worker_may_credit_company_addresses() -> ChangesWallets {
    ChangesWallets(())
}

/// Allows a worker, and the region of a referred user, to add and take back the reward of the referrer.
pub fn worker_may_reward_referrers() -> ChangesWallets {
    ChangesWallets(())
}

/// Allows the owner with a session, without step-up: who can lift the budget of a key can spend the workspace's credit without a key.
pub fn may_budget_keys(member: &Member) -> Result<ChangesWallets, Denied> {
    at_least(member.role, Role::Owner)?;
    Ok(ChangesWallets(()))
}

/// Allows a person to redeem promo codes for their account.
pub fn may_redeem(_session: &Session) -> ChangesWallets {
    ChangesWallets(())
}

/// Allows a user with a stepped-up session, because the copy outlives the session that requested it.
pub fn may_export(session: &Session, now: Timestamp) -> Result<ExportsData, Denied> {
    if session.is_stepped_up(now) {
        Ok(ExportsData { user: session.user })
    } else {
        Err(Denied::StepUpNeeded)
    }
}

/// Allows the user with a stepped-up session.
pub fn may_delete_account(session: &Session, now: Timestamp) -> Result<DeletesForGood, Denied> {
    let workspace = personal_workspace(session.user);
    if session.is_stepped_up(now) { Ok(DeletesForGood { workspace }) } else { Err(Denied::StepUpNeeded) }
}

/// Allows the owner of the team with a stepped-up session, whose home may be another region.
pub fn may_delete_team(user: UserId, stepped_up: bool, team: &Workspace) -> Result<DeletesForGood, Denied> {
    at_least(if team.owner == user { Role::Owner } else { Role::Viewer }, Role::Owner)?;
    if stepped_up { Ok(DeletesForGood { workspace: team.id }) } else { Err(Denied::StepUpNeeded) }
}

/// Allows every member of the workspace.
pub fn may_keep_inbox(member: &Member) -> KeepsInbox {
    KeepsInbox { workspace: member.workspace.id }
}
