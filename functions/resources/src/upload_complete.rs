//! `POST /api/upload/complete`: the file was sent; it counts from now on, with the length that is stored. Completing twice
//! answers the same.

use std::sync::Arc;

use domain::{
    activity::{Action, Event},
    blob::{BlobKey, Blobs},
    id::UploadId,
    policy::{Denied, EditsResources},
    ports::{Failure, Live, Resources, Saved, Uploads},
    role::Role,
    upload::{ContentType, State, Upload},
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Output, Ports, Problem, Spec, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::Missing;

/// Completes an upload.
pub struct UploadComplete;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
    uploads: Arc<dyn Uploads>,
    blobs: Arc<dyn Blobs>,
}

/// Which.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Form {
    /// What the upload was begun with.
    session_id: UploadId,
}

/// The file is there.
#[derive(Serialize, JsonSchema)]
pub struct Completed {
    success: bool,
    file: File,
}
impl Output for Completed {}

/// A file.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its bytes.
    size: u64,
    content_type: ContentType,
}

impl From<Upload> for Completed {
    fn from(upload: Upload) -> Self {
        Self { success: true, file: File { size: upload.bytes, content_type: upload.content_type } }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("nothing was sent")]
    NothingSent,
    #[error("it was not completed in time")]
    Over,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for UploadComplete {
    const SPEC: Spec = spec("upload-complete", Post, "/api/upload/complete")
        .summary("Say that a file was sent")
        .access(Access::KeyOr(Role::Editor))
        .problems(&[Code::UploadIncomplete, Code::Conflict, Code::NotFound])
        .grants(&[
            Grant::items("GetItem", Items::Uploads),
            Grant::items("GetItem", Items::Projects),
            Grant::items("GetItem", Items::Datasets),
            Grant::items("GetItem", Items::Models),
            Grant::items("PutItem", Items::Uploads),
            Grant::items("PutItem", Items::Files),
            Grant::items("PutItem", Items::Datasets),
            Grant::items("PutItem", Items::Models),
            Grant::items("PutItem", Items::Sizes),
            Grant::items("DeleteItem", Items::Sizes),
            Grant::items("UpdateItem", Items::Projects),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Events),
            Grant::files("ListBucket"),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Completed;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), uploads: ports.uploads(), blobs: ports.blobs() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        Body(form): Self::Input,
    ) -> Result<Completed, Error> {
        let proof = call.caller.edits_resources()?;
        loop {
            let before = deps.uploads.find(proof.workspace(), form.session_id).await?.ok_or(Missing)?;
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
            let alongside = call.alongside(Some(event(call, &proof, &live, &complete)), None, "");
            if deps.uploads.complete(&proof, &live, &before, &complete, call.now, alongside).await?
                == Saved::Yes
            {
                return Ok(complete.into());
            }
        }
    }
}

fn event(call: &Call<KeyOrMember>, proof: &EditsResources, live: &Live, file: &Upload) -> Event {
    let asset = &live.resource;
    let mut event =
        call.event(asset.workspace, proof.actor(), Action::Uploaded, asset.id.kind().in_history());
    event = event.about(asset.id, &asset.name);
    event.metadata.insert("file".to_owned(), file.name.to_string().into());
    event.metadata.insert("sizeBytes".to_owned(), file.bytes.into());
    event
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Missing(missing) => missing.into(),
            Error::NothingSent => Self::new(
                Code::UploadIncomplete,
                "The file is not there yet. Send it to the upload's URL first.",
            ),
            Error::Over => Self::new(Code::Conflict, "This upload was not completed in time. Begin another."),
            Error::Failed(failure) => failure.into(),
        }
    }
}
