//! What a workspace has, for the tests of the ports that keep it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    id::{DatasetId, ModelId, ProjectId, UploadId, WorkspaceId},
    permissions::{EditsResources, may_edit_resources},
    ports::{Begun, Created, Live, Outcome, Resources, Restored, Saved, TransactionExtras, Trash, Uploads},
    resource::{Kind, Resource, ResourceId, ResourceName, Slug, Visibility},
    role::Role,
    trash::{Origin, Purge, Removes, Trashed, may_remove},
    upload::{ContentType, FileName, State, Upload},
    usage::Usage,
    workspace::Workspace,
};
use lambda::OsEntropy;
use store::Store;
use tests::App;

use super::{Item, at, items, key_of, member, store, workspace};

/// A workspace with things in it.
pub struct Stock {
    pub app: App,
    pub store: Store,
    pub workspace: WorkspaceId,
    pub proof: EditsResources,
}

/// Something that was made in this second.
pub fn thing(workspace: WorkspaceId, id: ResourceId, project: Option<ProjectId>, slug: &str) -> Resource {
    Resource {
        id,
        workspace,
        project,
        slug: Slug::parse(slug).unwrap(),
        name: ResourceName::parse(slug).unwrap(),
        description: None,
        visibility: Visibility::Private,
        models: 0,
        size_bytes: 0,
        created_at: at(0),
        updated_at: at(0),
        version: 1,
    }
}

pub fn project_id(second: i64) -> ResourceId {
    ResourceId::Project(ProjectId::new(at(second), &OsEntropy))
}

pub fn dataset_id(second: i64) -> ResourceId {
    ResourceId::Dataset(DatasetId::new(at(second), &OsEntropy))
}

pub fn model_id(second: i64) -> ResourceId {
    ResourceId::Model(ModelId::new(at(second), &OsEntropy))
}

pub fn ids<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Vec<ResourceId> {
    resources.into_iter().map(|resource| resource.id).collect()
}

impl Stock {
    pub async fn new() -> Self {
        Self::of(&App::start().await, &workspace("ada-lovelace"))
    }

    /// A workspace beside others.
    pub fn of(app: &App, workspace: &Workspace) -> Self {
        let proof = may_edit_resources(&member(workspace, Role::Editor)).unwrap();
        Self { app: app.clone(), store: store(app), workspace: workspace.id, proof }
    }

    pub async fn create(&self, resource: &Resource, limit: Option<u64>) -> Created {
        self.store.create(&self.proof, resource, limit, TransactionExtras::default()).await.unwrap()
    }

    async fn made(&self, id: ResourceId, project: Option<ProjectId>, slug: &str) -> Resource {
        let made = thing(self.workspace, id, project, slug);
        assert_eq!(self.create(&made, None).await, Created::Yes, "{slug}");
        made
    }

    pub async fn project(&self, second: i64, slug: &str) -> Resource {
        self.made(project_id(second), None, slug).await
    }

    pub async fn dataset(&self, second: i64, slug: &str) -> Resource {
        self.made(dataset_id(second), None, slug).await
    }

    pub async fn model(&self, second: i64, slug: &str, project: Option<&Resource>) -> Resource {
        let project = project.and_then(|project| project.id.project());
        self.made(model_id(second), project, slug).await
    }

    pub async fn find(&self, id: ResourceId) -> Option<Live> {
        Resources::find(&self.store, self.workspace, id).await.unwrap()
    }

    pub async fn usage(&self) -> Usage {
        Resources::usage(&self.store, self.workspace).await.unwrap()
    }

    /// What it would be in the trash.
    pub fn trashed(&self, live: &Live, at: Timestamp) -> Trashed {
        let origin = live.project.as_ref().map(|project| Origin {
            id: project.id.project().unwrap(),
            name: project.name.clone(),
            slug: project.slug.clone(),
        });
        Trashed { resource: live.resource.clone(), origin, by: self.proof.actor(), at }
    }

    pub async fn try_put(&self, live: &Live, trashed: &Trashed) -> Saved {
        self.store.put(&self.proof, live, trashed, TransactionExtras::default()).await.unwrap()
    }

    /// Puts something that is live into the trash.
    pub async fn put(&self, id: ResourceId, second: i64) -> Trashed {
        let live = self.find(id).await.unwrap();
        let trashed = self.trashed(&live, at(second));
        assert_eq!(self.try_put(&live, &trashed).await, Saved::Yes);
        trashed
    }

