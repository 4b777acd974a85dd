//! What is in a bundle: a type for each kind of record. The schemas in the bundle are made of these types, so a field that is
//! added here is described there. Nothing here can hold a key's value, a hash, a secret, or another person's name or address.

use domain::{
    Timestamp,
    activity::{Action, Actor, Event, ResourceType, Standing},
    api_key::ApiKey,
    id::{EventId, KeyId, ProjectId, SessionId, UploadId, UserId, WorkspaceId},
    plan::{MicroUsd, Plan},
    ports::Membership,
    profile::UseCase,
    region::Region,
    resource::{Resource, ResourceId, Visibility},
    role::Role,
    session::Session as DomainSession,
    upload::Upload,
    usage::Usage,
    user::User,
    workspace::Workspace,
};
use kit::input::date_time;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// The account: who the person is, and what there is about them beside the lists.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The person's id.
    pub id: UserId,
    /// Where the data live.
    pub region: Region,
    /// When the account came to be.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// What the person said of themselves; null before a username was chosen.
    pub profile: Option<Profile>,
    /// The addresses.
    pub emails: Vec<Email>,
    /// Accounts elsewhere that this one is connected with. There are none yet.
    pub connected_accounts: Vec<String>,
    /// What is stored.
    pub storage: Storage,
    /// The teams that the person belongs to.
    pub teams: Vec<Team>,
    /// Where the person is signed in. The last member: it is written row by row.
    pub sessions: Vec<Session>,
}

/// What the person said of themselves.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The public name.
    pub username: String,
    pub display_name: String,
    pub company: Option<String>,
    pub use_case: Option<UseCase>,
    pub bio: Option<String>,
    pub icon_color: Option<String>,
    pub icon_letter: Option<String>,
    pub github: Option<String>,
    pub linkedin: Option<String>,
    pub twitter: Option<String>,
    pub youtube: Option<String>,
    pub scholar: Option<String>,
    pub discord: Option<String>,
    pub website: Option<String>,
    /// Whether features in testing are shown.
    pub early_access: bool,
    pub plan: Plan,
    /// When the username was chosen.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
}

impl From<Workspace> for Profile {
    fn from(workspace: Workspace) -> Self {
        let domain::workspace::Profile {
            display_name,
            company,
            use_case,
            bio,
            icon_color,
            icon_letter,
            socials,
            early_access,
        } = workspace.profile;
        Self {
            username: workspace.handle.to_string(),
            display_name: display_name.to_string(),
            company: text(company),
            use_case,
            bio: text(bio),
            icon_color: text(icon_color),
            icon_letter: text(icon_letter),
            github: text(socials.github),
            linkedin: text(socials.linkedin),
            twitter: text(socials.twitter),
            youtube: text(socials.youtube),
            scholar: text(socials.scholar),
            discord: text(socials.discord),
            website: text(socials.website),
            early_access,
            plan: workspace.plan,
            created_at: workspace.created_at,
        }
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// An address.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    pub address: String,
    /// Whether notifications and recovery mail go there.
    pub primary: bool,
    pub verified: bool,
}

/// What is stored. The trash counts.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    pub dataset_bytes: u64,
    pub model_bytes: u64,
    /// Of these: in the trash.
    pub trashed_bytes: u64,
}

impl From<Usage> for Storage {
    fn from(usage: Usage) -> Self {
        let trashed = usage.trashed_dataset_bytes.saturating_add(usage.trashed_model_bytes);
        Self { dataset_bytes: usage.dataset_bytes, model_bytes: usage.model_bytes, trashed_bytes: trashed }
    }
}

/// A team that the person belongs to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    pub id: WorkspaceId,
    pub role: Role,
}

impl From<Membership> for Team {
    fn from(Membership { workspace, role }: Membership) -> Self {
        Self { id: workspace, role }
    }
}

/// A sign-in on one device.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// When it began.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// When the password was entered last.
    #[schemars(schema_with = "date_time")]
    pub authenticated_at: Timestamp,
    /// When it was refreshed last.
    #[schemars(schema_with = "date_time")]
    pub refreshed_at: Timestamp,
    /// When it ends, unless it is refreshed before.
    #[schemars(schema_with = "date_time")]
    pub expires_at: Timestamp,
}

impl From<DomainSession> for Session {
    fn from(session: DomainSession) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            authenticated_at: session.authenticated_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at(),
        }
    }
}

