//! Changes to a profile, field by field.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    id::IconId,
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    social::{Discord, Github, Linkedin, Scholar, SocialLink, Twitter, Website, Youtube},
    workspace::{Profile, WorkspaceKind},
};

/// A new value for an optional field. `null` and the empty string remove the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// Sets the value.
    Set(T),
    /// Removes the value.
    Clear,
}

impl<T> Change<T> {
    /// The new value of the field.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Clear => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::{Error, IntoDeserializer};
        match Option::<String>::deserialize(from)? {
            None => Ok(Self::Clear),
            Some(text) if text.trim().is_empty() => Ok(Self::Clear),
            Some(text) => {
                let text: serde::de::value::StringDeserializer<serde::de::value::Error> =
                    text.into_deserializer();
                T::deserialize(text).map(Self::Set).map_err(D::Error::custom)
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Change<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Change{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [value, { "type": "null" }, { "type": "string", "maxLength": 0 }] })
    }
}

/// New values for some of the settings.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SettingsPatch {
    /// A new display name. Can't be removed.
    #[serde(deserialize_with = "not_null")]
    #[schemars(with = "DisplayName", skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// A new company.
    #[serde(deserialize_with = "given")]
    pub company: Option<Change<Company>>,
    /// A new use case.
    #[serde(deserialize_with = "given")]
    pub use_case: Option<Change<UseCase>>,
    /// A new bio.
    #[serde(deserialize_with = "given")]
    pub bio: Option<Change<Bio>>,
    /// A new icon colour.
    #[serde(deserialize_with = "given")]
    pub icon_color: Option<Change<IconColor>>,
    /// New initials for the icon.
    #[serde(deserialize_with = "given")]
    pub icon_letter: Option<Change<IconLetters>>,
    /// A new GitHub profile.
    #[serde(deserialize_with = "given")]
    pub github: Option<Change<SocialLink<Github>>>,
    /// A new LinkedIn profile.
    #[serde(deserialize_with = "given")]
    pub linkedin: Option<Change<SocialLink<Linkedin>>>,
    /// A new X profile.
    #[serde(deserialize_with = "given")]
    pub twitter: Option<Change<SocialLink<Twitter>>>,
    /// A new YouTube channel.
    #[serde(deserialize_with = "given")]
    pub youtube: Option<Change<SocialLink<Youtube>>>,
    /// A new Google Scholar profile.
    #[serde(deserialize_with = "given")]
    pub scholar: Option<Change<SocialLink<Scholar>>>,
    /// A new Discord server or user.
    #[serde(deserialize_with = "given")]
    pub discord: Option<Change<SocialLink<Discord>>>,
    /// A new website.
    #[serde(deserialize_with = "given")]
    pub website: Option<Change<SocialLink<Website>>>,
    /// Whether early-access features are enabled. Only for personal accounts.
    #[serde(deserialize_with = "not_null")]
    #[schemars(with = "bool", skip_serializing_if = "Option::is_none")]
    pub early_access: Option<bool>,
}

/// Reads a required member of a patch. Without this function, serde reads `null` as a missing member.
pub(crate) fn not_null<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let missing = || serde::de::Error::custom("Provide a value, or leave the field out. It can't be null.");
    Option::<T>::deserialize(from)?.map(Some).ok_or_else(missing)
}

/// Distinguishes `null` (remove the value) from a missing member (keep the value).
pub fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Change<T>>, D::Error> {
    Change::deserialize(from).map(Some)
}

/// The changed fields with their values before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangedFields(pub Map<String, Value>);

/// The patch cannot be applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Only personal accounts have early access. Remove this field.")]
pub struct NotForTeams;

/// Applies `patch`. Returns `None` if nothing changes.
pub fn apply(
    profile: &Profile,
    kind: WorkspaceKind,
    patch: SettingsPatch,
) -> Result<Option<(Profile, ChangedFields)>, NotForTeams> {
    if patch.early_access.is_some() && kind == WorkspaceKind::Team {
        return Err(NotForTeams);
    }
    let mut after = profile.clone();
    if let Some(name) = patch.display_name {
        after.display_name = name;
    }
    if let Some(early_access) = patch.early_access {
        after.early_access = early_access;
    }
    macro_rules! fields {
        ($($given:expr => $field:expr;)*) => {$(
            if let Some(change) = $given {
                $field = change.value();
            }
        )*};
    }
    fields! {
        patch.company => after.company;
        patch.use_case => after.use_case;
        patch.bio => after.bio;
        patch.icon_color => after.icon_color;
        patch.icon_letter => after.icon_letter;
        patch.github => after.socials.github;
        patch.linkedin => after.socials.linkedin;
        patch.twitter => after.socials.twitter;
        patch.youtube => after.socials.youtube;
        patch.scholar => after.socials.scholar;
        patch.discord => after.socials.discord;
        patch.website => after.socials.website;
    }
    Ok((after != *profile).then(|| {
        let changed = difference(profile, &after);
        (after, changed)
    }))
}

