//! `GET /api/gdpr?jobId=`: returns the status of an export or a deletion, and download links for a completed export.
//! Links are valid for an hour; each request creates new links, which are not stored. Only a stepped-up session gets links: a bundle
//! is everything that the account holds, and its job id is in the activity.
//!
//! The deletion of a team runs in the team's region, which answers an owner whose home is another region.

use std::sync::Arc;

use domain::{
    Timestamp,
    blob::{BlobKey, BundleLinks, Presigner},
    deletion::Deletion,
    export::{Export, Format, LINKED},
    id::{JobId, RequestedId, UserId},
    job::Status,
    ports::{Deletions, Exports, Failure, Outcome},
    region::Region,
};
use kit::{
    Access, AnyPerson, Code, Endpoint, Output, Params, Person, Ports, Prefetched, Problem, RequestContext,
    Spec, TokenIds,
    grants::{deletions, exports, presigner},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{elsewhere::JobElsewhere, request::PrivacyAction};

/// Returns the status of a job.
pub struct ReadStatus;

/// Dependencies.
pub struct Deps {
    exports: Arc<dyn Exports>,
    deletions: Arc<dyn Deletions>,
    presigner: Arc<dyn Presigner>,
}

/// The job to show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JobQuery {
    /// The job id from the response to the request.
    job_id: RequestedId<JobId>,
    /// The region of the job, as the response to the request says. Without it, the caller's home.
    #[serde(default)]
    region: Option<Region>,
}

/// An export or deletion job.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    job_id: JobId,
    action: PrivacyAction,
    status: Status,
    /// Estimated progress in percent.
    progress: u8,
    /// Format of the bundle. Absent for deletions.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    /// The URL for downloading the bundle, completely or in ranges. The URL grants access to the bundle: keep the URL secret.
    /// Present for a completed export if the session is stepped up. Otherwise confirm the password and ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    download_url: Option<String>,
    /// The URL for a `HEAD` request for the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_url: Option<String>,
    /// Expiry of the URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Option<Timestamp>,
    /// Size of the bundle in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    bytes: Option<u64>,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// Time at which the job completed or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    completed_at: Option<Timestamp>,
}
impl Output for JobStatus {}

kit::errors! {
    pub enum Error from Failure {
        /// The user has no such job.
        Missing => Problem::not_found(),
        /// The job is in another region.
        Elsewhere(job: JobElsewhere) => job,
        /// The session has ended.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for ReadStatus {
    const SPEC: Spec = spec("gdpr-status", Get, "/api/gdpr")
        .summary("Get the status of an export or deletion")
        .access(Access::person())
        .answers_deleted()
        .problems(&[Code::NotFound])
        .uses(&[exports::FIND, deletions::FIND, presigner::GET]);
    type Caller = AnyPerson;
    type Deps = Deps;
    type Input = Prefetched<Params<JobQuery>, Job>;
    type Output = JobStatus;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { exports: ports.exports(), deletions: ports.deletions(), presigner: ports.presigner() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if let (Some(id), None) = (query.job_id.known(), query.region) {
            early.read(find(deps, ids.user, id)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<AnyPerson>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<JobStatus, Error> {
        let id = query.job_id.known().ok_or(Error::Missing)?;
        let (user, may_download) = match &call.caller {
            AnyPerson::Person(Person { session, .. }) => {
                if let Some(region) = query.region.filter(|region| *region != call.region) {
                    return Err(Error::Elsewhere(JobElsewhere::new(region, session, call.region, call.now)));
                }
                (session.user, session.is_stepped_up(call.now))
            }
            // This region has no exports of the person.
            AnyPerson::Guest(guest) => (guest.user, false),
            AnyPerson::Deleted(deleted) if deleted.job == id => (deleted.user, false),
            AnyPerson::Deleted(_) => return Err(Error::Ended),
        };
        let (export, deletion) = early.or_read(find(deps, user, id)).await?;
        match export {
            Some(export) if may_download && export.is_available(call.now) => {
                Ok(JobStatus::from(&export).with(links(deps, call, &export)?))
            }
            Some(export) => Ok(JobStatus::from(&export)),
            None => deletion.as_ref().map(JobStatus::from).ok_or(Error::Missing),
        }
    }
}

/// The export or the deletion with an id.
type Job = (Option<Export>, Option<Deletion>);

async fn find(deps: &Deps, user: UserId, id: JobId) -> Outcome<Job> {
    match deps.exports.find(user, id).await? {
        Some(export) => Ok((Some(export), None)),
        None => Ok((None, deps.deletions.find(user, id).await?)),
    }
}

fn links(deps: &Deps, call: &RequestContext<AnyPerson>, export: &Export) -> Result<BundleLinks, Failure> {
    deps.presigner.get(&BlobKey::of_export(export), &export.filename(), call.now, LINKED)
}

impl JobStatus {
    fn with(self, links: BundleLinks) -> Self {
        let BundleLinks { get, head, expires_at } = links;
        Self { download_url: Some(get), head_url: Some(head), expires_at: Some(expires_at), ..self }
    }
}

impl From<&Export> for JobStatus {
    fn from(export: &Export) -> Self {
        Self {
            job_id: export.id,
            action: PrivacyAction::Export,
            status: export.status,
            progress: export.progress,
            format: Some(export.format),
            download_url: None,
            head_url: None,
            expires_at: None,
            bytes: (export.status == Status::Completed).then_some(export.bytes),
            created_at: export.created_at,
            completed_at: export.ended_at,
        }
    }
}

impl From<&Deletion> for JobStatus {
    fn from(deletion: &Deletion) -> Self {
        Self {
            job_id: deletion.id,
            action: PrivacyAction::Delete,
            status: deletion.status,
            progress: deletion.progress(),
            format: None,
            download_url: None,
            head_url: None,
            expires_at: None,
            bytes: None,
            created_at: deletion.created_at,
            completed_at: deletion.ended_at,
        }
    }
}
