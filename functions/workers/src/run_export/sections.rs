//! What a bundle consists of, in its order: sections, each a file of the ZIP or a member of the JSON document, and the stages
//! in which each is read.

use domain::resource::Kind;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

use super::rows;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Account,
    Projects,
    Datasets,
    Models,
    Files,
    Activity,
    Transactions,
    ApiKeys,
}

impl Section {
    /// Every section.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::Projects,
        Self::Datasets,
        Self::Models,
        Self::Files,
        Self::Activity,
        Self::Transactions,
        Self::ApiKeys,
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
        }
    }

    /// The file that says what its records look like.
    pub fn schema_file(self) -> String {
        let name = self.file().split('.').next().unwrap_or_default();
        format!("schemas/{name}.schema.json")
    }

    /// What its records look like: of `account.json` the whole, of the others each line.
    pub fn schema(self) -> Schema {
        match self {
            Self::Account => schema::<rows::Account>(),
            Self::Projects => schema::<rows::Project>(),
            Self::Datasets => schema::<rows::Dataset>(),
            Self::Models => schema::<rows::Model>(),
            Self::Files => schema::<rows::File>(),
            Self::Activity => schema::<rows::Activity>(),
            Self::Transactions => schema::<rows::Transaction>(),
            Self::ApiKeys => schema::<rows::Key>(),
        }
    }

    /// What is in it, for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Account => {
                "your profile, your addresses, connected accounts, what you store, your teams, and where you are signed in"
            }
            Self::Projects => "your projects, those in the trash too",
            Self::Datasets => "your datasets, those in the trash too, without their images",
            Self::Models => "your models, those in the trash too, without their weights",
            Self::Files => {
                "the files of your datasets and models: names, types and sizes, not what is in them"
            }
            Self::Activity => "everything that happened in your account, the oldest first",
            Self::Transactions => "every movement of your balance",
            Self::ApiKeys => "your API keys: names, first characters and dates, never the keys themselves",
        }
    }
}

/// A type's schema, by itself.
pub fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// What is read at one go, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Sessions.
    Sessions,
    /// What of a kind is not in the trash.
    Live(Kind),
    /// What of a kind is.
    Trashed(Kind),
    /// The files of what of a kind is not in the trash.
    FilesOf(Kind),
    /// The files of what is in the trash.
    FilesOfTrashed,
    /// The history.
    Events,
    /// Movements of the balance.
    Transactions,
    /// API keys.
    Keys,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 13] = [
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
        }
    }

    /// The one after it.
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|stage| *stage != self).nth(1)
    }

    /// How many of a hundred steps are behind when it begins; the history takes most.
    pub fn begins_at(self) -> u8 {
        let place = Self::ALL.iter().position(|stage| *stage == self).unwrap_or_default();
        let few = u8::try_from(place).unwrap_or_default();
        if place > 10 { few.saturating_add(84) } else { few }
    }
}

#[cfg(test)]
mod tests {
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
}
