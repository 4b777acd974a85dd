//! KMS: symmetric keys with the states and errors of
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html> and
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_Operations.html>. Asymmetric keys, grants and key policies
//! are not implemented.

mod cipher;
mod crypto;
mod keys;
mod manage;

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Refusal;
use crate::config::{StandInConfig, TimeSource};
use crate::journal::lock;
use crate::start_error::StandInError;
pub(crate) use cipher::EncryptionContext;
use keys::{Key, Keys};

/// The KMS stand-in.
pub(crate) struct Kms {
    now: TimeSource,
    keys: Mutex<Keys>,
}

impl Kms {
    pub(crate) fn open(config: &StandInConfig) -> Result<Self, StandInError> {
        let keys = Keys::open(&config.region, config.folder.join("kms.json"))?;
        Ok(Self { now: Arc::clone(&config.now), keys: Mutex::new(keys) })
    }

    pub(crate) fn apply(&self, operation: &str, body: &Bytes) -> Result<Value, Refusal> {
        let now = (self.now)();
        let keys = &mut *lock(&self.keys);
        keys.advance(now)?;
        match operation {
            "CreateKey" => manage::create_key(keys, read(body)?, now),
            "CreateAlias" => manage::create_alias(keys, read(body)?),
            "DescribeKey" => manage::describe_key(keys, read(body)?),
            "EnableKey" => manage::set_enabled(keys, read(body)?, true),
            "DisableKey" => manage::set_enabled(keys, read(body)?, false),
            "ScheduleKeyDeletion" => manage::schedule_deletion(keys, read(body)?, now),
            "CancelKeyDeletion" => manage::cancel_deletion(keys, read(body)?),
            "RotateKeyOnDemand" => manage::rotate_on_demand(keys, read(body)?),
            "EnableKeyRotation" => manage::enable_rotation(keys, read(body)?, now),
            "GetKeyRotationStatus" => manage::rotation_status(keys, read(body)?),
            "GenerateDataKey" => crypto::generate_data_key(keys, read(body)?, true),
            "GenerateDataKeyWithoutPlaintext" => crypto::generate_data_key(keys, read(body)?, false),
            "Encrypt" => crypto::encrypt(keys, read(body)?),
            "Decrypt" => crypto::decrypt(keys, read(body)?),
            "ReEncrypt" => crypto::re_encrypt(keys, read(body)?),
            _ => Err(Refusal::bare("UnknownOperationException")),
        }
    }

    /// Encrypts on behalf of another service with the AWS managed key of that service, which is created on first use.
    pub(crate) fn seal_for(
        &self,
        alias: &str,
        key: Option<&str>,
        context: &EncryptionContext,
        plain: &[u8],
    ) -> Result<String, Refusal> {
        let now = (self.now)();
        let keys = &mut *lock(&self.keys);
        keys.advance(now)?;
        let name = key.unwrap_or(alias);
        if key.is_none() && !keys.contents.aliases.contains_key(alias) {
            let made = Key::new(format!("For {alias}"), now);
            keys.change(|contents| {
                contents.aliases.insert(alias.to_owned(), made.id.clone());
                contents.keys.insert(made.id.clone(), made);
                Ok(())
            })?;
        }
        let id = keys.resolve(name)?;
        crypto::seal(keys, &id, context, plain).map(|blob| BASE64_STANDARD.encode(blob))
    }

    /// Decrypts on behalf of another service.
    pub(crate) fn open_for(&self, context: &EncryptionContext, blob: &str) -> Result<Vec<u8>, Refusal> {
        let now = (self.now)();
        let keys = &mut *lock(&self.keys);
        keys.advance(now)?;
        let blob = BASE64_STANDARD.decode(blob).map_err(|_| Refusal::bare("InvalidCiphertextException"))?;
        crypto::open(keys, None, context, &blob).map(|(_, plain)| plain)
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// The validation error of AWS for one violated constraint.
fn invalid(value: &str, member: &str, constraint: &str) -> Refusal {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    );
    Refusal::new("ValidationException", message)
}
