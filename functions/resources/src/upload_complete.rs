//! `POST /api/upload/complete`: completes an upload. The file counts from now on with its stored size. Idempotent.

use std::sync::Arc;

use domain::{
    activity::{Action, ActivityEvent},
    blob::{BlobKey, Blobs},
    id::{RequestedId, UploadId},
    permissions::EditsResources,
    ports::{Failure, Live, Resources, Rounds, Saved, Uploads},
    role::Role,
    upload::{ContentType, State, Upload},
};
use kit::{
    Access, Body, Code, Editor, Endpoint, Output, Ports, Problem, RequestContext, Spec,
    grants::{blobs, extras, resources, uploads},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::Missing;

/// Completes an upload.
pub struct UploadComplete;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
    uploads: Arc<dyn Uploads>,
    blobs: Arc<dyn Blobs>,
}

/// The upload to complete.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UploadCompleteBody {
    /// The `sessionId` of the upload.
    session_id: RequestedId<UploadId>,
}

/// The upload is complete.
#[derive(Serialize, JsonSchema)]
pub struct CompletedUpload {
    success: bool,
    file: UploadedFile,
}
impl Output for CompletedUpload {}

/// A file.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedFile {
    /// Size in bytes.
    size: u64,
    content_type: ContentType,
}

impl From<Upload> for CompletedUpload {
    fn from(upload: Upload) -> Self {
        Self { success: true, file: UploadedFile { size: upload.bytes, content_type: upload.content_type } }
    }
}

kit::errors! {
    pub enum Error from Missing, Failure {
        /// The file was not sent.
        NothingSent => Problem::new(
            Code::UploadIncomplete,
            "The file is not uploaded yet. Send the file to `uploadUrl` first.",
        ),
        /// The upload was not completed in time.
        Over => Problem::new(Code::Conflict, "This upload expired. Start a new one."),
    }
}

impl Endpoint for UploadComplete {
    const SPEC: Spec = spec("upload-complete", Post, "/api/upload/complete")
        .summary("Complete an upload")
        .access(Access::key_or_member(Role::Editor))
        .problems(&[Code::UploadIncomplete, Code::Conflict, Code::NotFound])
        .uses(&[uploads::FIND, resources::FIND, blobs::STORED_LENGTH, uploads::COMPLETE, extras::EVENT]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = Body<UploadCompleteBody>;
    type Output = CompletedUpload;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), uploads: ports.uploads(), blobs: ports.blobs() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        Body(form): Self::Input,
    ) -> Result<CompletedUpload, Error> {
        let proof = &call.caller.proof;
        let id = form.session_id.known().ok_or(Missing)?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let before = deps.uploads.find(proof.workspace(), id).await?.ok_or(Missing)?;
            if before.state == State::Complete {
                return Ok(before.into());
            }
            if !before.is_open(call.now) {
                return Err(Error::Over);
            }
            let key = BlobKey::of_upload(before.workspace, before.id);
            let (live, stored) = futures::try_join!(
                deps.resources.find(proof.workspace(), before.asset),
                deps.blobs.stored_length(&key)
            )?;
            let (live, bytes) = (live.ok_or(Missing)?, stored.ok_or(Error::NothingSent)?);
            let complete = Upload { bytes, state: State::Complete, ..before.clone() };
            let extras = call.extras(Some(event(call, proof, &live, &complete)), None, "");
            if deps.uploads.complete(proof, &live, &before, &complete, call.now, extras).await? == Saved::Yes
            {
                return Ok(complete.into());
            }
        }
    }
}

fn event(call: &RequestContext<Editor>, proof: &EditsResources, live: &Live, file: &Upload) -> ActivityEvent {
    let asset = &live.resource;
    let mut event =
        call.event(asset.workspace, proof.actor(), Action::Uploaded, asset.id.kind().in_history());
    event = event.about(asset.id, &asset.name);
    event.metadata.insert("file".to_owned(), file.name.to_string().into());
    event.metadata.insert("sizeBytes".to_owned(), file.bytes.into());
    event
}
