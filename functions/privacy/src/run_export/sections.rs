//! The sections of a bundle, each a file of the ZIP or a member of the JSON document, and the stages that read them, in order.

use domain::resource::Kind;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

use super::rows;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    Account,
    Projects,
    Datasets,
    Models,
    Files,
    Activity,
    Transactions,
    ApiKeys,
    Uploads,
}

impl Section {
    /// Every section. New ones are added at the end: a bundle that an earlier version began has the sections before them.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Projects,
        Self::Datasets,
        Self::Models,
        Self::Files,
        Self::Activity,
        Self::Transactions,
        Self::ApiKeys,
        Self::Uploads,
    ];

    /// Its name in the JSON document.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Projects => "projects",
            Self::Datasets => "datasets",
            Self::Models => "models",
            Self::Files => "files",
            Self::Activity => "activity",
            Self::Transactions => "transactions",
            Self::ApiKeys => "apiKeys",
            Self::Uploads => "uploads",
        }
    }

    /// Its file in the ZIP.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Account => "account.json",
            Self::Projects => "projects.ndjson",
            Self::Datasets => "datasets.ndjson",
            Self::Models => "models.ndjson",
            Self::Files => "files.ndjson",
            Self::Activity => "activity.ndjson",
            Self::Transactions => "transactions.ndjson",
            Self::ApiKeys => "api-keys.ndjson",
            Self::Uploads => "uploads.ndjson",
        }
    }

    /// The file with the schema of its records.
    pub fn schema_file(self) -> String {
        let name = self.file().split('.').next().unwrap_or_default();
        format!("schemas/{name}.schema.json")
    }

    /// The schema of its records: of the whole `account.json`, and of each line of the other files.
    pub fn schema(self) -> Schema {
        match self {
            Self::Account => schema::<rows::Account>(),
            Self::Projects => schema::<rows::Project>(),
            Self::Datasets => schema::<rows::Dataset>(),
            Self::Models => schema::<rows::Model>(),
            Self::Files => schema::<rows::FileRow>(),
            Self::Activity => schema::<rows::Activity>(),
            Self::Transactions => schema::<rows::TransactionRow>(),
            Self::ApiKeys => schema::<rows::KeyRow>(),
            Self::Uploads => schema::<rows::BegunUpload>(),
        }
    }

    /// A description for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Account => {
                "your profile, your addresses, connected accounts, what you store, your wallet, your teams, the accounts that you \
                 follow, and your sessions"
            }
            Self::Projects => "your projects, including the trash",
            Self::Datasets => "your datasets, including the trash, without their images",
            Self::Models => "your models, including the trash, without their weights",
            Self::Files => {
                "the files of your datasets and models: names, types and sizes, without their content"
            }
            Self::Activity => "all activity in your account, oldest first",
            Self::Transactions => "all transactions of your balance, oldest first",
            Self::ApiKeys => "your API keys: names, first characters and dates, without the keys themselves",
            Self::Uploads => "incomplete uploads: file names, types, sizes and expiry times",
        }
    }
}

/// The schema of a type, without references to other documents.
pub fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// A list of records that is read page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Sessions.
    Sessions,
    /// Resources of a kind outside the trash.
    Live(Kind),
    /// Resources of a kind in the trash.
    Trashed(Kind),
    /// The files of resources of a kind outside the trash.
    FilesOf(Kind),
    /// The files of resources in the trash.
    FilesOfTrashed,
    /// The history.
    Events,
    /// Postings of the wallet.
    Transactions,
    /// API keys.
    Keys,
    /// Uploads that were not completed.
    Uploads,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 14] = [
        Self::Sessions,
        Self::Live(Kind::Project),
        Self::Trashed(Kind::Project),
        Self::Live(Kind::Dataset),
        Self::Trashed(Kind::Dataset),
        Self::Live(Kind::Model),
        Self::Trashed(Kind::Model),
        Self::FilesOf(Kind::Dataset),
        Self::FilesOf(Kind::Model),
        Self::FilesOfTrashed,
        Self::Events,
        Self::Transactions,
        Self::Keys,
        Self::Uploads,
    ];

    /// The section that its rows are in.
    pub const fn section(self) -> Section {
        match self {
            Self::Sessions => Section::Account,
            Self::Live(Kind::Project) | Self::Trashed(Kind::Project) => Section::Projects,
            Self::Live(Kind::Dataset) | Self::Trashed(Kind::Dataset) => Section::Datasets,
            Self::Live(Kind::Model) | Self::Trashed(Kind::Model) => Section::Models,
            Self::FilesOf(_) | Self::FilesOfTrashed => Section::Files,
            Self::Events => Section::Activity,
            Self::Transactions => Section::Transactions,
            Self::Keys => Section::ApiKeys,
            Self::Uploads => Section::Uploads,
        }
    }

    /// The next stage.
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|stage| *stage != self).nth(1)
    }

    /// The progress in percent when the stage begins. The history takes the largest share.
    pub fn begins_at(self) -> u8 {
        let place = Self::ALL.iter().position(|stage| *stage == self).unwrap_or_default();
        let few = u8::try_from(place).unwrap_or_default();
        if place > 10 { few.saturating_add(84) } else { few }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kit::{ExportRule, ItemKind};

    use super::*;

    #[test]
    fn the_stages_go_through_all_sections_in_their_order() {
        let mut sections: Vec<Section> = Stage::ALL.iter().map(|stage| stage.section()).collect();
        sections.dedup();
        assert_eq!(sections, Section::ALL);
        let mut stages = vec![Stage::ALL[0]];
        while let Some(next) = stages.last().and_then(|stage| stage.next()) {
            stages.push(next);
        }
        assert_eq!(stages, Stage::ALL);
        let places: Vec<u8> = Stage::ALL.iter().map(|stage| stage.begins_at()).collect();
        assert!(places.is_sorted() && places.iter().all(|place| *place < 100), "{places:?}");
    }

    #[test]
    fn sections_are_those_that_the_kinds_of_items_name() {
        let named = ItemKind::ALL.into_iter().flat_map(|kind| match kind.row().export {
            ExportRule::Section(sections) => sections,
            ExportRule::Omitted(_) => &[],
        });
        let named: BTreeSet<&str> = named.copied().collect();
        assert_eq!(named, Section::ALL.map(Section::member).into_iter().collect());
    }
}