    pub async fn in_trash(&self, id: ResourceId) -> Option<Trashed> {
        Trash::find(&self.store, self.workspace, id).await.unwrap().0
    }

    pub async fn restore(&self, trashed: &Trashed, as_: &Resource, limit: Option<u64>) -> Restored {
        self.store.restore(&self.proof, trashed, as_, limit, TransactionExtras::default()).await.unwrap()
    }

    /// The proof that something counted may be removed, as long as it may be restored.
    pub async fn removes(&self, trashed: &Trashed) -> Removes {
        may_remove(&self.proof, trashed, &self.usage().await, at(0)).unwrap()
    }

    pub fn purge(&self, root: ResourceId, second: i64) -> Purge {
        Purge { root, workspace: self.workspace, begun_at: at(second) }
    }

    pub async fn remove(&self, proof: &Removes, trashed: &Trashed, second: i64) -> Saved {
        let purge = self.purge(trashed.resource.id, second);
        self.store.remove(proof, trashed, &purge, TransactionExtras::default()).await.unwrap()
    }

    pub async fn empty(&self, seen: &Usage, until: Timestamp) -> Saved {
        self.store.empty(&self.proof, seen, until, TransactionExtras::default()).await.unwrap()
    }

    /// An upload, not begun yet.
    pub fn upload(&self, asset: ResourceId, bytes: u64, second: i64) -> Upload {
        Upload {
            id: UploadId::new(at(second), &OsEntropy),
            workspace: self.workspace,
            asset,
            name: FileName::parse("best.pt").unwrap(),
            content_type: ContentType::parse("application/zip").unwrap(),
            bytes,
            by: self.proof.actor(),
            begun_at: at(second),
            state: State::Begun,
        }
    }

    pub async fn begin(&self, live: &Live, upload: &Upload, limit: Option<u64>) -> Begun {
        self.store.begin(&self.proof, live, upload, limit, TransactionExtras::default()).await.unwrap()
    }

    /// An upload that was begun.
    pub async fn begun(&self, asset: ResourceId, bytes: u64, second: i64) -> Upload {
        let (live, upload) = (self.find(asset).await.unwrap(), self.upload(asset, bytes, second));
        assert_eq!(self.begin(&live, &upload, None).await, Begun::Yes);
        upload
    }

    pub async fn try_complete(&self, live: &Live, before: &Upload, second: i64) -> Outcome<Saved> {
        let complete = Upload { state: State::Complete, ..before.clone() };
        let none = TransactionExtras::default();
        self.store.complete(&self.proof, live, before, &complete, at(second), none).await
    }

    /// A file of so many bytes.
    pub async fn file(&self, asset: ResourceId, bytes: u64, second: i64) -> Upload {
        let begun = self.begun(asset, bytes, second).await;
        let live = self.find(asset).await.unwrap();
        assert_eq!(self.try_complete(&live, &begun, second).await.unwrap(), Saved::Yes);
        Upload { state: State::Complete, ..begun }
    }

    /// The sort keys of a kind of items of the workspace.
    pub async fn keys(&self, kind: &str) -> BTreeSet<String> {
        let partition = format!("{kind}#{}", self.workspace);
        let all = items(&self.app, "resources").await;
        all.iter().map(key_of).filter(|(pk, _)| *pk == partition).map(|(_, sk)| sk).collect()
    }

    /// Counts the contents again, and compares them with the counters.
    pub async fn audit(&self) {
        let all = items(&self.app, "resources").await;
        Books::of(&all).check(&self.usage().await);
    }
}

/// All that is stored, read item by item.
#[derive(Default)]
struct Books {
    live: BTreeMap<ResourceId, Resource>,
    trash: Vec<Trashed>,
    uploads: Vec<Upload>,
    keys: BTreeMap<String, BTreeSet<String>>,
}

impl Books {
    fn of(items: &[Item]) -> Self {
        let mut books = Self::default();
        for item in items {
            let (pk, sk) = key_of(item);
            let kind = pk.split_once('#').unwrap().0.to_owned();
            match kind.as_str() {
                "PROJECTS" | "DATASETS" | "MODELS" => {
                    let record: Resource = serde_dynamo::from_item(item.clone()).unwrap();
                    books.live.insert(record.id, record);
                }
                "TRASH" => books.trash.push(serde_dynamo::from_item(item.clone()).unwrap()),
                "UPLOADS" => books.uploads.push(serde_dynamo::from_item(item.clone()).unwrap()),
                _ => {}
            }
            books.keys.entry(kind).or_default().insert(sk);
        }
        books
    }

