//! Usage of a workspace: counters that each change updates, never recounted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    activity::Actor,
    resource::{Kind, Resource},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// The usage of a workspace. All stored resources count, in the trash or not, until they are removed.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Usage {
            $($(#[$doc])* pub $name: u64,)*
            /// Counts every change of the trash.
            pub trash_version: u64,
            /// The latest time at which an item was moved to the trash.
            #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
            pub trashed_until: Option<Timestamp>,
            /// Items that were trashed up to this time are deleted, whether or not they are removed yet.
            #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
            pub emptied_until: Option<Timestamp>,
            /// The user who last emptied the trash.
            pub emptied_by: Option<Actor>,
            /// Time of the last change of a counter.
            #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
            pub changed_at: Option<Timestamp>,
        }

        /// Changes of the counters.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Difference {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl Difference {
            /// Names of the counters in the record, with their changes.
            pub fn by_name(&self) -> Vec<(&'static str, i64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// The reverse change.
            #[must_use]
            pub fn undone(self) -> Self {
                Self { $($name: self.$name.saturating_neg(),)* }
            }

            /// The sum of both changes.
            #[must_use]
            pub fn and(self, other: Self) -> Self {
                Self { $($name: self.$name.saturating_add(other.$name),)* }
            }
        }
    };
}

counters! {
    /// Projects that are not in the trash.
    projects;
    /// Datasets that are not in the trash.
    datasets;
    /// Models that are not in the trash, including models of projects.
    models;
    /// Bytes of all files of datasets.
    dataset_bytes;
    /// Bytes of all files of models.
    model_bytes;
    /// All bytes that are stored or reserved for uploads. The plan limits this value.
    committed_bytes;
    /// Projects in the trash.
    trashed_projects;
    /// Datasets in the trash.
    trashed_datasets;
    /// Models that were trashed individually.
    trashed_models;
    /// Models that were trashed with their projects.
    cascaded_models;
    /// Bytes of datasets in the trash.
    trashed_dataset_bytes;
    /// Bytes of models in the trash, including models of projects.
    trashed_model_bytes;
}

impl Difference {
    /// Adds an empty resource.
    pub fn made(kind: Kind) -> Self {
        match kind {
            Kind::Project => Self { projects: 1, ..Self::default() },
            Kind::Dataset => Self { datasets: 1, ..Self::default() },
            Kind::Model => Self { models: 1, ..Self::default() },
        }
    }

    /// Moves a resource with its content to the trash. The reverse restores it.
    pub fn trashed(resource: &Resource) -> Self {
        let (bytes, models) = (signed(resource.size_bytes), signed(resource.models));
        match resource.id.kind() {
            Kind::Project => Self {
                projects: -1,
                models: models.saturating_neg(),
                trashed_projects: 1,
                cascaded_models: models,
                trashed_model_bytes: bytes,
                ..Self::default()
            },
            Kind::Dataset => {
                Self { datasets: -1, trashed_datasets: 1, trashed_dataset_bytes: bytes, ..Self::default() }
            }
            Kind::Model => {
                Self { models: -1, trashed_models: 1, trashed_model_bytes: bytes, ..Self::default() }
            }
        }
    }

    /// Permanently deletes a resource in the trash.
    pub fn purged(resource: &Resource) -> Self {
        let bytes = signed(resource.size_bytes);
        let stored = match resource.id.kind() {
            Kind::Dataset => Self { dataset_bytes: bytes, ..Self::default() },
            Kind::Project | Kind::Model => Self { model_bytes: bytes, ..Self::default() },
        };
        let live = Self { committed_bytes: bytes, ..Self::made(resource.id.kind()) };
        let models = Self { models: signed(resource.models), ..Self::default() };
        // The reverse of creating the resource and of moving it to the trash.
        stored.and(live).and(models).and(Self::trashed(resource)).undone()
    }

    /// Reserves bytes for an upload. The reverse releases the bytes.
    pub fn promised(bytes: u64) -> Self {
        Self { committed_bytes: signed(bytes), ..Self::default() }
    }

    /// Converts reserved bytes of a dataset or a model to stored bytes.
    pub fn stored(kind: Kind, bytes: u64) -> Self {
        match kind {
            Kind::Dataset => Self { dataset_bytes: signed(bytes), ..Self::default() },
            Kind::Project | Kind::Model => Self { model_bytes: signed(bytes), ..Self::default() },
        }
    }

