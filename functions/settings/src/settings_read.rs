//! `GET /api/settings`: returns a workspace's settings.

use std::sync::Arc;

use domain::{
    Timestamp,
    email::EmailAddress,
    id::{UserId, WorkspaceId},
    permissions::Member,
    plan::Plan,
    ports::{Accounts, Failure, Outcome, Workspaces},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    role::Role,
    social::SocialLinks,
    user::User,
    workspace::{Profile, ProfileRecord, Workspace, WorkspaceKind},
};
use kit::{
    Access, Endpoint, Output, Ports, Prefetched, Problem, RequestContext, Spec, TokenIds,
    grants::{accounts, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Returns a workspace's settings.
pub struct ReadSettings;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    workspaces: Arc<dyn Workspaces>,
}

/// A workspace's settings.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    display_name: DisplayName,
    company: Option<Company>,
    use_case: Option<UseCase>,
    bio: Option<Bio>,
    socials: SocialLinks,
    plan: Plan,
    username: String,
    /// The owner's primary email address. Only the owner sees this field.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailAddress>,
    image_url: Option<String>,
    account_type: WorkspaceKind,
    icon_color: Option<IconColor>,
    icon_letter: Option<IconLetters>,
    region: Region,
    early_access: bool,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
}
impl Output for Settings {}

impl Settings {
    /// The settings of `workspace`, with the email address if the caller may see it.
    pub fn of(workspace: &Workspace, profile: Profile, email: Option<EmailAddress>) -> Self {
        Self {
            display_name: profile.display_name,
            company: profile.company,
            use_case: profile.use_case,
            bio: profile.bio,
            socials: profile.socials,
            plan: workspace.plan,
            username: workspace.handle.to_string(),
            email,
            image_url: None,
            account_type: workspace.kind,
            icon_color: profile.icon_color,
            icon_letter: profile.icon_letter,
            region: workspace.region,
            early_access: profile.early_access,
            created_at: workspace.created_at,
        }
    }
}

kit::errors! {
    pub enum Error from Failure {
        /// The workspace is gone.
        Gone => Problem::not_found(),
    }
}

impl Endpoint for ReadSettings {
    const SPEC: Spec = spec("settings-read", Get, "/api/settings")
        .summary("Get a workspace's settings")
        .access(Access::member(Role::Viewer))
        .uses(&[accounts::USER, workspaces::PROFILE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Prefetched<(), Records>;
    type Output = Settings;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { accounts: ports.accounts(), workspaces: ports.workspaces() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(records(deps, ids.workspace, Some(ids.user))).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Prefetched((), early): Self::Input,
    ) -> Result<Settings, Error> {
        let member = &call.caller;
        let owner = (member.role == Role::Owner).then_some(member.user);
        let (user, record) = early.or_read(records(deps, member.workspace.id, owner)).await?;
        let email = user.filter(|_| owner.is_some()).map(|user| user.primary_email);
        Ok(Settings::of(&member.workspace, record.ok_or(Error::Gone)?.profile, email))
    }
}

/// The owner, if the caller is the owner, and the profile.
type Records = (Option<User>, Option<ProfileRecord>);

async fn records(deps: &Deps, workspace: WorkspaceId, owner: Option<UserId>) -> Outcome<Records> {
    let user = async {
        match owner {
            Some(owner) => deps.accounts.user(owner).await,
            None => Ok(None),
        }
    };
    futures::try_join!(user, deps.workspaces.profile(workspace))
}
