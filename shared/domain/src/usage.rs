//! What a workspace uses: how much there is of what, kept as it changes, and never counted anew.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    activity::Actor,
    resource::{Kind, Resource},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// What a workspace has. Everything that is stored counts, in the trash or not, until it is removed.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Usage {
            $($(#[$doc])* pub $name: u64,)*
            /// Counts every change of what lies in the trash.
            pub trash_version: u64,
            /// When the newest of what ever came into the trash came there.
            #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
            pub trashed_until: Option<Timestamp>,
            /// What came into the trash until then is gone, whether or not it was removed yet.
            #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
            pub emptied_until: Option<Timestamp>,
            /// Who emptied it last.
            pub emptied_by: Option<Actor>,
            /// When one of the counters changed last.
            #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
            pub changed_at: Option<Timestamp>,
        }

        /// What is added to the counters, or taken from them.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Difference {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl Difference {
            /// The counters' names in the record, and what is added to each.
            pub fn by_name(&self) -> Vec<(&'static str, i64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// The opposite.
            #[must_use]
            pub fn undone(self) -> Self {
                Self { $($name: self.$name.saturating_neg(),)* }
            }

            /// Both.
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
    /// Models that are not in the trash, those of projects too.
    models;
    /// Bytes of the datasets' files.
    dataset_bytes;
    /// Bytes of the models' files.
    model_bytes;
    /// All bytes that are stored or promised to uploads: what the plan limits.
    committed_bytes;
    /// Projects in the trash.
    trashed_projects;
    /// Datasets in the trash.
    trashed_datasets;
    /// Models that were put into the trash by themselves.
    trashed_models;
    /// Models that went into the trash with their projects.
    cascaded_models;
    /// Bytes in the trash that are datasets'.
    trashed_dataset_bytes;
    /// Bytes in the trash that are models', those of projects too.
    trashed_model_bytes;
}

impl Difference {
    /// One more that is not in the trash, with nothing in it.
    pub fn made(kind: Kind) -> Self {
        match kind {
            Kind::Project => Self { projects: 1, ..Self::default() },
            Kind::Dataset => Self { datasets: 1, ..Self::default() },
            Kind::Model => Self { models: 1, ..Self::default() },
        }
    }

    /// It goes into the trash with all that is in it. Undone, it comes back.
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

    /// It is taken out of the trash for good.
    pub fn purged(resource: &Resource) -> Self {
        let bytes = signed(resource.size_bytes);
        let stored = match resource.id.kind() {
            Kind::Dataset => Self { dataset_bytes: bytes, ..Self::default() },
            Kind::Project | Kind::Model => Self { model_bytes: bytes, ..Self::default() },
        };
        let live = Self { committed_bytes: bytes, ..Self::made(resource.id.kind()) };
        let models = Self { models: signed(resource.models), ..Self::default() };
        // As if it had been there and were taken away: what it was as a live one, and its way into the trash.
        stored.and(live).and(models).and(Self::trashed(resource)).undone()
    }

    /// Bytes are promised to an upload. Undone, they are free again.
    pub fn promised(bytes: u64) -> Self {
        Self { committed_bytes: signed(bytes), ..Self::default() }
    }

    /// Promised bytes of a dataset or a model are stored; as many as were promised.
    pub fn stored(kind: Kind, bytes: u64) -> Self {
        match kind {
            Kind::Dataset => Self { dataset_bytes: signed(bytes), ..Self::default() },
            Kind::Project | Kind::Model => Self { model_bytes: signed(bytes), ..Self::default() },
        }
    }

    /// All that is in the trash is taken out of it for good.
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
    /// The bytes that are stored.
    pub fn stored_bytes(&self) -> u64 {
        self.dataset_bytes.saturating_add(self.model_bytes)
    }

    /// How many things lie in the trash: a project with its models is one.
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

    /// What came of it, starting with nothing.
    fn applied(differences: &[Difference]) -> Difference {
        differences.iter().fold(Difference::default(), |sum, difference| sum.and(*difference))
    }

    /// All that a live one was counted with.
    fn came_to_be(resource: &Resource) -> Difference {
        let models = Difference { models: signed(resource.models), ..Difference::default() };
        let kind = resource.id.kind();
        let (promised, stored) =
            (Difference::promised(resource.size_bytes), Difference::stored(kind, resource.size_bytes));
        applied(&[Difference::made(kind), models, promised, stored])
    }

    #[test]
    fn what_was_made_and_purged_leaves_nothing_behind() {
        for resource in each() {
            let all = [came_to_be(&resource), Difference::trashed(&resource), Difference::purged(&resource)];
            assert_eq!(applied(&all), Difference::default(), "{resource:?}");
        }
    }

    #[test]
    fn restoring_is_the_opposite_of_trashing() {
        for resource in each() {
            let trashed = Difference::trashed(&resource);
            assert_eq!(applied(&[trashed, trashed.undone()]), Difference::default());
        }
    }

    #[test]
    fn emptying_is_purging_each() {
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
