//! Projects, datasets and models.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    activity::{Action, ResourceType},
    id::{DatasetId, ModelId, ProjectId, WorkspaceId},
    settings::{Change, given, not_null},
    text::{Invalid, LINE_PATTERN, PARAGRAPH_PATTERN, line, paragraph, string_value},
};

/// The type of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Kind {
    /// A project, which contains models.
    Project,
    /// A dataset, which contains training data.
    Dataset,
    /// A model, which contains weights. Optionally belongs to a project.
    Model,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Project, Self::Dataset, Self::Model];

    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Dataset => "dataset",
            Self::Model => "model",
        }
    }

    /// The plural.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Project => "projects",
            Self::Dataset => "datasets",
            Self::Model => "models",
        }
    }

    /// The resource type in activity events.
    pub const fn in_history(self) -> ResourceType {
        match self {
            Self::Project => ResourceType::Project,
            Self::Dataset => ResourceType::Dataset,
            Self::Model => ResourceType::Model,
        }
    }
}

/// The id of a project, a dataset or a model. The prefix gives the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceId {
    /// The id of a project.
    Project(ProjectId),
    /// The id of a dataset.
    Dataset(DatasetId),
    /// The id of a model.
    Model(ModelId),
}

impl ResourceId {
    /// The kind of the resource.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Project(_) => Kind::Project,
            Self::Dataset(_) => Kind::Dataset,
            Self::Model(_) => Kind::Model,
        }
    }

    /// The preceding id of the same kind.
    pub fn before(self) -> Self {
        match self {
            Self::Project(id) => Self::Project(id.before()),
            Self::Dataset(id) => Self::Dataset(id.before()),
            Self::Model(id) => Self::Model(id.before()),
        }
    }

    /// The project, if the id is a project's.
    pub const fn project(self) -> Option<ProjectId> {
        match self {
            Self::Project(id) => Some(id),
            Self::Dataset(_) | Self::Model(_) => None,
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => id.fmt(f),
            Self::Dataset(id) => id.fmt(f),
            Self::Model(id) => id.fmt(f),
        }
    }
}

impl FromStr for ResourceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let project = text.parse().map(Self::Project);
        project.or_else(|_| text.parse().map(Self::Dataset)).or_else(|_| text.parse().map(Self::Model))
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ResourceId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResourceId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(proj|dset|model)_[0-7][0-9a-hjkmnp-tv-z]{25}$" })
    }
}

/// A name in URLs, unique within its scope: 1 to 64 of `a`–`z`, `0`–`9` and `-`, without hyphens at the ends and
/// without double hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(String);

impl Slug {
    /// Maximum length in characters.
    const MAX: usize = 64;

    /// Parses a slug.
    ///
    /// # Errors
    ///
    /// When the slug breaks a rule.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let sentence = if input.is_empty() || input.len() > Self::MAX {
            "Use 1 to 64 characters."
        } else if !input.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            "Use lower-case letters a to z, digits and hyphens only."
        } else if input.split('-').any(str::is_empty) {
            "Use single hyphens, and none at the start or end."
        } else {
            return Ok(Self(input.to_owned()));
        };
        Err(Invalid::new(sentence))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": Self::MAX, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
        })
    }
}

string_value!(Slug);

/// A display name: one line of 1 to 128 characters. Need not be unique.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ResourceName(String);

impl ResourceName {
    /// Parses a name by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the name is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 128).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": LINE_PATTERN })
    }
}

string_value!(ResourceName);

/// A description: 1 to 2,000 characters on any number of lines. `None` in an `Option` if empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Description(String);

impl Description {
    /// Parses a description by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the description is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        paragraph(input, 1, 2_000).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 2_000, "pattern": PARAGRAPH_PATTERN })
    }
}

string_value!(Description);

/// Visibility of a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Visibility {
    /// Visible to members of the workspace.
    #[default]
    Private,
    /// Meant for everyone. Only members of the workspace can read it yet.
    Public,
}

/// A project, dataset or model that is not in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The id.
    pub id: ResourceId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The project of a model. Applies only while the project is not in the trash.
    pub project: Option<ProjectId>,
    /// The slug, unique within its [`parent`](Self::parent).
    pub slug: Slug,
    /// The display name.
    pub name: ResourceName,
    /// The description.
    pub description: Option<Description>,
    /// The visibility.
    pub visibility: Visibility,
    /// Number of models in a project.
    #[serde(default)]
    pub models: u64,
    /// Size of all files in bytes. The size of a project is the size of its models.
    #[serde(default)]
    pub size_bytes: u64,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change. Changes of a project's models do not change the project.
    pub updated_at: Timestamp,
    /// Counts every write, including changes of a project's counters.
    pub version: u64,
}

impl Resource {
    /// The scope in which the slug is unique.
    pub fn parent(&self) -> Parent {
        Parent { workspace: self.workspace, kind: self.id.kind(), project: self.project }
    }
}

