//! Upload and file.  Table `resources`: PK `UPLOADS#<workspace>`  SK `<upload>`; PK `FILES#<dataset or model>`  SK
//! `<upload>`, once it is complete.
//! Reads: one upload (get), files of a running removal (query), all strongly consistent.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::{UploadId, WorkspaceId},
    permissions::EditsResources,
    ports::{Begun, Failure, Live, Outcome, Saved, TransactionExtras, Uploads},
    resource::ResourceId,
    trash::Due,
    upload::Upload,
    usage::Difference,
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, text, to_item},
    resources::{self, ensure_same_workspace, project_key},
    transaction::Condition,
    usage::UsageChange,
};

pub fn key_of(workspace: WorkspaceId, id: UploadId) -> Key {
    Key::new(ItemKind::Uploads, workspace, id.to_string())
}

pub fn file_key(asset: ResourceId, file: UploadId) -> Key {
    Key::new(ItemKind::Files, asset, file.to_string())
}

fn upload_item(upload: &Upload) -> Outcome<(Key, Item)> {
    let key = key_of(upload.workspace, upload.id);
    Ok((key.clone(), to_item(&key, upload)?))
}

/// The upload is neither complete nor swept.
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
        extras: TransactionExtras,
    ) -> Outcome<Begun> {
        ensure_same_workspace(proof.workspace(), upload.workspace)?;
        let asset = resources::key_of(upload.workspace, upload.asset);
        let mut transaction = self.transaction();
        for key in [Some(asset), project_key(&live.resource)].into_iter().flatten() {
            transaction = transaction.check("asset", &key, Condition::present());
        }
        let promised = UsageChange::new(Difference::promised(upload.bytes), upload.begun_at);
        let (key, item) = upload_item(upload)?;
        let transaction = transaction
            .count(upload.workspace, promised.within("committed_bytes", limit))
            .put("upload", &key, item, Condition::absent())
            .due(&Due::sweep(upload))?
            .extras(extras)?;
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
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let asset = &live.resource;
        ensure_same_workspace(proof.workspace(), before.workspace)?;
        ensure_same_workspace(proof.workspace(), asset.workspace)?;
        // The reserved bytes become stored bytes, and a difference between them is corrected.
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
            .count(asset.workspace, UsageChange::new(difference, now))
            .extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }
}

impl Store {
    pub(crate) async fn upload(&self, workspace: WorkspaceId, id: UploadId) -> Outcome<Option<Upload>> {
        self.get(key_of(workspace, id)).await?.map(from_item).transpose()
    }

    /// Marks an upload as swept and frees its reserved bytes. Returns whether it was still pending.
    pub(crate) async fn sweep(&self, swept: &Upload, now: Timestamp) -> Outcome<bool> {
        let (key, item) = upload_item(swept)?;
        let freed = UsageChange::new(Difference::promised(swept.bytes).undone(), now);
        let transaction =
            self.transaction().put("upload", &key, item, is_begun()).count(swept.workspace, freed);
        Ok(transaction.commit().await?.is_none())
    }
}
