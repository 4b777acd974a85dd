//! The keys, their states and their material, stored in `kms.json`. In AWS, the material never leaves a hardware
//! security module; here the file takes its place and is the only place with material in plaintext.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cipher::Material;
use crate::account::ACCOUNT;
use crate::answer::Refusal;
use crate::durable;
use crate::service::Service;
use crate::start_error::StandInError;

/// The contents of `kms.json`.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) keys: BTreeMap<String, Key>,
    /// Alias names, including `alias/`, with the ids of their keys.
    pub(super) aliases: BTreeMap<String, String>,
}

/// A symmetric key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) created: Timestamp,
    pub(super) state: State,
    pub(super) rotation: Option<Rotation>,
    /// The number of on-demand rotations.
    pub(super) on_demand: u32,
    /// The material in base64, starting with version 0.
    versions: Vec<String>,
}

/// The state of a key.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Enabled,
    Disabled,
    /// The key is deleted at this time unless deletion is cancelled.
    PendingDeletion(Timestamp),
}

/// The automatic rotation of a key.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Rotation {
    pub(super) days: i64,
    pub(super) next: Timestamp,
}

impl Key {
    pub(super) fn new(description: String, now: Timestamp) -> Self {
        let mut key = Self {
            id: durable::uuid(),
            description,
            created: now,
            state: State::Enabled,
            rotation: None,
            on_demand: 0,
            versions: Vec::new(),
        };
        key.rotate();
        key
    }

    /// Adds new material for encryption. Older material remains for decryption.
    pub(super) fn rotate(&mut self) {
        self.versions.push(BASE64_STANDARD.encode(durable::random::<32>()));
    }

    /// The key id as in a ciphertext.
    pub(super) fn number(&self) -> u128 {
        number(&self.id)
    }

    /// The current version and its material.
    pub(super) fn current(&self) -> Option<(u32, Material)> {
        let version = u32::try_from(self.versions.len().checked_sub(1)?).ok()?;
        Some((version, self.material(version)?))
    }

    pub(super) fn material(&self, version: u32) -> Option<Material> {
        let text = self.versions.get(usize::try_from(version).ok()?)?;
        BASE64_STANDARD.decode(text).ok()?.try_into().ok()
    }
}

fn number(id: &str) -> u128 {
    u128::from_str_radix(&id.replace('-', ""), 16).unwrap_or(0)
}

/// The keys of a region and their file.
pub(super) struct Keys {
    region: String,
    file: PathBuf,
    pub(super) contents: Contents,
}

impl Keys {
    pub(super) fn open(region: &str, file: PathBuf) -> Result<Self, StandInError> {
        Ok(Self { region: region.to_owned(), contents: durable::read(&file)?, file })
    }

    pub(super) fn arn(&self, id: &str) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT}:key/{id}", self.region)
    }

    fn alias_arn(&self, alias: &str) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT}:{alias}", self.region)
    }

    /// Applies a change and saves the file. Reverts the change if it fails.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Contents) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut next = self.contents.clone();
        let result = change(&mut next)?;
        durable::write(&self.file, &next).map_err(|error| Refusal::internal(Service::Kms, &error))?;
        self.contents = next;
        Ok(result)
    }

    /// Performs due deletions and rotations.
    pub(super) fn advance(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let gone = |key: &Key| matches!(key.state, State::PendingDeletion(at) if at <= now);
        let rotates = |key: &Key| {
            key.state == State::Enabled && key.rotation.is_some_and(|rotation| rotation.next <= now)
        };
        if !self.contents.keys.values().any(|key| gone(key) || rotates(key)) {
            return Ok(());
        }
        self.change(|contents| {
            contents.keys.retain(|_, key| !gone(key));
            let keys = &contents.keys;
            contents.aliases.retain(|_, id| keys.contains_key(id));
            for key in contents.keys.values_mut().filter(|key| rotates(key)) {
                key.rotate();
                if let Some(rotation) = &mut key.rotation {
                    rotation.next = after_days(now, rotation.days);
                }
            }
            Ok(())
        })
    }

    /// Resolves a key id, key ARN, alias or alias ARN to a key id.
    pub(super) fn resolve(&self, name: &str) -> Result<String, Refusal> {
        let own = format!("arn:aws:kms:{}:{ACCOUNT}:", self.region);
        let short = match name.strip_prefix(&own) {
            Some(rest) => rest,
            None if name.starts_with("arn:") => return Err(invalid_arn(name)),
            None => name,
        };
        if short.starts_with("alias/") {
            return self.contents.aliases.get(short).cloned().ok_or_else(|| {
                Refusal::new("NotFoundException", format!("Alias {} is not found.", self.alias_arn(short)))
            });
        }
        let id = short.strip_prefix("key/").unwrap_or(short);
        match self.contents.keys.contains_key(id) {
            true => Ok(id.to_owned()),
            false => Err(self.unknown(id)),
        }
    }

    /// The key with this id.
    pub(super) fn get(&self, id: &str) -> Result<&Key, Refusal> {
        self.contents.keys.get(id).ok_or_else(|| self.unknown(id))
    }

    /// The key that a ciphertext identifies.
    pub(super) fn numbered(&self, wanted: u128) -> Option<&Key> {
        self.contents.keys.values().find(|key| key.number() == wanted)
    }

    /// Refuses keys that are disabled or pending deletion.
    pub(super) fn usable(&self, key: &Key) -> Result<(), Refusal> {
        match key.state {
            State::Enabled => Ok(()),
            State::Disabled => {
                Err(Refusal::new("DisabledException", format!("{} is disabled.", self.arn(&key.id))))
            }
            State::PendingDeletion(_) => Err(self.pending(&key.id)),
        }
    }

    pub(super) fn pending(&self, id: &str) -> Refusal {
        Refusal::new("KMSInvalidStateException", format!("{} is pending deletion.", self.arn(id)))
    }

    fn unknown(&self, id: &str) -> Refusal {
        Refusal::new("NotFoundException", format!("Key '{}' does not exist", self.arn(id)))
    }
}

fn invalid_arn(name: &str) -> Refusal {
    Refusal::new("NotFoundException", format!("Invalid arn {name}"))
}

/// Adds days to a time. Saturates at the latest time.
pub(super) fn after_days(now: Timestamp, days: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now)
}
