//! Upload and file.  Table `resources`: PK `UPLOADS#<workspace>`  SK `<upload>`; PK `FILES#<dataset or model>`  SK
//! `<upload>`, once it is complete.
//! Reads: one upload (get), files of what is being removed (query), all strongly consistent.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::{UploadId, WorkspaceId},
    policy::EditsResources,
    ports::{Alongside, Begun, Failure, Live, Outcome, Saved, Uploads},
    resource::ResourceId,
    trash::Due,
    upload::Upload,
    usage::Difference,
};
use tables::Items;

use crate::{
    Store,
    item::{Item, Key, from_item, text, to_item},
    resources::{self, is_good_for, project_key},
    transaction::Condition,
    usage::Change,
};

pub fn key_of(workspace: WorkspaceId, id: UploadId) -> Key {
    Key::new(Items::Uploads, workspace, id.to_string())
}

pub fn file_key(asset: ResourceId, file: UploadId) -> Key {
    Key::new(Items::Files, asset, file.to_string())
}

fn upload_item(upload: &Upload) -> Outcome<(Key, Item)> {
    let key = key_of(upload.workspace, upload.id);
    Ok((key.clone(), to_item(&key, upload)?))
}

/// The upload was neither completed nor given up.
fn is_begun() -> Condition {
    Condition::of("#state = :begun", [(":begun", text("begun"))]).naming("#state", "state")
}

#[async_trait]
impl Uploads for Store {
    async fn begin(
        &self,
        proof: &EditsResources,
        live: &Live,
        upload: &Upload,
        limit: Option<u64>,
        alongside: Alongside,
    ) -> Outcome<Begun> {
        is_good_for(proof.workspace(), upload.workspace)?;
        let asset = resources::key_of(upload.workspace, upload.asset);
        let mut transaction = self.transaction();
        for key in [Some(asset), project_key(&live.resource)].into_iter().flatten() {
            transaction = transaction.check("asset", &key, Condition::present());
        }
        let promised = Change::new(Difference::promised(upload.bytes), upload.begun_at);
        let (key, item) = upload_item(upload)?;
        let transaction = transaction
            .count(upload.workspace, promised.within("committed_bytes", limit))
            .put("upload", &key, item, Condition::absent())
            .due(&Due::sweep(upload))?
            .alongside(alongside)?;
        Ok(match transaction.commit().await? {
            None => Begun::Yes,
            Some("asset") => Begun::Gone,
            Some("usage") => Begun::LimitReached,
            Some(label) => return Err(Failure::Broken(format!("a random {label} exists already"))),
        })
    }

    async fn find(&self, workspace: WorkspaceId, id: UploadId) -> Outcome<Option<Upload>> {
        self.upload(workspace, id).await
    }

    async fn complete(
        &self,
        proof: &EditsResources,
        live: &Live,
        before: &Upload,
        complete: &Upload,
        now: Timestamp,
        alongside: Alongside,
    ) -> Outcome<Saved> {
        let asset = &live.resource;
        is_good_for(proof.workspace(), before.workspace)?;
        is_good_for(proof.workspace(), asset.workspace)?;
        // What was promised is stored; if it is not as much as was promised, that changes too.
        let difference = Difference::stored(asset.id.kind(), complete.bytes)
            .and(Difference::promised(complete.bytes))
            .and(Difference::promised(before.bytes).undone());
        let (key, item) = upload_item(complete)?;
        let file = file_key(asset.id, complete.id);
        let transaction = self
            .transaction()
            .put("upload", &key, item, is_begun())
            .put("file", &file, to_item(&file, complete)?, Condition::none())
            .grow(asset, complete.bytes, now)?
            .count(asset.workspace, Change::new(difference, now))
            .alongside(alongside)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }
}

impl Store {
    pub(crate) async fn upload(&self, workspace: WorkspaceId, id: UploadId) -> Outcome<Option<Upload>> {
        self.get(key_of(workspace, id)).await?.map(from_item).transpose()
    }

    /// Says that an upload was never completed, and frees its bytes; whether it was still waiting.
    pub(crate) async fn sweep(&self, swept: &Upload, now: Timestamp) -> Outcome<bool> {
        let (key, item) = upload_item(swept)?;
        let freed = Change::new(Difference::promised(swept.bytes).undone(), now);
        let transaction =
            self.transaction().put("upload", &key, item, is_begun()).count(swept.workspace, freed);
        Ok(transaction.commit().await?.is_none())
    }
}
