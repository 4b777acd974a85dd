//! Key management: creation, aliases, disabling, deletion, rotation.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid;
use super::keys::{Contents, Key, Keys, Rotation, State, after_days};
use crate::account::ACCOUNT;
use crate::answer::Refusal;

/// The maximum number of on-demand rotations
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html#on-demand-rotation-limit>).
const MAX_ON_DEMAND_ROTATIONS: u32 = 25;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateKey {
    #[serde(default)]
    description: String,
    key_spec: Option<String>,
    key_usage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAlias {
    alias_name: String,
    target_key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyIdInput {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ScheduleDeletion {
    key_id: String,
    pending_window_in_days: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EnableRotation {
    key_id: String,
    rotation_period_in_days: Option<i64>,
}

pub(super) fn create_key(keys: &mut Keys, input: CreateKey, now: Timestamp) -> Result<Value, Refusal> {
    let symmetric = input.key_spec.as_deref().is_none_or(|spec| spec == "SYMMETRIC_DEFAULT")
        && input.key_usage.as_deref().is_none_or(|usage| usage == "ENCRYPT_DECRYPT");
    if !symmetric {
        return Err(Refusal::new(
            "UnsupportedOperationException",
            "This stand-in only creates symmetric encryption keys",
        ));
    }
    let key = Key::new(input.description, now);
    let id = key.id.clone();
    keys.change(|contents| {
        contents.keys.insert(key.id.clone(), key);
        Ok(())
    })?;
    Ok(json!({ "KeyMetadata": metadata(keys, &id)? }))
}

pub(super) fn create_alias(keys: &mut Keys, input: CreateAlias) -> Result<Value, Refusal> {
    let name = input.alias_name;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
    let rest = name.strip_prefix("alias/").unwrap_or("");
    if rest.is_empty() || name.len() > 256 || !rest.chars().all(plain) {
        return Err(invalid(
            &name,
            "aliasName",
            "Member must satisfy regular expression pattern: ^alias/[a-zA-Z0-9/_-]+$",
        ));
    }
    if rest.starts_with("aws/") {
        return Err(Refusal::new(
            "NotAuthorizedException",
            "Aliases that begin with alias/aws/ are reserved for AWS",
        ));
    }
    let id = keys.resolve(&input.target_key_id)?;
    if matches!(keys.get(&id)?.state, State::PendingDeletion(_)) {
        return Err(keys.pending(&id));
    }
    if keys.contents.aliases.contains_key(&name) {
        let message = format!("An alias with the name {name} already exists");
        return Err(Refusal::new("AlreadyExistsException", message));
    }
    keys.change(|contents| {
        contents.aliases.insert(name, id);
        Ok(json!({}))
    })
}

pub(super) fn describe_key(keys: &Keys, input: KeyIdInput) -> Result<Value, Refusal> {
    let id = keys.resolve(&input.key_id)?;
    Ok(json!({ "KeyMetadata": metadata(keys, &id)? }))
}

pub(super) fn set_enabled(keys: &mut Keys, input: KeyIdInput, enabled: bool) -> Result<Value, Refusal> {
    let id = not_pending(keys, &input.key_id)?;
    let state = if enabled { State::Enabled } else { State::Disabled };
    change(keys, &id, |key| key.state = state)?;
    Ok(json!({}))
}

pub(super) fn schedule_deletion(
    keys: &mut Keys,
    input: ScheduleDeletion,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let days = input.pending_window_in_days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        let bound = if days < 7 { "greater than or equal to 7" } else { "less than or equal to 30" };
        let constraint = format!("Member must have value {bound}");
        return Err(invalid(&days.to_string(), "pendingWindowInDays", &constraint));
    }
    let id = not_pending(keys, &input.key_id)?;
    let at = after_days(now, days);
    change(keys, &id, |key| key.state = State::PendingDeletion(at))?;
    Ok(json!({
        "KeyId": keys.arn(&id),
        "DeletionDate": seconds(at),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

pub(super) fn cancel_deletion(keys: &mut Keys, input: KeyIdInput) -> Result<Value, Refusal> {
    let id = keys.resolve(&input.key_id)?;
    if !matches!(keys.get(&id)?.state, State::PendingDeletion(_)) {
        let message = format!("{} is not pending deletion.", keys.arn(&id));
        return Err(Refusal::new("KMSInvalidStateException", message));
    }
    // Cancelling deletion leaves the key disabled.
    change(keys, &id, |key| key.state = State::Disabled)?;
    Ok(json!({ "KeyId": keys.arn(&id) }))
}

pub(super) fn rotate_on_demand(keys: &mut Keys, input: KeyIdInput) -> Result<Value, Refusal> {
    let id = keys.resolve(&input.key_id)?;
    let key = keys.get(&id)?;
    keys.usable(key)?;
    if key.on_demand >= MAX_ON_DEMAND_ROTATIONS {
        let message = format!("{} was rotated on demand {MAX_ON_DEMAND_ROTATIONS} times", keys.arn(&id));
        return Err(Refusal::new("LimitExceededException", message));
    }
    change(keys, &id, |key| {
        key.on_demand += 1;
        key.rotate();
    })?;
    Ok(json!({ "KeyId": keys.arn(&id) }))
}

pub(super) fn enable_rotation(
    keys: &mut Keys,
    input: EnableRotation,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let days = input.rotation_period_in_days.unwrap_or(365);
    if !(90..=2560).contains(&days) {
        let bound = if days < 90 { "greater than or equal to 90" } else { "less than or equal to 2560" };
        let constraint = format!("Member must have value {bound}");
        return Err(invalid(&days.to_string(), "rotationPeriodInDays", &constraint));
    }
    let id = keys.resolve(&input.key_id)?;
    keys.usable(keys.get(&id)?)?;
    change(keys, &id, |key| key.rotation = Some(Rotation { days, next: after_days(now, days) }))?;
    Ok(json!({}))
}

pub(super) fn rotation_status(keys: &Keys, input: KeyIdInput) -> Result<Value, Refusal> {
    let id = keys.resolve(&input.key_id)?;
    let key = keys.get(&id)?;
    let pending = matches!(key.state, State::PendingDeletion(_));
    Ok(match key.rotation.filter(|_| !pending) {
        None => json!({ "KeyId": keys.arn(&id), "KeyRotationEnabled": false }),
        Some(rotation) => json!({
            "KeyId": keys.arn(&id),
            "KeyRotationEnabled": true,
            "RotationPeriodInDays": rotation.days,
            "NextRotationDate": seconds(rotation.next),
        }),
    })
}

fn not_pending(keys: &Keys, name: &str) -> Result<String, Refusal> {
    let id = keys.resolve(name)?;
    match keys.get(&id)?.state {
        State::PendingDeletion(_) => Err(keys.pending(&id)),
        State::Enabled | State::Disabled => Ok(id),
    }
}

fn change(keys: &mut Keys, id: &str, change: impl FnOnce(&mut Key)) -> Result<(), Refusal> {
    keys.change(|contents: &mut Contents| {
        if let Some(key) = contents.keys.get_mut(id) {
            change(key);
        }
        Ok(())
    })
}

fn metadata(keys: &Keys, id: &str) -> Result<Value, Refusal> {
    let key = keys.get(id)?;
    let (state, deletion) = match key.state {
        State::Enabled => ("Enabled", None),
        State::Disabled => ("Disabled", None),
        State::PendingDeletion(at) => ("PendingDeletion", Some(seconds(at))),
    };
    Ok(json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": keys.arn(id),
        "CreationDate": seconds(key.created),
        "DeletionDate": deletion,
        "Description": key.description,
        "Enabled": key.state == State::Enabled,
        "KeyState": state,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyManager": "CUSTOMER",
        "Origin": "AWS_KMS",
        "MultiRegion": false,
    }))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
