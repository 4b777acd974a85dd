//! `GET /api/gdpr?jobId=`: how far an export or a deletion is. Of an export that is done: where to fetch the bundle, for an
//! hour; a link is made anew whenever it is asked for, and kept nowhere.

use std::sync::Arc;

use domain::{
    Timestamp,
    blob::{BlobKey, BundleLinks, Presigner},
    deletion::Deletion,
    export::{Export, LINKED},
    id::JobId,
    job::Status as Progress,
    ports::{Deletions, Exports, Failure},
};
use kit::{
    Access, Call, Code, Endpoint, Grant, Items, Output, Params, Person, Ports, Problem, Spec, spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::Action;

/// Says how far a job is.
pub struct ReadStatus;

/// What it works with.
pub struct Deps {
    exports: Arc<dyn Exports>,
    deletions: Arc<dyn Deletions>,
    presigner: Arc<dyn Presigner>,
}

/// Which job.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Wanted {
    /// The id that the request was answered with.
    job_id: JobId,
}

/// A job.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    job_id: JobId,
    action: Action,
    status: Progress,
    /// Percent, as far as can be told.
    progress: u8,
    /// Where to `GET` the bundle, whole or in ranges. Whoever has it has the bundle: tell nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    download_url: Option<String>,
    /// The same for `HEAD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_url: Option<String>,
    /// Until then the URLs are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Option<Timestamp>,
    /// The bundle's length.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    bytes: Option<u64>,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// When it was done, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    completed_at: Option<Timestamp>,
}
impl Output for Status {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("no such job of this user")]
    Missing,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for ReadStatus {
    const SPEC: Spec = spec("gdpr-status", Get, "/api/gdpr")
        .summary("Read how far an export or a deletion is, and where to fetch the bundle")
        .access(Access::Person)
        .problems(&[Code::NotFound])
        .grants(&[Grant::items("GetItem", Items::Jobs), Grant::bundles("GetObject")]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<Wanted>;
    type Output = Status;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { exports: ports.exports(), deletions: ports.deletions(), presigner: ports.presigner() }
    }

    async fn handle(deps: &Deps, call: &Call<Person>, Params(wanted): Self::Input) -> Result<Status, Error> {
        let user = call.caller.session.user;
        if let Some(export) = deps.exports.find(user, wanted.job_id).await? {
            let status = Status::from(&export);
            return if export.is_available(call.now) {
                Ok(status.with(links(deps, call, &export)?))
            } else {
                Ok(status)
            };
        }
        let deletion = deps.deletions.find(user, wanted.job_id).await?;
        deletion.as_ref().map(Status::from).ok_or(Error::Missing)
    }
}

fn links(deps: &Deps, call: &Call<Person>, export: &Export) -> Result<BundleLinks, Failure> {
    deps.presigner.get(&BlobKey::of_export(export), &export.filename(), call.now, LINKED)
}

impl Status {
    fn with(self, links: BundleLinks) -> Self {
        let BundleLinks { get, head, expires_at } = links;
        Self { download_url: Some(get), head_url: Some(head), expires_at: Some(expires_at), ..self }
    }
}

impl From<&Export> for Status {
    fn from(export: &Export) -> Self {
        Self {
            job_id: export.id,
            action: Action::Export,
            status: export.status,
            progress: export.progress,
            download_url: None,
            head_url: None,
            expires_at: None,
            bytes: (export.status == Progress::Completed).then_some(export.bytes),
            created_at: export.created_at,
            completed_at: export.ended_at,
        }
    }
}

impl From<&Deletion> for Status {
    fn from(deletion: &Deletion) -> Self {
        Self {
            job_id: deletion.id,
            action: Action::Delete,
            status: deletion.status,
            progress: deletion.progress(),
            download_url: None,
            head_url: None,
            expires_at: None,
            bytes: None,
            created_at: deletion.created_at,
            completed_at: deletion.ended_at,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing => Self::not_found(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