    /// Permanently deletes everything in the trash.
    pub fn emptied(usage: &Usage) -> Self {
        let of = |counter: u64| signed(counter).saturating_neg();
        let bytes = usage.trashed_dataset_bytes.saturating_add(usage.trashed_model_bytes);
        Self {
            dataset_bytes: of(usage.trashed_dataset_bytes),
            model_bytes: of(usage.trashed_model_bytes),
            committed_bytes: of(bytes),
            trashed_projects: of(usage.trashed_projects),
            trashed_datasets: of(usage.trashed_datasets),
            trashed_models: of(usage.trashed_models),
            cascaded_models: of(usage.cascaded_models),
            trashed_dataset_bytes: of(usage.trashed_dataset_bytes),
            trashed_model_bytes: of(usage.trashed_model_bytes),
            ..Self::default()
        }
    }
}

impl Usage {
    /// The stored bytes.
    pub fn stored_bytes(&self) -> u64 {
        self.dataset_bytes.saturating_add(self.model_bytes)
    }

    /// Bytes reserved for uploads that are not completed.
    pub fn reserved_bytes(&self) -> u64 {
        self.committed_bytes.saturating_sub(self.stored_bytes())
    }

    /// Number of items in the trash. A project with its models counts as one item.
    pub fn trashed(&self) -> u64 {
        self.trashed_projects.saturating_add(self.trashed_datasets).saturating_add(self.trashed_models)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{DatasetId, ModelId, ProjectId, WorkspaceId},
        resource::{ResourceId, ResourceName, Slug, Visibility},
    };

    fn resource(id: ResourceId, models: u64, size_bytes: u64) -> Resource {
        let at = Timestamp::UNIX_EPOCH;
        Resource {
            id,
            workspace: WorkspaceId::floor(at),
            project: None,
            slug: Slug::parse("x").unwrap(),
            name: ResourceName::parse("x").unwrap(),
            description: None,
            visibility: Visibility::Private,
            models,
            size_bytes,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    fn each() -> [Resource; 3] {
        let at = Timestamp::UNIX_EPOCH;
        [
            resource(ResourceId::Project(ProjectId::floor(at)), 3, 70),
            resource(ResourceId::Dataset(DatasetId::floor(at)), 0, 50),
            resource(ResourceId::Model(ModelId::floor(at)), 0, 20),
        ]
    }

    /// Applies changes to zero usage.
    fn applied(differences: &[Difference]) -> Difference {
        differences.iter().fold(Difference::default(), |sum, difference| sum.and(*difference))
    }

    /// The complete usage of one live resource.
    fn came_to_be(resource: &Resource) -> Difference {
        let models = Difference { models: signed(resource.models), ..Difference::default() };
        let kind = resource.id.kind();
        let (promised, stored) =
            (Difference::promised(resource.size_bytes), Difference::stored(kind, resource.size_bytes));
        applied(&[Difference::made(kind), models, promised, stored])
    }

    #[test]
    fn created_and_purged_resource_leaves_zero_usage() {
        for resource in each() {
            let all = [came_to_be(&resource), Difference::trashed(&resource), Difference::purged(&resource)];
            assert_eq!(applied(&all), Difference::default(), "{resource:?}");
        }
    }

    #[test]
    fn restoring_reverses_trashing() {
        for resource in each() {
            let trashed = Difference::trashed(&resource);
            assert_eq!(applied(&[trashed, trashed.undone()]), Difference::default());
        }
    }

    #[test]
    fn emptying_equals_purging_each_item() {
        let (mut before, mut each_purged) = (Difference::default(), Difference::default());
        for resource in each() {
            before = before.and(came_to_be(&resource)).and(Difference::trashed(&resource));
            each_purged = each_purged.and(Difference::purged(&resource));
        }
        let number = |name: &str| {
            let counters = before.by_name();
            let (_, value) = counters.iter().find(|(other, _)| *other == name).unwrap();
            u64::try_from(*value).unwrap()
        };
        let usage = Usage {
            trashed_projects: number("trashed_projects"),
            trashed_datasets: number("trashed_datasets"),
            trashed_models: number("trashed_models"),
            cascaded_models: number("cascaded_models"),
            trashed_dataset_bytes: number("trashed_dataset_bytes"),
            trashed_model_bytes: number("trashed_model_bytes"),
            ..Usage::default()
        };
        assert_eq!(Difference::emptied(&usage), each_purged);
        assert_eq!(usage.trashed(), 3);
    }
}