    fn of_project(&self, project: ResourceId) -> (u64, u64) {
        let models = self.live.values().filter(|it| it.project.map(ResourceId::Project) == Some(project));
        models.fold((0, 0), |(count, bytes), model| (count + 1, bytes + model.size_bytes))
    }

    fn is_hidden(&self, resource: &Resource) -> bool {
        resource.project.is_some_and(|project| !self.live.contains_key(&ResourceId::Project(project)))
    }

    fn keys(&self, kind: &str) -> BTreeSet<String> {
        self.keys.get(kind).cloned().unwrap_or_default()
    }

    fn check(&self, usage: &Usage) {
        let counted = Usage {
            trash_version: usage.trash_version,
            trashed_until: usage.trashed_until,
            emptied_until: usage.emptied_until,
            emptied_by: usage.emptied_by,
            changed_at: usage.changed_at,
            ..self.counted(usage.emptied_until)
        };
        assert_eq!(*usage, counted);
        self.check_entries();
    }

    fn counted(&self, emptied_until: Option<Timestamp>) -> Usage {
        let mut usage = Usage::default();
        for resource in self.live.values().filter(|resource| !self.is_hidden(resource)) {
            let (count, bytes) = match resource.id.kind() {
                Kind::Project => (&mut usage.projects, None),
                Kind::Dataset => (&mut usage.datasets, Some(&mut usage.dataset_bytes)),
                Kind::Model => (&mut usage.models, Some(&mut usage.model_bytes)),
            };
            *count += 1;
            if let Some(bytes) = bytes {
                *bytes += resource.size_bytes;
            }
        }
        for trashed in
            self.trash.iter().filter(|trashed| emptied_until.is_none_or(|until| until < trashed.at))
        {
            let resource = &trashed.resource;
            let (count, bytes, in_trash) = match resource.id.kind() {
                Kind::Dataset => {
                    (&mut usage.trashed_datasets, &mut usage.dataset_bytes, &mut usage.trashed_dataset_bytes)
                }
                Kind::Model => {
                    (&mut usage.trashed_models, &mut usage.model_bytes, &mut usage.trashed_model_bytes)
                }
                Kind::Project => {
                    (&mut usage.trashed_projects, &mut usage.model_bytes, &mut usage.trashed_model_bytes)
                }
            };
            *count += 1;
            *bytes += resource.size_bytes;
            *in_trash += resource.size_bytes;
            usage.cascaded_models += resource.models;
        }
        let promised = self.uploads.iter().filter(|upload| upload.state == State::Begun);
        usage.committed_bytes = usage.stored_bytes() + promised.map(|upload| upload.bytes).sum::<u64>();
        usage
    }

    /// Every record has its entries, and there are no others.
    fn check_entries(&self) {
        let (mut slugs, mut groups, mut sizes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for resource in self.live.values() {
            let parent = resource.project.map_or("-".to_owned(), |project| project.to_string());
            let kind = resource.id.kind();
            slugs.insert(format!("{}#{parent}#{}", kind.as_str(), resource.slug.as_str()));
            if kind == Kind::Model {
                groups.insert(format!("{parent}#{}", resource.id));
            }
            if kind == Kind::Project {
                assert_eq!((resource.models, resource.size_bytes), self.of_project(resource.id));
            } else if resource.size_bytes > 0 {
                sizes.insert(format!("{:020}#{}", resource.size_bytes, resource.id));
            }
        }
        assert_eq!(self.keys("SLUGS"), slugs);
        assert_eq!(self.keys("GROUPED"), groups);
        assert_eq!(self.keys("SIZES"), sizes);
        for trashed in self.trash.iter().filter(|trashed| trashed.resource.id.kind() == Kind::Project) {
            let Resource { id, models, size_bytes, .. } = trashed.resource;
            assert_eq!(self.of_project(id), (models, size_bytes), "a project takes its models along");
        }
        let listed = self.trash.iter().map(|trashed| trashed.place().to_string());
        assert_eq!(self.keys("TRASHLIST"), listed.collect());
    }
}
