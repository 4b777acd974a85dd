//! Resource in the trash.  Table `resources`: PK `TRASH#<workspace>`  SK `<id>`; PK `TRASHLIST#<workspace>`  SK
//! `<13 digits of milliseconds>#<id>`, the same by time. Neither item ever changes.
//! Reads: one with the workspace's usage (batch get), a page (query, newest or oldest first), all strongly consistent.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::WorkspaceId,
    permissions::EditsResources,
    ports::{Failure, Live, Outcome, Page, Restored, Saved, TransactionExtras, Trash},
    resource::{Resource, ResourceId},
    trash::{Due, Purge, Removes, TrashPosition, Trashed},
    usage::{Difference, Usage},
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, to_item},
    purges,
    resources::{ensure_same_workspace, following},
    transaction::{Condition, Transaction},
    usage::{self, UsageChange, millis, newest_is, not_emptied_of, trash_is},
};

fn key_of(workspace: WorkspaceId, id: ResourceId) -> Key {
    Key::new(ItemKind::Trash, workspace, id.to_string())
}

fn list_key(trashed: &Trashed) -> Key {
    Key::new(ItemKind::TrashList, trashed.resource.workspace, trashed.place().to_string())
}

/// Sorts after every resource that was trashed at this millisecond, and before later ones.
fn end_of(at: Timestamp) -> String {
    format!("{:013}$", at.as_millisecond())
}

fn page_of(page: Page<Item>) -> Outcome<Page<Trashed>> {
    Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
}

#[async_trait]
impl Trash for Store {
    async fn put(
        &self,
        proof: &EditsResources,
        live: &Live,
        trashed: &Trashed,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let workspace = live.resource.workspace;
        ensure_same_workspace(proof.workspace(), workspace)?;
        let change = UsageChange::of_trash(Difference::trashed(&live.resource), trashed.at)
            .set("trashed_until", millis(trashed.at))
            .only_if(not_emptied_of(trashed.at))
            .only_if(newest_is(trashed.at));
        let mut transaction = self.transaction().vanish(&live.resource).count(workspace, change);
        for key in [key_of(workspace, live.resource.id), list_key(trashed)] {
            transaction = transaction.put("trash", &key, to_item(&key, trashed)?, Condition::absent());
        }
        let transaction = transaction.due(&Due::expiry(trashed))?.extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn find(&self, workspace: WorkspaceId, id: ResourceId) -> Outcome<(Option<Trashed>, Usage)> {
        let keys = [key_of(workspace, id), usage::key_of(workspace)];
        let mut found = self.get_all(&keys).await?.into_iter();
        let mut next = || found.next().flatten();
        let (trashed, used) = (next(), next());
        Ok((trashed.map(from_item).transpose()?, usage::usage_of(used)?))
    }

    async fn page(
        &self,
        workspace: WorkspaceId,
        newest: Option<TrashPosition>,
        over_until: Timestamp,
        limit: usize,
    ) -> Outcome<Page<Trashed>> {
        let newest = newest.map_or("~".to_owned(), |place| place.to_string());
        let range = (end_of(over_until), newest);
        page_of(self.range_now(ItemKind::TrashList, workspace, range, limit).await?)
    }

    async fn over(&self, workspace: WorkspaceId, until: Timestamp, limit: usize) -> Outcome<Page<Trashed>> {
        let range = ("0".to_owned(), end_of(until));
        page_of(self.range_ascending(ItemKind::TrashList, workspace, range, limit).await?)
    }

    async fn restore(
        &self,
        proof: &EditsResources,
        trashed: &Trashed,
        resource: &Resource,
        limit: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Restored> {
        let workspace = trashed.resource.workspace;
        ensure_same_workspace(proof.workspace(), workspace)?;
        let change =
            UsageChange::of_trash(Difference::trashed(&trashed.resource).undone(), resource.updated_at)
                .within("models", limit)
                .only_if(not_emptied_of(trashed.at));
        let transaction = self
            .transaction()
            .take_out(trashed)
            .appear(&following(&trashed.resource, resource))?
            .count(workspace, change)
            .extras(extras)?;
        Ok(match transaction.commit().await? {
            None => Restored::Yes,
            Some("slug") => Restored::SlugTaken,
            // One of two conditions failed. Emptying is final.
            Some("usage") => match self.used(workspace).await?.emptied_until {
                Some(until) if trashed.at <= until => Restored::Stale,
                _ => Restored::LimitReached,
            },
            Some(_) => Restored::Stale,
        })
    }

    async fn remove(
        &self,
        proof: &Removes,
        trashed: &Trashed,
        purge: &Purge,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let workspace = trashed.resource.workspace;
        ensure_same_workspace(proof.workspace(), workspace)?;
        let mut transaction = self.transaction().take_out(trashed);
        if proof.is_counted() {
            let change = UsageChange::of_trash(Difference::purged(&trashed.resource), purge.begun_at);
            transaction = transaction.count(workspace, change.only_if(not_emptied_of(trashed.at)));
        }
        let (key, item) = purges::purge_item(purge)?;
        let transaction = transaction
            .put("purge", &key, item, Condition::none())
            .due(&Due::purge(purge))?
            .extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn empty(
        &self,
        proof: &EditsResources,
        seen: &Usage,
        until: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let by = serde_dynamo::to_attribute_value(proof.actor());
        let change = UsageChange::of_trash(Difference::emptied(seen), until)
            .set("emptied_until", millis(until))
            .set("emptied_by", by.map_err(|error| Failure::Broken(error.to_string()))?)
            .only_if(trash_is(seen));
        let transaction = self
            .transaction()
            .count(proof.workspace(), change)
            .due(&Due::emptying(proof.workspace(), until))?
            .extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }
}

impl Transaction<'_> {
    /// Takes a resource out of the trash. Label: `trash` (it is no longer there).
    fn take_out(self, trashed: &Trashed) -> Self {
        let resource = &trashed.resource;
        self.delete("trash", &key_of(resource.workspace, resource.id), Condition::present())
            .delete("trash", &list_key(trashed), Condition::present())
            .not_due(&Due::expiry(trashed))
    }
}