impl Account {
    /// All but the sessions.
    pub fn new(user: User, workspace: Option<Workspace>, usage: Usage, teams: Vec<Membership>) -> Self {
        let address = user.primary_email.to_string();
        Self {
            id: user.id,
            region: user.region,
            created_at: user.created_at,
            profile: workspace.map(Profile::from),
            emails: vec![Email { address, primary: true, verified: true }],
            connected_accounts: Vec::new(),
            storage: usage.into(),
            teams: teams.into_iter().map(Team::from).collect(),
            sessions: Vec::new(),
        }
    }
}

/// A project.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// What all kinds have.
    #[serde(flatten)]
    pub common: Common,
    /// How many models are in it.
    pub models: u64,
}

/// A dataset, without its files' content.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// What all kinds have.
    #[serde(flatten)]
    pub common: Common,
}

/// A model, without its weights.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// What all kinds have.
    #[serde(flatten)]
    pub common: Common,
    /// The project that it is in. If that is in the trash, the model is too.
    pub project_id: Option<ProjectId>,
}

/// What projects, datasets and models have in common.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    pub id: ResourceId,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub visibility: Visibility,
    /// The bytes of its files; a project's are its models'.
    pub size_bytes: u64,
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    #[schemars(schema_with = "date_time")]
    pub updated_at: Timestamp,
    /// When it was put into the trash, if it is there.
    #[schemars(schema_with = "date_time_or_null")]
    pub trashed_at: Option<Timestamp>,
}

impl Common {
    /// Of something, in the trash since then or not.
    pub fn new(resource: &Resource, trashed_at: Option<Timestamp>) -> Self {
        Self {
            id: resource.id,
            slug: resource.slug.to_string(),
            name: resource.name.to_string(),
            description: text(resource.description.as_ref()),
            visibility: resource.visibility,
            size_bytes: resource.size_bytes,
            created_at: resource.created_at,
            updated_at: resource.updated_at,
            trashed_at,
        }
    }
}

/// A file of a dataset or a model: what is known of it, not what is in it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct File {
    pub id: UploadId,
    /// The dataset or the model.
    pub of: ResourceId,
    pub name: String,
    pub content_type: String,
    pub bytes: u64,
    /// When the upload was begun.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
}

impl From<Upload> for File {
    fn from(file: Upload) -> Self {
        Self {
            id: file.id,
            of: file.asset,
            name: file.name.to_string(),
            content_type: file.content_type.to_string(),
            bytes: file.bytes,
            created_at: file.begun_at,
        }
    }
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum Who {
    /// The person whose data these are, or a key of theirs.
    #[serde(rename = "you")]
    You,
    /// Somebody else, whose data are theirs.
    #[serde(rename = "a member")]
    Member,
}

/// A line of the history.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    pub id: EventId,
    #[schemars(schema_with = "date_time")]
    pub at: Timestamp,
    pub actor: Who,
    /// The key of yours that acted, if one did.
    pub key_id: Option<KeyId>,
    pub action: Action,
    pub resource_type: ResourceType,
    pub resource_id: Option<String>,
    /// What it was called then.
    pub resource_name: Option<String>,
    /// More, by type.
    pub metadata: Map<String, Value>,
    pub seen: bool,
    pub archived: bool,
}

impl Activity {
    /// A line as `user` sees it.
    pub fn new(event: Event, standing: Standing, user: UserId) -> Self {
        let Actor { user: actor, key } = event.actor;
        let is_own = actor == user;
        Self {
            at: event.at(),
            id: event.id,
            actor: if is_own { Who::You } else { Who::Member },
            key_id: key.filter(|_| is_own),
            action: event.action,
            resource_type: event.resource_type,
            resource_id: event.resource_id,
            resource_name: event.resource_name,
            metadata: event.metadata,
            seen: standing.seen,
            archived: standing.archived,
        }
    }
}

/// What sort of transaction it is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum TransactionType {
    /// The credit that the account began with.
    OpeningCredit,
}

/// A movement of the balance.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// What sort.
    pub r#type: TransactionType,
    /// How much, in millionths of a US dollar.
    #[schemars(with = "i64")]
    pub amount_micro_usd: MicroUsd,
    /// When.
    #[schemars(schema_with = "date_time")]
    pub at: Timestamp,
}

/// An API key, without its value.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub id: KeyId,
    pub name: String,
    /// The first characters of the value.
    pub prefix: String,
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self { id: key.id, name: key.name.to_string(), prefix: key.prefix, created_at: key.created_at }
    }
}

/// What is in the bundle, to be checked against.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// How bundles are laid out; this is the first way.
    pub format_version: u32,
    /// When the export was asked for: nothing in it is later.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// All files but this one.
    pub files: Vec<Listed>,
}

/// A file of the bundle.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// How many records it has, if it has records.
    pub rows: Option<u64>,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

fn date_time_or_null(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}
