//! Running removal.  Table `resources`: PK `PURGES#<workspace>`  SK `<id>`.
//! Reads: one (get, strongly consistent).
//! Writes: a put when a resource leaves the trash permanently; batches that may be repeated delete its contents, and a delete at the
//! end.

use async_trait::async_trait;
use domain::{
    Timestamp,
    domain_events::Message,
    id::{ModelId, ProjectId, UploadId, WorkspaceId},
    ports::{Failure, Outcome, Page, Purges},
    resource::{Position, Resource, ResourceId},
    trash::{Due, Purge},
    upload::{State, Upload},
};
use tables::ItemKind;

use crate::{
    client::Store,
    due,
    failure::failure,
    item::{Item, Key, from_item, to_item},
    lists::{place, sort_key},
    outbox,
    resources::{group_sk, key_of, size_key, slug_key},
    uploads,
};

fn purge_key(workspace: WorkspaceId, root: ResourceId) -> Key {
    Key::new(ItemKind::Purges, workspace, root.to_string())
}

pub fn purge_item(purge: &Purge) -> Outcome<(Key, Item)> {
    let key = purge_key(purge.workspace, purge.root);
    Ok((key.clone(), to_item(&key, purge)?))
}

#[async_trait]
impl Purges for Store {
    async fn due(&self, part: u8, now: Timestamp, after: Option<Due>, limit: usize) -> Outcome<Page<Due>> {
        self.due_in(part, now, after, limit).await
    }

    async fn settle(&self, due: &Due) -> Outcome<()> {
        self.delete(&due::key_of(due)).await
    }

    async fn find(&self, workspace: WorkspaceId, root: ResourceId) -> Outcome<Option<Purge>> {
        self.get(purge_key(workspace, root)).await?.map(from_item).transpose()
    }

    async fn files(&self, asset: ResourceId, limit: usize) -> Outcome<Vec<UploadId>> {
        let range = ("-".to_owned(), "~".to_owned());
        let page = self.range_now(ItemKind::Files, asset, range, limit).await?;
        let ids = page.items.iter().map(|item| sort_key(item)?.parse().ok());
        let ids: Option<Vec<UploadId>> = ids.collect();
        ids.ok_or_else(|| Failure::Broken("a file's key that holds no id".to_owned()))
    }

    async fn forget_files(&self, asset: ResourceId, files: &[UploadId]) -> Outcome<()> {
        let keys: Vec<Key> = files.iter().map(|file| uploads::file_key(asset, *file)).collect();
        self.delete_all(&keys).await
    }

    async fn models(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        limit: usize,
    ) -> Outcome<Vec<ModelId>> {
        let range = (format!("{project}#"), format!("{project}$"));
        let page = self.range_now(ItemKind::Groups, workspace, range, limit).await?;
        let places = page.items.iter().map(place).collect::<Outcome<Vec<Position>>>()?;
        let models = places.into_iter().filter_map(|place| match place.id {
            ResourceId::Model(model) => Some(model),
            ResourceId::Project(_) | ResourceId::Dataset(_) => None,
        });
        Ok(models.collect())
    }

    async fn forget_models(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        models: &[ModelId],
    ) -> Outcome<()> {
        let ids = || models.iter().map(|model| ResourceId::Model(*model));
        let records: Vec<Key> = ids().map(|id| key_of(workspace, id)).collect();
        let found = self.get_all(&records).await?.into_iter().flatten();
        let found = found.map(from_item).collect::<Outcome<Vec<Resource>>>()?;
        let slugs = found.iter().map(|model| slug_key(&model.parent(), &model.slug));
        let entries: Vec<Key> = slugs.chain(found.iter().filter_map(size_key)).collect();
        let group =
            |id| Key::new(ItemKind::Groups, workspace, group_sk(&Position { project: Some(project), id }));
        // Records lead to slugs and sizes, and groups lead to records: this order lets an interrupted run continue.
        self.delete_all(&entries).await?;
        self.delete_all(&records).await?;
        self.delete_all(&ids().map(group).collect::<Vec<Key>>()).await
    }

    async fn finish(&self, purge: &Purge) -> Outcome<()> {
        self.delete(&purge_key(purge.workspace, purge.root)).await?;
        self.delete(&due::key_of(&Due::purge(purge))).await
    }

    async fn give_up(
        &self,
        workspace: WorkspaceId,
        upload: UploadId,
        now: Timestamp,
    ) -> Outcome<Option<Upload>> {
        let Some(found) = self.upload(workspace, upload).await? else { return Ok(None) };
        if found.state != State::Begun {
            return Ok(Some(found));
        }
        let swept = Upload { state: State::Swept, ..found };
        if self.sweep(&swept, now).await? {
            return Ok(Some(swept));
        }
        // A concurrent run completed or swept it. Both are final.
        self.upload(workspace, upload).await
    }

    async fn forget_upload(&self, upload: &Upload) -> Outcome<()> {
        self.delete(&uploads::key_of(upload.workspace, upload.id)).await?;
        self.delete(&due::key_of(&Due::sweep(upload))).await
    }

    async fn go_on(&self, message: &Message) -> Outcome<()> {
        let (key, item) = outbox::message_item(message)?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        request.send().await.map_err(failure)?;
        Ok(())
    }
}
