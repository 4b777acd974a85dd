//! Project, dataset and model.  Table `resources`: PK `PROJECTS#<workspace>`, `DATASETS#<workspace>` or
//! `MODELS#<workspace>`  SK `<id>`; PK `SLUGS#<workspace>`  SK `<kind>#<project or ->#<slug>` (uniqueness); PK
//! `GROUPED#<workspace>`  SK `<project or ->#<model>` (models by project); PK `SIZES#<workspace>`  SK
//! `<20 digits of bytes>#<id>` (datasets and models that have any).
//! A model of a project in the trash keeps its items and is not live; restoring the project restores it.
//! Reads: one (get, then a get of its project; with the workspace's usage one batch get), projects or
//! datasets (query, newest first), models by project or the largest (query, then a batch get of the records and their
//! projects), all strongly consistent.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::WorkspaceId,
    permissions::EditsResources,
    ports::{Changed, Created, Failure, Listed, Live, Outcome, Resources, TransactionExtras, Within},
    resource::{Kind, Parent, Position, Resource, ResourceId, Slug},
    usage::{Difference, Usage},
};
use serde::Serialize;
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, number, to_item},
    transaction::{Condition, Transaction},
    usage::{self, UsageChange},
};

/// The resource of a slug.
#[derive(Serialize)]
struct SlugOf {
    id: ResourceId,
}

/// The kind of items that holds a kind of resources.
pub const fn records_of(kind: Kind) -> ItemKind {
    match kind {
        Kind::Project => ItemKind::Projects,
        Kind::Dataset => ItemKind::Datasets,
        Kind::Model => ItemKind::Models,
    }
}

pub fn key_of(workspace: WorkspaceId, id: ResourceId) -> Key {
    Key::new(records_of(id.kind()), workspace, id.to_string())
}

/// The key of a resource's project.
pub fn project_key(resource: &Resource) -> Option<Key> {
    resource.project.map(|project| key_of(resource.workspace, ResourceId::Project(project)))
}

pub fn slug_key(parent: &Parent, slug: &Slug) -> Key {
    let project = parent.project.map_or("-".to_owned(), |project| project.to_string());
    Key::new(
        ItemKind::Slugs,
        parent.workspace,
        format!("{}#{project}#{}", parent.kind.as_str(), slug.as_str()),
    )
}

/// The key of a model in the list by project.
pub fn group_key(resource: &Resource) -> Option<Key> {
    let is_model = resource.id.kind() == Kind::Model;
    let sk = group_sk(&Position::after(resource));
    is_model.then(|| Key::new(ItemKind::Groups, resource.workspace, sk))
}

pub fn group_sk(position: &Position) -> String {
    match position.project {
        Some(project) => format!("{project}#{}", position.id),
        None => format!("-#{}", position.id),
    }
}

/// The key of a resource in the list by size, if it is there.
pub fn size_key(resource: &Resource) -> Option<Key> {
    let counts = resource.id.kind() != Kind::Project && resource.size_bytes > 0;
    let sk = format!("{:020}#{}", resource.size_bytes, resource.id);
    counts.then(|| Key::new(ItemKind::Sizes, resource.workspace, sk))
}

/// The entry in the list by size. It names the project, which must be live.
fn size_item(key: &Key, resource: &Resource) -> Item {
    let project = resource.project.map(|project| ("project".to_owned(), crate::item::text(project)));
    key.attributes().into_iter().chain(project).collect()
}

#[async_trait]
impl Resources for Store {
    async fn find(&self, workspace: WorkspaceId, id: ResourceId) -> Outcome<Option<Live>> {
        let record = self.get(key_of(workspace, id)).await?;
        self.in_its_project(record).await
    }

    async fn find_with_usage(
        &self,
        workspace: WorkspaceId,
        id: ResourceId,
    ) -> Outcome<(Option<Live>, Usage)> {
        let keys = [key_of(workspace, id), usage::key_of(workspace)];
        let mut found = self.get_all(&keys).await?.into_iter();
        let mut next = || found.next().flatten();
        let (record, used) = (next(), next());
        Ok((self.in_its_project(record).await?, usage::usage_of(used)?))
    }

    async fn list(
        &self,
        workspace: WorkspaceId,
        within: Within,
        after: Option<Position>,
        limit: usize,
    ) -> Outcome<Listed> {
        match within {
            Within::Workspace(Kind::Model) => self.models(workspace, None, after, limit).await,
            Within::Project(project) => self.models(workspace, Some(project), after, limit).await,
            Within::Workspace(kind) => self.records(workspace, kind, after, limit).await,
        }
    }

    async fn largest(&self, workspace: WorkspaceId, limit: usize) -> Outcome<Vec<Live>> {
        self.by_size(workspace, limit).await
    }

    async fn usage(&self, workspace: WorkspaceId) -> Outcome<Usage> {
        self.used(workspace).await
    }

