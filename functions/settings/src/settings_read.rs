//! `GET /api/settings`: a workspace's settings.

use std::sync::Arc;

use domain::{
    Timestamp,
    email::EmailAddress,
    plan::Plan,
    policy::Member,
    ports::{Accounts, Failure},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    role::Role,
    social::SocialLinks,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{Access, Call, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec, spec::Method::Get};
use schemars::JsonSchema;
use serde::Serialize;

/// Reads the settings.
pub struct ReadSettings;

/// What it works with.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
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
    /// The owner's primary address; only the owner sees it.
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
    /// The settings of `workspace`; the address if the caller may see it.
    pub fn of(workspace: Workspace, email: Option<EmailAddress>) -> Self {
        let profile = workspace.profile;
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

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for ReadSettings {
    const SPEC: Spec = spec("settings-read", Get, "/api/settings")
        .summary("Read a workspace's settings")
        .access(Access::Member(Role::Viewer))
        .grants(&[Grant::items("GetItem", Items::Users)]);
    type Caller = Member;
    type Deps = Deps;
    type Input = ();
    type Output = Settings;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { accounts: ports.accounts() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, (): ()) -> Result<Settings, Error> {
        let member = &call.caller;
        let owner = match member.role {
            Role::Owner => deps.accounts.user(member.user).await?,
            Role::Viewer | Role::Editor | Role::Admin => None,
        };
        Ok(Settings::of(member.workspace.clone(), owner.map(|owner| owner.primary_email)))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed(failure) => failure.into(),
        }
    }
}
