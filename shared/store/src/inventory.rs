//! Everything that a workspace and a person have, in the order of ids.

use std::{collections::BTreeMap, fmt::Display};

use async_trait::async_trait;
use domain::{
    activity::{ActivityEvent, Mark},
    id::{EventId, SessionId, UploadId, UserId, WorkspaceId},
    ports::{Inventory, Outcome, Page},
    resource::{Kind, Resource, ResourceId},
    session::Session,
    trash::Trashed,
    upload::Upload,
};
use serde::de::DeserializeOwned;
use tables::ItemKind;

use crate::{client::Store, history::marked, item::from_item, resources::records_of, workspaces::member_key};

/// The beginning of a range of sort keys: after this id, or all with the prefix.
fn past(prefix: &str, id: Option<impl Display>) -> String {
    // `!` sorts before every id, and a space before all that could follow one.
    id.map_or(format!("{prefix}!"), |id| format!("{prefix}{id} "))
}

/// The same for sort keys that are ids.
fn ids_past(id: Option<impl Display>) -> (String, String) {
    (past("", id), "~".to_owned())
}

#[async_trait]
impl Inventory for Store {
    async fn resources(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Outcome<Page<Resource>> {
        self.records_up(records_of(kind), workspace, ids_past(after), limit).await
    }

    async fn trashed(
        &self,
        workspace: WorkspaceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Outcome<Page<Trashed>> {
        self.records_up(ItemKind::Trash, workspace, ids_past(after), limit).await
    }

    async fn files(&self, asset: ResourceId, after: Option<UploadId>, limit: usize) -> Outcome<Page<Upload>> {
        self.records_up(ItemKind::Files, asset, ids_past(after), limit).await
    }

    async fn uploads(
        &self,
        workspace: WorkspaceId,
        after: Option<UploadId>,
        limit: usize,
    ) -> Outcome<Page<Upload>> {
        self.records_up(ItemKind::Uploads, workspace, ids_past(after), limit).await
    }

    async fn events(
        &self,
        workspace: WorkspaceId,
        after: Option<EventId>,
        until: EventId,
        limit: usize,
    ) -> Outcome<Page<ActivityEvent>> {
        let range = (past("EVT#", after), format!("EVT#{until}"));
        self.records_up(ItemKind::Events, workspace, range, limit).await
    }

    async fn marks(
        &self,
        workspace: WorkspaceId,
        first: EventId,
        last: EventId,
        limit: usize,
    ) -> Outcome<BTreeMap<EventId, Mark>> {
        let range = (format!("EVT#{first}"), format!("EVT#{last}"));
        let items = self.items_up(ItemKind::Marks, workspace, range, limit).await?.into_iter();
        items.map(|item| Ok((marked(&item)?, from_item(item)?))).collect()
    }

    async fn sessions(&self, user: UserId, after: Option<SessionId>, limit: usize) -> Outcome<Page<Session>> {
        // `SESSION$` sorts right after every `SESSION#…`.
        let range = (past("SESSION#", after), "SESSION$".to_owned());
        self.records_up(ItemKind::Sessions, user, range, limit).await
    }

    async fn has_others(&self, workspace: WorkspaceId, user: UserId) -> Outcome<bool> {
        let own = member_key(workspace, user);
        // Of two members, at least one is another.
        let range = ("MEMBER#".to_owned(), "MEMBER$".to_owned());
        let page = self.range_ascending(ItemKind::Members, workspace, range, 2).await?;
        Ok(page.items.iter().any(|member| !own.is_of(member)))
    }
}

impl Store {
    async fn records_up<T: DeserializeOwned>(
        &self,
        kind: ItemKind,
        subject: impl Display,
        range: (String, String),
        limit: usize,
    ) -> Outcome<Page<T>> {
        let page = self.range_ascending(kind, subject, range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }
}
