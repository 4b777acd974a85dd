//! Counts a workspace's contents again, from every stored item and every object of the bucket.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::WorkspaceId;
use kit::ItemKind;
use tests::{App, Value, json};

/// All that is stored at home.
pub struct Stock {
    items: Vec<Value>,
    /// Bytes by key.
    objects: BTreeMap<String, u64>,
}

fn text<'a>(item: &'a Value, pointer: &str) -> &'a str {
    item.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(item: &Value, pointer: &str) -> u64 {
    item.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

impl Stock {
    /// Looks at everything.
    pub async fn of(app: &App) -> Self {
        let (tables, table) = (app.tables(), app.table("resources"));
        let mut pages = tables.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(serde_dynamo::from_item(item.unwrap()).unwrap());
        }
        let (files, bucket) = (app.files(), app.bucket());
        let mut pages = files.list_objects_v2().bucket(bucket).into_paginator().send();
        let mut objects = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let contents = page.unwrap().contents.unwrap_or_default();
            let object = |object: aws_sdk_s3::types::Object| {
                (object.key.unwrap(), u64::try_from(object.size.unwrap()).unwrap())
            };
            objects.extend(contents.into_iter().map(object));
        }
        Self { items, objects }
    }

    fn all(&self, kind: ItemKind, subject: impl std::fmt::Display) -> Vec<&Value> {
        let partition = kind.partition(subject);
        self.items.iter().filter(|item| item["pk"] == *partition).collect()
    }

    fn keys(&self, kind: ItemKind, subject: impl std::fmt::Display) -> BTreeSet<String> {
        self.all(kind, subject).into_iter().map(|item| text(item, "/sk").to_owned()).collect()
    }

    /// Whether nothing is being removed any more, nothing is left in an emptied trash, and no upload waits to be completed.
    pub fn is_settled(&self, workspace: WorkspaceId) -> bool {
        let usage = self.all(ItemKind::Usage, workspace).into_iter().next();
        let emptied = usage.and_then(|usage| usage["emptied_until"].as_i64()).unwrap_or(i64::MIN);
        let emptied = self
            .all(ItemKind::Trash, workspace)
            .into_iter()
            .any(|item| item["at"].as_i64().unwrap() <= emptied);
        let purged = self.all(ItemKind::Purges, workspace).is_empty();
        purged && !emptied && self.all(ItemKind::Uploads, workspace).is_empty()
    }

    /// Checks that what is kept beside the records is what the records say, and that no file is without a record, nor a
    /// record without its file. `settled`: nothing is being removed any more.
    pub fn check(&self, workspace: WorkspaceId, settled: bool) {
        self.check_counters(workspace);
        self.check_lookups(workspace);
        self.check_files(workspace, settled);
        if settled {
            assert!(self.all(ItemKind::Purges, workspace).is_empty(), "something is still being removed");
            let projects = self.ids(workspace, &[ItemKind::Projects, ItemKind::Trash]);
            for model in self.all(ItemKind::Models, workspace) {
                let project = text(model, "/project");
                assert!(project.is_empty() || projects.contains(project), "left behind: {model}");
            }
        }
    }

    fn ids(&self, workspace: WorkspaceId, kinds: &[ItemKind]) -> BTreeSet<String> {
        kinds.iter().flat_map(|kind| self.keys(*kind, workspace)).collect()
    }

    /// The counters, from the records of live and trashed resources.
    fn check_counters(&self, workspace: WorkspaceId) {
        let usage = self.all(ItemKind::Usage, workspace).into_iter().next().cloned().unwrap_or(json!({}));
        let projects = self.all(ItemKind::Projects, workspace);
        let live: BTreeSet<&str> = projects.iter().map(|project| text(project, "/id")).collect();
        let (models, datasets) =
            (self.all(ItemKind::Models, workspace), self.all(ItemKind::Datasets, workspace));
        let is_live = |model: &&&Value| {
            let project = text(model, "/project");
            project.is_empty() || live.contains(project)
        };
        let emptied = usage.pointer("/emptied_until").and_then(Value::as_i64).unwrap_or(i64::MIN);
        let trash = self.all(ItemKind::Trash, workspace);
        let trash: Vec<&Value> =
            trash.into_iter().filter(|trashed| trashed["at"].as_i64().unwrap() > emptied).collect();
        let in_trash = |prefix: &str| {
            let of = trash.iter().filter(|trashed| text(trashed, "/resource/id").starts_with(prefix));
            of.map(|trashed| trashed["resource"].clone()).collect::<Vec<_>>()
        };
        let bytes = |items: &[Value]| items.iter().map(|item| number(item, "/size_bytes")).sum::<u64>();
        let owned = |items: &[&Value]| items.iter().map(|item| (*item).clone()).collect::<Vec<_>>();
        let (trashed_projects, trashed_datasets, trashed_models) =
            (in_trash("proj_"), in_trash("dset_"), in_trash("model_"));
        let live_models: Vec<&Value> = models.iter().filter(is_live).copied().collect();
        let dataset_bytes = bytes(&owned(&datasets)) + bytes(&trashed_datasets);
        let model_bytes = bytes(&owned(&live_models)) + bytes(&trashed_models) + bytes(&trashed_projects);
        let begun = self.all(ItemKind::Uploads, workspace);
        let begun = begun.into_iter().filter(|upload| upload["state"] == "begun");
        let promised: u64 = begun.map(|upload| number(upload, "/bytes")).sum();
        let wanted = [
            ("projects", projects.len() as u64),
            ("datasets", datasets.len() as u64),
            ("models", live_models.len() as u64),
            ("dataset_bytes", dataset_bytes),
            ("model_bytes", model_bytes),
            ("committed_bytes", dataset_bytes + model_bytes + promised),
            ("trashed_projects", trashed_projects.len() as u64),
            ("trashed_datasets", trashed_datasets.len() as u64),
            ("trashed_models", trashed_models.len() as u64),
            ("cascaded_models", trashed_projects.iter().map(|project| number(project, "/models")).sum()),
            ("trashed_dataset_bytes", bytes(&trashed_datasets)),
            ("trashed_model_bytes", bytes(&trashed_models) + bytes(&trashed_projects)),
        ];
        let kept = wanted.map(|(name, _)| (name, number(&usage, &format!("/{name}"))));
        assert_eq!(kept, wanted, "the counters, and the existing items");
        for project in &projects {
            let of = models.iter().filter(|model| model["project"] == project["id"]).copied();
            let of: Vec<Value> = of.cloned().collect();
            let counted = (number(project, "/models"), number(project, "/size_bytes"));
            assert_eq!(counted, (of.len() as u64, bytes(&of)), "{project}");
        }
    }

    /// The entries by which records are found: slugs, models by project, largest first, the trash by time, what is due.
    fn check_lookups(&self, workspace: WorkspaceId) {
        let live =
            [ItemKind::Projects, ItemKind::Datasets, ItemKind::Models].map(|kind| self.all(kind, workspace));
        let (mut groups, mut sizes, mut slugs) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for item in live.into_iter().flatten() {
            let (id, bytes) = (text(item, "/id"), number(item, "/size_bytes"));
            let project = Some(text(item, "/project")).filter(|project| !project.is_empty()).unwrap_or("-");
            let kind = id.split('_').next().unwrap();
            slugs
                .insert((kind.to_owned(), project.to_owned(), text(item, "/slug").to_owned()), id.to_owned());
            if kind == "model" {
                groups.insert(format!("{project}#{id}"));
            }
            if kind != "proj" && bytes > 0 {
                sizes.insert(format!("{bytes:020}#{id}"));
            }
        }
        assert_eq!(self.keys(ItemKind::Groups, workspace), groups, "models by project");
        assert_eq!(self.keys(ItemKind::Sizes, workspace), sizes, "largest first");
        assert_eq!(self.all(ItemKind::Slugs, workspace).len(), slugs.len(), "slugs: {slugs:?}");
        let listed = self.all(ItemKind::Trash, workspace).into_iter();
        let listed = listed.map(|item| format!("{:013}#{}", item["at"].as_i64().unwrap(), text(item, "/sk")));
        assert_eq!(self.keys(ItemKind::TrashList, workspace), listed.collect(), "the trash by time");
        for trashed in self.all(ItemKind::Trash, workspace) {
            let id = text(trashed, "/sk");
            let due = self.items.iter().filter(|item| {
                text(item, "/pk").starts_with(ItemKind::Due.prefix())
                    && item.to_string().contains(&format!("\"{id}\""))
            });
            assert_eq!(due.count(), 1, "{id} expires at one time");
        }
    }

    /// Objects and their records. A file that is being removed may have a record for a moment longer.
    fn check_files(&self, workspace: WorkspaceId, settled: bool) {
        let prefix = format!("files/{workspace}/");
        let objects =
            self.objects.iter().filter_map(|(key, bytes)| Some((key.strip_prefix(&prefix)?, *bytes)));
        let objects: BTreeMap<&str, u64> = objects.collect();
        let uploads = self.keys(ItemKind::Uploads, workspace);
        let files = self.items.iter().filter(|item| text(item, "/pk").starts_with(ItemKind::Files.prefix()));
        let files: BTreeSet<&str> = files.map(|file| text(file, "/sk")).collect();
        for upload in objects.keys() {
            assert!(uploads.contains(*upload) || files.contains(upload), "no record tells of {upload}");
        }
        let complete = self.all(ItemKind::Uploads, workspace).into_iter();
        let complete = complete.filter(|upload| upload["state"] == "complete");
        for upload in complete.map(|upload| text(upload, "/id")).filter(|upload| files.contains(upload)) {
            assert!(!settled || objects.contains_key(upload), "{upload} has a record and is not stored");
        }
        for (asset, bytes) in self.bytes_by_asset(&objects) {
            let records = [ItemKind::Datasets, ItemKind::Models].map(|kind| self.all(kind, workspace));
            let live = records.into_iter().flatten().find(|item| item["id"] == *asset);
            let trashed = self.all(ItemKind::Trash, workspace).into_iter().find(|item| item["sk"] == *asset);
            if let Some(record) = live.or(trashed.map(|trashed| &trashed["resource"])) {
                assert_eq!(number(record, "/size_bytes"), bytes, "{asset}");
            }
        }
    }

    fn bytes_by_asset(&self, objects: &BTreeMap<&str, u64>) -> BTreeMap<String, u64> {
        let mut bytes = BTreeMap::new();
        for item in &self.items {
            if let Some(asset) = text(item, "/pk").strip_prefix(ItemKind::Files.prefix())
                && let Some(stored) = objects.get(text(item, "/sk"))
            {
                *bytes.entry(asset.to_owned()).or_default() += stored;
            }
        }
        bytes
    }
}