    async fn create(
        &self,
        proof: &EditsResources,
        resource: &Resource,
        limit: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Created> {
        ensure_same_workspace(proof.workspace(), resource.workspace)?;
        let made = UsageChange::new(Difference::made(resource.id.kind()), resource.updated_at);
        let transaction =
            self.transaction().appear(resource)?.count(resource.workspace, made.within("models", limit));
        Ok(match transaction.extras(extras)?.commit().await? {
            None => Created::Yes,
            Some("project") => Created::NoProject,
            Some("slug") => Created::SlugTaken,
            Some("usage") => Created::LimitReached,
            Some(label) => return Err(Failure::Broken(format!("a random {label} exists already"))),
        })
    }

    async fn replace(
        &self,
        proof: &EditsResources,
        before: &Resource,
        after: &Resource,
        extras: TransactionExtras,
    ) -> Outcome<Changed> {
        ensure_same_workspace(proof.workspace(), before.workspace)?;
        let key = key_of(before.workspace, before.id);
        let item = to_item(&key, &following(before, after))?;
        let mut transaction =
            self.transaction().put("record", &key, item, Condition::version(before.version));
        if let Some(project) = project_key(before) {
            transaction = transaction.check("project", &project, Condition::present());
        }
        if before.slug != after.slug {
            transaction = transaction
                .delete("freed", &slug_key(&before.parent(), &before.slug), Condition::none())
                .take_slug(after)?;
        }
        Ok(match transaction.extras(extras)?.commit().await? {
            None => Changed::Yes,
            Some("slug") => Changed::SlugTaken,
            Some(_) => Changed::Stale,
        })
    }
}

/// A proof for another workspace is a defect.
pub fn ensure_same_workspace(proof: WorkspaceId, workspace: WorkspaceId) -> Outcome<()> {
    let elsewhere = || Failure::Broken(format!("a proof for {proof} is not valid for {workspace}"));
    (proof == workspace).then_some(()).ok_or_else(elsewhere)
}

/// `after` with the counters of `before` and the next version.
pub fn following(before: &Resource, after: &Resource) -> Resource {
    let Resource { models, size_bytes, version, .. } = *before;
    Resource { models, size_bytes, version: version.saturating_add(1), ..after.clone() }
}

impl Store {
    /// The resource of a record, unless its project is in the trash.
    async fn in_its_project(&self, record: Option<Item>) -> Outcome<Option<Live>> {
        let resource: Option<Resource> = record.map(from_item).transpose()?;
        let Some(resource) = resource else { return Ok(None) };
        let Some(key) = project_key(&resource) else { return Ok(Some(Live { resource, project: None })) };
        let project: Option<Resource> = self.get(key).await?.map(from_item).transpose()?;
        Ok(project.map(|project| Live { resource, project: Some(project) }))
    }
}

impl Transaction<'_> {
    /// Creates or restores a resource. Labels: `record`, `project` (it does not exist), `slug` (it is taken).
    pub fn appear(self, resource: &Resource) -> Outcome<Self> {
        let key = key_of(resource.workspace, resource.id);
        let mut transaction = self
            .put("record", &key, to_item(&key, resource)?, Condition::absent())
            .count_in_project(resource, 1, signed(resource.size_bytes))
            .take_slug(resource)?
            .take_size(resource);
        if let Some(group) = group_key(resource) {
            transaction = transaction.put("group", &group, group.attributes(), Condition::none());
        }
        Ok(transaction)
    }

    /// Removes a resource, if it did not change since it was read. Labels: `record`, `project`.
    pub fn vanish(self, resource: &Resource) -> Self {
        let key = key_of(resource.workspace, resource.id);
        let mut transaction = self
            .delete("record", &key, Condition::version(resource.version))
            .count_in_project(resource, -1, -signed(resource.size_bytes))
            // If the record is unchanged, the slug is its own.
            .delete("slug", &slug_key(&resource.parent(), &resource.slug), Condition::none());
        for key in [size_key(resource), group_key(resource)].into_iter().flatten() {
            transaction = transaction.delete("entry", &key, Condition::none());
        }
        transaction
    }

    /// Adds bytes to a resource, if it did not change since it was read. Labels: `record`, `project`.
    pub fn grow(self, before: &Resource, bytes: u64, now: Timestamp) -> Outcome<Self> {
        let key = key_of(before.workspace, before.id);
        let size_bytes = before.size_bytes.saturating_add(bytes);
        let after = Resource { size_bytes, updated_at: now, ..following(before, before) };
        let transaction = self
            .put("record", &key, to_item(&key, &after)?, Condition::version(before.version))
            .count_in_project(before, 0, signed(bytes));
        if bytes == 0 {
            return Ok(transaction);
        }
        let old = size_key(before).into_iter();
        let transaction = old.fold(transaction, |it, key| it.delete("entry", &key, Condition::none()));
        Ok(transaction.take_size(&after))
    }

    /// Updates the counters of a resource's project, which must be live.
    fn count_in_project(self, resource: &Resource, models: i64, bytes: i64) -> Self {
        let Some(project) = project_key(resource) else { return self };
        let values = [(":models", models), (":bytes", bytes), (":one", 1)];
        let values = values.map(|(name, value)| (name.to_owned(), number(value)));
        let counters = "ADD models :models, size_bytes :bytes, version :one";
        self.update("project", &project, counters, values, Condition::present())
    }

    fn take_slug(self, resource: &Resource) -> Outcome<Self> {
        let key = slug_key(&resource.parent(), &resource.slug);
        let item = to_item(&key, &SlugOf { id: resource.id })?;
        Ok(self.put("slug", &key, item, Condition::absent()))
    }

    fn take_size(self, resource: &Resource) -> Self {
        match size_key(resource) {
            Some(key) => self.put("size", &key, size_item(&key, resource), Condition::none()),
            None => self,
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
