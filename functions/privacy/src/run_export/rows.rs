//! The records of a bundle, a type each. The schemas in the bundle are generated from these types, so a new field is described
//! there. No type here can hold a key's value, a hash, a secret, or another person's name or address.

mod account;
mod billing;
mod wallet;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, EventState, ResourceType},
    api_key::ApiKey,
    id::{EventId, KeyId, ProjectId, UploadId, UserId},
    resource::{Resource, ResourceId, Visibility},
    upload::{State, Upload},
};
use kit::input::date_time;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

pub use account::{Account, AccountLists, SessionRow};
pub use billing::BillingRow;
pub use wallet::{TransactionRow, WalletRow};

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A project.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// The common fields.
    #[serde(flatten)]
    pub common: Common,
    /// The number of models in the project.
    pub models: u64,
}

/// A dataset, without the content of its files.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// The common fields.
    #[serde(flatten)]
    pub common: Common,
}

/// A model, without its weights.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The common fields.
    #[serde(flatten)]
    pub common: Common,
    /// The model's project. If the project is in the trash, so is the model.
    pub project_id: Option<ProjectId>,
}

/// The common fields of projects, datasets and models.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    pub id: ResourceId,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub visibility: Visibility,
    /// The bytes of its files; for a project, those of its models' files.
    pub size_bytes: u64,
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    #[schemars(schema_with = "date_time")]
    pub updated_at: Timestamp,
    /// Time when it was put into the trash, if it is there.
    #[schemars(schema_with = "date_time_or_null")]
    pub trashed_at: Option<Timestamp>,
}

impl Common {
    /// The common fields of a resource, and the time when it was put into the trash.
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

/// The metadata of a file of a dataset or a model, without its content.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "File")]
pub struct FileRow {
    pub id: UploadId,
    /// The dataset or the model.
    pub of: ResourceId,
    pub name: String,
    pub content_type: String,
    pub bytes: u64,
    /// Time when the upload was started.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
}

impl From<Upload> for FileRow {
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

/// The status of an incomplete upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum UploadStatus {
    /// The upload can still be completed.
    Begun,
    /// The upload expired, and the bytes that were sent are removed.
    Expired,
}

/// An incomplete upload: the file's metadata. Nothing here authorizes sending the file.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BegunUpload {
    pub id: UploadId,
    /// The dataset or the model that the file was for.
    pub of: ResourceId,
    pub name: String,
    pub content_type: String,
    pub bytes: u64,
    pub status: UploadStatus,
    /// Time when the upload was started.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// Time until which the upload can be completed.
    #[schemars(schema_with = "date_time")]
    pub expires_at: Timestamp,
}

impl BegunUpload {
    /// `None` if the upload was completed: then it is a file.
    pub fn of(upload: Upload, now: Timestamp) -> Option<Self> {
        let status = if upload.is_open(now) { UploadStatus::Begun } else { UploadStatus::Expired };
        (upload.state != State::Complete).then(|| Self {
            id: upload.id,
            of: upload.asset,
            name: upload.name.to_string(),
            content_type: upload.content_type.to_string(),
            bytes: upload.bytes,
            status,
            created_at: upload.begun_at,
            expires_at: upload.swept_at(),
        })
    }
}

/// The actor of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum Who {
    /// The person that the data belongs to, or an API key of that person.
    #[serde(rename = "you")]
    You,
    /// Another person, whose data is not exported.
    #[serde(rename = "a member")]
    Member,
}

/// An event in the history.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    pub id: EventId,
    #[schemars(schema_with = "date_time")]
    pub at: Timestamp,
    pub actor: Who,
    /// Your API key that acted, if a key acted.
    pub key_id: Option<KeyId>,
    pub action: Action,
    pub resource_type: ResourceType,
    pub resource_id: Option<String>,
    /// Its name at that time.
    pub resource_name: Option<String>,
    /// Details, by type of event.
    pub metadata: Map<String, Value>,
    pub seen: bool,
    pub archived: bool,
}

impl Activity {
    /// An event as `user` sees it.
    pub fn new(event: ActivityEvent, standing: EventState, user: UserId) -> Self {
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

/// An API key, without its value.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRow {
    pub id: KeyId,
    pub name: String,
    /// The first characters of the value.
    pub prefix: String,
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
}

impl From<ApiKey> for KeyRow {
    fn from(key: ApiKey) -> Self {
        Self { id: key.id, name: key.name.to_string(), prefix: key.prefix, created_at: key.created_at }
    }
}

/// The list of the bundle's files, to check the bundle against.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of the bundle's layout.
    pub format_version: u32,
    /// Time of the request. Nothing in the bundle is later.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// All files except this one.
    pub files: Vec<ManifestFile>,
}

/// A file of the bundle.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Listed")]
pub struct ManifestFile {
    /// Its name.
    pub name: String,
    /// The number of its records, if it has records.
    pub rows: Option<u64>,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

fn date_time_or_null(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}
