//! What is in the trash.  Table `resources`: PK `TRASH#<workspace>`  SK `<id>`; PK `TRASHLIST#<workspace>`  SK
//! `<13 digits of milliseconds>#<id>`, the same by time. Neither ever changes.
//! Reads: one with what the workspace uses (batch get), a page (query, newest or oldest first), all strongly consistent.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::WorkspaceId,
    policy::EditsResources,
    ports::{Alongside, Failure, Live, Outcome, Page, Restored, Saved, Trash},
    resource::{Resource, ResourceId},
    trash::{Due, Place, Purge, Removes, Trashed},
    usage::{Difference, Usage},
};
use tables::Items;

use crate::{
    Store,
    item::{Item, Key, from_item, to_item},
    purges,
    resources::{following, is_good_for},
    transaction::{Condition, Transaction},
    usage::{self, Change, millis, newest_is, not_emptied_of, trash_is},
};

fn key_of(workspace: WorkspaceId, id: ResourceId) -> Key {
    Key::new(Items::Trash, workspace, id.to_string())
}

fn list_key(trashed: &Trashed) -> Key {
    Key::new(Items::TrashList, trashed.resource.workspace, trashed.place().to_string())
}

/// Sorts right after everything that came into the trash at this millisecond, and before all that came later.
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
        alongside: Alongside,
    ) -> Outcome<Saved> {
        let workspace = live.resource.workspace;
        is_good_for(proof.workspace(), workspace)?;
        let change = Change::of_trash(Difference::trashed(&live.resource), trashed.at)
            .set("trashed_until", millis(trashed.at))
            .only_if(not_emptied_of(trashed.at))
            .only_if(newest_is(trashed.at));
        let mut transaction = self.transaction().vanish(&live.resource).count(workspace, change);
        for key in [key_of(workspace, live.resource.id), list_key(trashed)] {
            transaction = transaction.put("trash", &key, to_item(&key, trashed)?, Condition::absent());
        }
        let transaction = transaction.due(&Due::expiry(trashed))?.alongside(alongside)?;
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
        newest: Option<Place>,
        over_until: Timestamp,
        limit: usize,
    ) -> Outcome<Page<Trashed>> {
        let newest = newest.map_or("~".to_owned(), |place| place.to_string());
        let range = (end_of(over_until), newest);
        page_of(self.range_now(Items::TrashList, workspace, range, limit).await?)
    }

    async fn over(&self, workspace: WorkspaceId, until: Timestamp, limit: usize) -> Outcome<Page<Trashed>> {
        let range = ("0".to_owned(), end_of(until));
        page_of(self.range_up(Items::TrashList, workspace, range, limit).await?)
    }

    async fn restore(
        &self,
        proof: &EditsResources,
        trashed: &Trashed,
        resource: &Resource,
        limit: Option<u64>,
        alongside: Alongside,
    ) -> Outcome<Restored> {
        let workspace = trashed.resource.workspace;
        is_good_for(proof.workspace(), workspace)?;
        let change = Change::of_trash(Difference::trashed(&trashed.resource).undone(), resource.updated_at)
            .within("models", limit)
            .only_if(not_emptied_of(trashed.at));
        let transaction = self
            .transaction()
            .take_out(trashed)
            .appear(&following(&trashed.resource, resource))?
            .count(workspace, change)
            .alongside(alongside)?;
        Ok(match transaction.commit().await? {
            None => Restored::Yes,
            Some("slug") => Restored::SlugTaken,
            // Of two conditions one failed. What the trash was emptied of once stays so.
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
        alongside: Alongside,
    ) -> Outcome<Saved> {
        let workspace = trashed.resource.workspace;
        is_good_for(proof.workspace(), workspace)?;
        let mut transaction = self.transaction().take_out(trashed);
        if proof.is_counted() {
            let change = Change::of_trash(Difference::purged(&trashed.resource), purge.begun_at);
            transaction = transaction.count(workspace, change.only_if(not_emptied_of(trashed.at)));
        }
        let (key, item) = purges::purge_item(purge)?;
        let transaction = transaction
            .put("purge", &key, item, Condition::none())
            .due(&Due::purge(purge))?
            .alongside(alongside)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn empty(
        &self,
        proof: &EditsResources,
        seen: &Usage,
        until: Timestamp,
        alongside: Alongside,
    ) -> Outcome<Saved> {
        let by = serde_dynamo::to_attribute_value(proof.actor());
        let change = Change::of_trash(Difference::emptied(seen), until)
            .set("emptied_until", millis(until))
            .set("emptied_by", by.map_err(|error| Failure::Broken(error.to_string()))?)
            .only_if(trash_is(seen));
        let transaction = self
            .transaction()
            .count(proof.workspace(), change)
            .due(&Due::emptying(proof.workspace(), until))?
            .alongside(alongside)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }
}

impl Transaction<'_> {
    /// Something is in the trash no longer, if it still was: else `trash` failed.
    fn take_out(self, trashed: &Trashed) -> Self {
        let resource = &trashed.resource;
        self.delete("trash", &key_of(resource.workspace, resource.id), Condition::present())
            .delete("trash", &list_key(trashed), Condition::present())
            .not_due(&Due::expiry(trashed))
    }
}
