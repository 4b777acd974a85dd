//! `GET /api/settings`: returns a workspace's settings. `expand=mail` includes whether the owner's address gets mail.

use std::sync::Arc;

use domain::{
    Timestamp,
    email::EmailAddress,
    id::{UserId, WorkspaceId},
    mail_block::{BlockReason, MailBlock},
    permissions::Member,
    plan::Plan,
    ports::{Accounts, AddressHashes, Failure, MailBlocks, Outcome, Workspaces},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    role::Role,
    social::SocialLinks,
    user::User,
    workspace::{Profile, ProfileRecord, Workspace, WorkspaceKind},
};
use kit::{
    Access, Endpoint, Output, Params, Ports, Prefetched, Problem, RequestContext, Spec, TokenIds,
    grants::{accounts, address_hashes, mail_blocks, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Returns a workspace's settings.
pub struct ReadSettings;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    workspaces: Arc<dyn Workspaces>,
    addresses: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
}

/// Level of detail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsQuery {
    /// `mail`: include `mail`.
    #[serde(default)]
    expand: Option<SettingsExpansion>,
}

/// Values of `expand`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum SettingsExpansion {
    /// Include whether addresses get mail.
    Mail,
}

/// Whether an address gets mail.
#[derive(Serialize, JsonSchema)]
pub struct MailStatus {
    /// Why the address gets no mail at the moment, or `null` if it does.
    block: Option<BlockStatus>,
}

impl MailStatus {
    /// The status of an address with this block, if any.
    pub fn of(block: Option<MailBlock>, now: Timestamp) -> Self {
        let block = block.filter(|block| block.holds(now));
        Self { block: block.map(|block| BlockStatus { reason: block.reason, until: block.ends_at() }) }
    }
}

/// Why an address gets no mail, and for how long.
#[derive(Serialize, JsonSchema)]
pub struct BlockStatus {
    /// An email bounced, or was reported as spam.
    reason: BlockReason,
    /// When the address gets mail again.
    #[schemars(schema_with = "kit::input::date_time")]
    until: Timestamp,
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
    /// Whether `email` gets mail. Present with `expand=mail`, and only for the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailStatus>,
    /// The path of the picture, relative to the API, or `null` without a picture.
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
    pub fn of(workspace: &Workspace, profile: Profile, email: Option<EmailAddress>, now: Timestamp) -> Self {
        Self {
            image_url: profile.image_url(&workspace.handle),
            display_name: profile.display_name,
            company: profile.company,
            use_case: profile.use_case,
            bio: profile.bio,
            socials: profile.socials,
            plan: workspace.plan_at(now),
            username: workspace.handle.to_string(),
            email,
            mail: None,
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
        .uses(&[accounts::USER, workspaces::PROFILE, address_hashes::HASH, mail_blocks::FIND]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Prefetched<Params<SettingsQuery>, Records>;
    type Output = Settings;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            workspaces: ports.workspaces(),
            addresses: ports.address_hashes(),
            blocks: ports.mail_blocks(),
        }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(_, early): &mut Self::Input) {
        early.read(records(deps, ids.workspace, Some(ids.user))).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<Settings, Error> {
        let member = &call.caller;
        let owner = (member.role == Role::Owner).then_some(member.user);
        let (user, record) = early.or_read(records(deps, member.workspace.id, owner)).await?;
        let email = user.filter(|_| owner.is_some()).map(|user| user.primary_email);
        let mail = match (&email, query.expand) {
            (Some(email), Some(SettingsExpansion::Mail)) => Some(mail_status(deps, email, call.now).await?),
            _ => None,
        };
        let settings = Settings::of(&member.workspace, record.ok_or(Error::Gone)?.profile, email, call.now);
        Ok(Settings { mail, ..settings })
    }
}

async fn mail_status(deps: &Deps, email: &EmailAddress, now: Timestamp) -> Outcome<MailStatus> {
    Ok(MailStatus::of(deps.blocks.find(deps.addresses.hash(email).await?).await?, now))
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
