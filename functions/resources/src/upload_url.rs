//! `POST /api/upload/signed-url`: starts the upload of a file to a dataset or model. The URL accepts exactly this media
//! type and size, once, for an hour. The bytes are reserved until the upload is completed or a day has passed.

use std::sync::Arc;

use domain::{
    Timestamp,
    blob::{BlobKey, PresignedPut, Presigner},
    id::{OfUpload, RequestedId, UploadId},
    ports::{Begun, Failure, Resources, Uploads, Workspaces},
    resource::{Kind, ResourceId},
    role::Role,
    text::Invalid,
    upload::{self, ContentType, FileName, State, TooLarge, Upload},
};
use kit::{
    Access, Body, Code, Editor, Endpoint, NoWorkspace, Output, Ports, Problem, RateClass, RequestContext,
    Spec,
    grants::{presigner, resources, uploads, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::Missing;

/// Starts an upload.
pub struct UploadUrl;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
    uploads: Arc<dyn Uploads>,
    workspaces: Arc<dyn Workspaces>,
    presigner: Arc<dyn Presigner>,
}

/// A resource type that has files.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AssetType {
    Datasets,
    Models,
}

/// The file to upload.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UploadUrlBody {
    asset_type: AssetType,
    /// The dataset or model that the file belongs to.
    asset_id: RequestedId<ResourceId>,
    /// File name without folders. Need not be unique: each upload creates a new file.
    filename: FileName,
    /// Media type, with or without parameters. The `headers` of the response contain the exact value to send.
    content_type: ContentType,
    /// Size in bytes: at most 5 GiB, or the limit of the plan.
    #[schemars(range(max = 50_000_000_000_u64))]
    #[serde(deserialize_with = "length")]
    total_bytes: u64,
}

/// Instructions for sending the file.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadTicket {
    /// The id for completing the upload.
    session_id: UploadId,
    /// The URL for one `PUT` request with the file.
    upload_url: String,
    /// Headers to send unchanged with the file.
    headers: std::collections::BTreeMap<String, String>,
    /// Expiry of the URL.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
}
impl Output for UploadTicket {}

kit::errors! {
    pub enum Error from Missing, NoWorkspace, Failure {
        /// The file exceeds the length that one request can send.
        TooLarge => Problem::field(
            "totalBytes",
            &Invalid::new("The file must not exceed 5 GiB (5368709120 bytes). Split the file."),
        ),
        /// The plan's limit is reached.
        LimitReached => Problem::new(
            Code::PlanLimitReached,
            "The file does not fit into your plan's storage. Permanently delete something, or complete the uploads that you started: each reserves its bytes for a day.",
        ),
        /// The URL of this upload is no longer good.
        Over => Problem::new(Code::Conflict, "This upload expired. Start a new one with a new Idempotency-Key."),
    }
}

impl From<TooLarge> for Error {
    fn from(error: TooLarge) -> Self {
        match error {
            TooLarge::ForOneRequest => Self::TooLarge,
            TooLarge::ForPlan => Self::LimitReached,
        }
    }
}

impl Endpoint for UploadUrl {
    const SPEC: Spec = spec("upload-url", Post, "/api/upload/signed-url")
        .summary("Start an upload")
        .access(Access::key_or_member(Role::Editor))
        .rate_class(RateClass::Upload)
        .once()
        .problems(&[Code::PlanLimitReached, Code::Conflict, Code::NotFound])
        .uses(&[workspaces::FIND, resources::FIND, uploads::FIND, uploads::BEGIN, presigner::PUT]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = Body<UploadUrlBody>;
    type Output = UploadTicket;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            resources: ports.resources(),
            uploads: ports.uploads(),
            workspaces: ports.workspaces(),
            presigner: ports.presigner(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        Body(form): Self::Input,
    ) -> Result<UploadTicket, Error> {
        let proof = &call.caller.proof;
        if let Some(id) = call.made_before::<UploadId>() {
            let begun = deps.uploads.find(proof.workspace(), id).await?.ok_or(Error::Over)?;
            return ticket(deps, call.now, &begun);
        }
        let asset = form.asset()?;
        let entitlements = call.caller.who.workspace_record(&*deps.workspaces).await?.entitlements(call.now);
        upload::fits(asset.kind(), form.total_bytes, entitlements)?;
        let live = deps.resources.find(proof.workspace(), asset).await?.ok_or(Missing)?;
        let begun = Upload {
            id: call.id::<OfUpload>(),
            workspace: proof.workspace(),
            asset,
            name: form.filename,
            content_type: form.content_type,
            bytes: form.total_bytes,
            by: proof.actor(),
            begun_at: call.now,
            state: State::Begun,
        };
        let extras = call.extras(None, None, begun.id);
        match deps.uploads.begin(proof, &live, &begun, entitlements.storage_bytes, extras).await? {
            Begun::Yes => ticket(deps, call.now, &begun),
            Begun::LimitReached => Err(Error::LimitReached),
            Begun::Gone => Err(Missing.into()),
        }
    }
}

impl UploadUrlBody {
    /// The resource of the file. A resource of another type counts as missing.
    fn asset(&self) -> Result<ResourceId, Missing> {
        let kind = match self.asset_type {
            AssetType::Datasets => Kind::Dataset,
            AssetType::Models => Kind::Model,
        };
        self.asset_id.known().filter(|id| id.kind() == kind).ok_or(Missing)
    }
}

/// Signs the URL. A retry with the same `Idempotency-Key` gets a URL with the same expiry.
fn ticket(deps: &Deps, now: Timestamp, begun: &Upload) -> Result<UploadTicket, Error> {
    let left = begun.sent_within(now).ok_or(Error::Over)?;
    let key = BlobKey::of_upload(begun.workspace, begun.id);
    let PresignedPut { url, headers, expires_at } =
        deps.presigner.put(&key, begun.content_type.as_str(), begun.bytes, now, left)?;
    Ok(UploadTicket {
        session_id: begun.id,
        upload_url: url,
        headers: headers.into_iter().collect(),
        expires_at,
    })
}

/// Reads an integer, also in the form `5.0`, which JSON does not distinguish.
fn length<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let invalid = || serde::de::Error::custom("Use a whole number from 0 to 50000000000.");
    let number = serde_json::Number::deserialize(from).map_err(|_| invalid())?;
    let whole = number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
    whole.filter(|length| *length <= 50_000_000_000).ok_or_else(invalid)
}
