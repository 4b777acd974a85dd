//! Secrets and their versions, as they are stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) type SecretsByName = BTreeMap<String, Secret>;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    pub(super) versions: BTreeMap<String, Version>,
    /// The rotation function.
    #[serde(default)]
    pub(super) rotated_by: Option<String>,
    /// When the last rotation was completed.
    #[serde(default)]
    pub(super) rotated: Option<Timestamp>,
    /// The primary region, if the secret is a replica.
    #[serde(default)]
    pub(super) primary: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) created: Timestamp,
    pub(super) stages: Vec<String>,
    pub(super) kind: ValueType,
    /// The ciphertext; `None` if a rotation has only created the version.
    pub(super) sealed: Option<String>,
}

/// The type of a secret value.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ValueType {
    String,
    Binary,
}
