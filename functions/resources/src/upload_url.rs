//! `POST /api/upload/signed-url`: where to send a file of a dataset or model. The URL takes exactly this type and length,
//! once, for an hour; the bytes are promised until the upload is completed, or a day is over.

use std::sync::Arc;

use domain::{
    Timestamp,
    blob::{BlobKey, PresignedPut, Presigner},
    id::{OfUpload, UploadId},
    policy::Denied,
    ports::{Begun, Failure, Resources, Uploads, Workspaces},
    resource::{Kind, ResourceId},
    role::Role,
    text::Invalid,
    upload::{self, ContentType, FileName, State, TooLarge, Upload},
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Output, Ports, Problem, RateClass, Spec,
    spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::Missing;

/// Begins an upload.
pub struct UploadUrl;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
    uploads: Arc<dyn Uploads>,
    workspaces: Arc<dyn Workspaces>,
    presigner: Arc<dyn Presigner>,
}

/// What a file can belong to.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AssetType {
    Datasets,
    Models,
}

/// The file to send.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Form {
    asset_type: AssetType,
    /// The dataset or model that it belongs to.
    asset_id: ResourceId,
    /// Its name, without folders. Names may repeat: each upload is a file of its own.
    filename: FileName,
    /// Its media type.
    content_type: ContentType,
    /// Its length: at least 1, and at most 5 GiB or what the plan takes.
    #[schemars(range(min = 1, max = 50_000_000_000_u64))]
    #[serde(deserialize_with = "length")]
    total_bytes: u64,
}

/// Where to send it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// What the upload is completed with.
    session_id: UploadId,
    /// Where to `PUT` the file, once.
    upload_url: String,
    /// The headers to send along, as they are.
    headers: std::collections::BTreeMap<String, String>,
    /// Until then the URL is good.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
}
impl Output for Place {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the id is not of that type")]
    OtherType,
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the plan has no room")]
    LimitReached,
    #[error("the URL of this upload is no longer good")]
    Over,
    #[error("the caller's workspace is gone")]
    Refused(#[from] Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for UploadUrl {
    const SPEC: Spec = spec("upload-url", Post, "/api/upload/signed-url")
        .summary("Begin the upload of a file")
        .access(Access::KeyOr(Role::Editor))
        .class(RateClass::Upload)
        .once()
        .problems(&[Code::PlanLimitReached, Code::Conflict, Code::NotFound])
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Projects),
            Grant::items("GetItem", Items::Datasets),
            Grant::items("GetItem", Items::Models),
            Grant::items("GetItem", Items::Uploads),
            Grant::items("ConditionCheckItem", Items::Projects),
            Grant::items("ConditionCheckItem", Items::Datasets),
            Grant::items("ConditionCheckItem", Items::Models),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Uploads),
            Grant::items("PutItem", Items::Due),
            Grant::items("PutItem", Items::Receipts),
            Grant::files("PutObject"),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Place;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            resources: ports.resources(),
            uploads: ports.uploads(),
            workspaces: ports.workspaces(),
            presigner: ports.presigner(),
        }
    }

    async fn handle(deps: &Deps, call: &Call<KeyOrMember>, Body(form): Self::Input) -> Result<Place, Error> {
        let proof = call.caller.edits_resources()?;
        if let Some(id) = call.made_before::<UploadId>() {
            let begun = deps.uploads.find(proof.workspace(), id).await?.ok_or(Error::Over)?;
            return place(deps, call.now, &begun);
        }
        let kind = form.kind()?;
        let limits = call.caller.workspace_record(&*deps.workspaces).await?.plan.limits();
        upload::fits(kind, form.total_bytes, limits)?;
        let live = deps.resources.find(proof.workspace(), form.asset_id).await?.ok_or(Missing)?;
        let begun = Upload {
            id: call.id::<OfUpload>(),
            workspace: proof.workspace(),
            asset: form.asset_id,
            name: form.filename,
            content_type: form.content_type,
            bytes: form.total_bytes,
            by: proof.actor(),
            begun_at: call.now,
            state: State::Begun,
        };
        let alongside = call.alongside(None, None, begun.id);
        match deps.uploads.begin(&proof, &live, &begun, limits.storage_bytes, alongside).await? {
            Begun::Yes => place(deps, call.now, &begun),
            Begun::LimitReached => Err(Error::LimitReached),
            Begun::Gone => Err(Missing.into()),
        }
    }
}

impl Form {
    fn kind(&self) -> Result<Kind, Error> {
        match (self.asset_type, self.asset_id.kind()) {
            (AssetType::Datasets, Kind::Dataset) | (AssetType::Models, Kind::Model) => {
                Ok(self.asset_id.kind())
            }
            _ => Err(Error::OtherType),
        }
    }
}

/// Signs the URL. Asked again with the same `Idempotency-Key`, it is good no longer than the first.
fn place(deps: &Deps, now: Timestamp, begun: &Upload) -> Result<Place, Error> {
    let left = begun.sent_within(now).ok_or(Error::Over)?;
    let key = BlobKey::of_upload(begun.workspace, begun.id);
    let PresignedPut { url, headers, expires_at } =
        deps.presigner.put(&key, begun.content_type.as_str(), begun.bytes, now, left)?;
    Ok(Place { session_id: begun.id, upload_url: url, headers: headers.into_iter().collect(), expires_at })
}

/// A whole number, also written as `5.0`: JSON does not tell the difference.
fn length<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let invalid = || serde::de::Error::custom("It must be a whole number from 1 to 50000000000.");
    let number = serde_json::Number::deserialize(from).map_err(|_| invalid())?;
    let whole = number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
    whole.filter(|length| (1..=50_000_000_000).contains(length)).ok_or_else(invalid)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::OtherType => {
                Self::field("assetId", &Invalid::new("It must be the id of what assetType says."))
            }
            Error::Missing(missing) => missing.into(),
            Error::TooLarge(TooLarge::ForOneRequest) => Self::field(
                "totalBytes",
                &Invalid::new("A file may have 5 GiB (5368709120 bytes) at the most. Split it up."),
            ),
            Error::TooLarge(TooLarge::ForPlan) | Error::LimitReached => Self::plan_limit_reached(),
            Error::Over => Self::new(Code::Conflict, "This upload is over. Begin another, with another key."),
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