/// A change of a workspace's icon. The picture is replaced, or removed if there is none.
#[derive(Debug, Clone, Default)]
pub struct IconChange {
    /// The new picture.
    pub image: Option<IconId>,
    /// A new colour.
    pub color: Option<Change<IconColor>>,
    /// New initials.
    pub letters: Option<Change<IconLetters>>,
}

/// Changes the icon. Returns `None` if nothing changes.
pub fn apply_icon(profile: &Profile, change: &IconChange) -> Option<(Profile, ChangedFields)> {
    let mut after = Profile { image: change.image, ..profile.clone() };
    if let Some(color) = change.color.clone() {
        after.icon_color = color.value();
    }
    if let Some(letters) = change.letters.clone() {
        after.icon_letter = letters.value();
    }
    let changed = difference(profile, &after);
    (after != *profile).then_some((after, changed))
}

/// The fields that differ, each as `{"from": …, "to": …}`.
fn difference(before: &Profile, after: &Profile) -> ChangedFields {
    let flat = |profile: &Profile| -> Map<String, Value> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(profile) else { return Map::new() };
        if let Some(Value::Object(socials)) = fields.remove("socials") {
            fields.extend(socials);
        }
        fields
    };
    let (before, after) = (flat(before), flat(after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let pick = |fields: &Map<String, Value>, name: &String| fields.get(name).cloned().unwrap_or(Value::Null);
    ChangedFields(
        names
            .map(|name| (name.clone(), pick(&before, name), pick(&after, name)))
            .filter(|(_, from, to)| from != to)
            .map(|(name, from, to)| (name, serde_json::json!({ "from": from, "to": to })))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        serde_json::from_value(serde_json::json!({
            "displayName": "Ada", "company": "Engines", "useCase": null, "bio": null, "iconColor": null,
            "iconLetter": null, "socials": { "github": "https://github.com/ada" },
        }))
        .unwrap()
    }

    fn patch(value: Value) -> SettingsPatch {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn patch_changes_named_fields_and_null_removes() {
        let wanted = patch(serde_json::json!({ "company": null, "github": "", "bio": "I build engines." }));
        let (after, changed) = apply(&profile(), WorkspaceKind::Personal, wanted).unwrap().unwrap();
        assert_eq!(after.company, None);
        assert_eq!(after.socials.github, None);
        assert_eq!(after.display_name, profile().display_name);
        assert_eq!(
            Value::Object(changed.0),
            serde_json::json!({
                "company": { "from": "Engines", "to": null },
                "bio": { "from": null, "to": "I build engines." },
                "github": { "from": "https://github.com/ada", "to": null },
            })
        );
    }

    #[test]
    fn equal_value_is_no_change() {
        let wanted = patch(serde_json::json!({ "displayName": "Ada", "github": "@ada", "bio": null }));
        assert_eq!(apply(&profile(), WorkspaceKind::Personal, wanted).unwrap(), None);
    }

    #[test]
    fn early_access_for_team_is_refused() {
        let wanted = patch(serde_json::json!({ "earlyAccess": true }));
        assert!(apply(&profile(), WorkspaceKind::Team, wanted).is_err());
    }

    #[test]
    fn null_for_required_setting_is_refused() {
        for name in ["displayName", "earlyAccess"] {
            let error =
                serde_json::from_value::<SettingsPatch>(serde_json::json!({ name: null })).unwrap_err();
            assert!(error.to_string().contains("can't be null"), "{error}");
        }
        let schema = schemars::schema_for!(SettingsPatch).to_value();
        let display_name = &schema["properties"]["displayName"];
        assert_eq!((&display_name["type"], display_name.get("default")), (&"string".into(), None));
    }

    #[test]
    fn unknown_field_is_refused() {
        assert!(serde_json::from_value::<SettingsPatch>(serde_json::json!({ "username": "x" })).is_err());
    }
}