/// New values for some fields of a resource.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Patch {
    /// A new slug.
    #[serde(deserialize_with = "not_null")]
    #[schemars(with = "Slug", skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    /// A new name.
    #[serde(deserialize_with = "not_null")]
    #[schemars(with = "ResourceName", skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    /// A new description. `null` and the empty string remove the description.
    #[serde(deserialize_with = "given")]
    pub description: Option<Change<Description>>,
    /// The new visibility.
    #[serde(deserialize_with = "not_null")]
    #[schemars(with = "Visibility", skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// The result of applying a patch to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The changed resource.
    pub resource: Resource,
    /// The action: made public, made private, or another change.
    pub action: Action,
    /// Names of the changed fields.
    pub fields: Vec<&'static str>,
}

impl Patch {
    /// Applies the patch. `None` if nothing changes.
    pub fn apply(&self, before: &Resource, now: Timestamp) -> Option<Edited> {
        let description = match &self.description {
            Some(change) => change.clone().value(),
            None => before.description.clone(),
        };
        let resource = Resource {
            slug: self.slug.clone().unwrap_or_else(|| before.slug.clone()),
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            description,
            visibility: self.visibility.unwrap_or(before.visibility),
            updated_at: now,
            version: before.version.saturating_add(1),
            ..before.clone()
        };
        let fields = [
            ("slug", resource.slug != before.slug),
            ("name", resource.name != before.name),
            ("description", resource.description != before.description),
            ("visibility", resource.visibility != before.visibility),
        ];
        let fields: Vec<_> =
            fields.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect();
        let action = match (before.visibility, resource.visibility) {
            (Visibility::Private, Visibility::Public) => Action::Shared,
            (Visibility::Public, Visibility::Private) => Action::Unshared,
            _ => Action::Updated,
        };
        (!fields.is_empty()).then_some(Edited { resource, action, fields })
    }
}

/// The scope in which a slug is unique: the models of a project, or the resources of one kind in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The kind.
    pub kind: Kind,
    /// The project, for models in a project.
    pub project: Option<ProjectId>,
}

/// The position in a list after which the next page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The project, for a list of its models.
    pub project: Option<ProjectId>,
    /// The last resource of the page.
    pub id: ResourceId,
}

impl Position {
    /// The position after `resource`.
    pub fn after(resource: &Resource) -> Self {
        Self { project: resource.project, id: resource.id }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.project {
            Some(project) => write!(f, "{project}/{}", self.id),
            None => self.id.fmt(f),
        }
    }
}

impl FromStr for Position {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once('/') {
            Some((project, id)) => Ok(Self { project: Some(project.parse()?), id: id.parse()? }),
            None => Ok(Self { project: None, id: text.parse()? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x21);
        }
    }

    #[test]
    fn id_prefix_gives_kind() {
        let model = ModelId::new(Timestamp::from_second(1).unwrap(), &Fixed);
        let id: ResourceId = model.to_string().parse().unwrap();
        assert_eq!(
            (id, id.kind(), id.to_string()),
            (ResourceId::Model(model), Kind::Model, model.to_string())
        );
        for bad in ["", "proj_", "key_01ja0000000000000000000000", &model.to_string().to_uppercase()] {
            assert!(bad.parse::<ResourceId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn position_parses_back_with_and_without_project() {
        let now = Timestamp::from_second(1).unwrap();
        let (id, project) = (ResourceId::Model(ModelId::new(now, &Fixed)), ProjectId::new(now, &Fixed));
        for position in [Position { project: None, id }, Position { project: Some(project), id }] {
            assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }
    }

    fn dataset() -> Resource {
        let at = Timestamp::UNIX_EPOCH;
        Resource {
            id: ResourceId::Dataset(DatasetId::floor(at)),
            workspace: WorkspaceId::floor(at),
            project: None,
            slug: Slug::parse("coco").unwrap(),
            name: ResourceName::parse("COCO").unwrap(),
            description: Some(Description::parse("objects in context").unwrap()),
            visibility: Visibility::Private,
            models: 0,
            size_bytes: 7,
            created_at: at,
            updated_at: at,
            version: 4,
        }
    }

    #[test]
    fn patch_changes_only_named_fields() {
        let (before, now) = (dataset(), Timestamp::from_second(9).unwrap());
        let patch = |json: &str| serde_json::from_str::<Patch>(json).unwrap().apply(&before, now);
        assert_eq!(patch("{}"), None);
        assert_eq!(patch(r#"{"name":"COCO","visibility":"private"}"#), None);
        let edited = patch(r#"{"slug":"coco-2"}"#).unwrap();
        let wanted =
            Resource { slug: Slug::parse("coco-2").unwrap(), updated_at: now, version: 5, ..before.clone() };
        assert_eq!(edited, Edited { resource: wanted, action: Action::Updated, fields: vec!["slug"] });
        let cleared = patch(r#"{"description":null}"#).unwrap();
        assert_eq!((cleared.resource.description, cleared.fields), (None, vec!["description"]));
        let shared = patch(r#"{"visibility":"public","name":"x"}"#).unwrap();
        assert_eq!((shared.action, shared.fields), (Action::Shared, vec!["name", "visibility"]));
    }

    #[test]
    fn slug_is_url_safe() {
        for valid in ["a", "yolo-11", "0"] {
            assert_eq!(Slug::parse(valid).unwrap().as_str(), valid);
        }
        for bad in ["", "A", "a--b", "-a", "a-", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
