//! Secrets Manager (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html>): secrets,
//! their versions and staging labels, stored in `secrets.json`. The KMS stand-in encrypts every value, as in AWS.
//! `RotateSecret` only creates a pending version; the platform runs the rotation function.
//!
//! `rustack-secretsmanager-core` is not used: it has no persistence.

mod labels;
mod move_label;
mod replicas;
mod rotate;
mod secret;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::account::ACCOUNT;
use crate::answer::Refusal;
use crate::config::{StandInConfig, TimeSource};
use crate::durable;
use crate::journal::lock;
use crate::kms::{EncryptionContext, Kms};
use crate::secrets::labels::CURRENT;
use crate::secrets::secret::{Secret, SecretsByName, ValueType, Version};
use crate::service::Service;
use crate::start_error::StandInError;

const LARGEST: usize = 65_536;
/// The default encryption key.
const KEY: &str = "alias/aws/secretsmanager";

/// The Secrets Manager stand-in.
pub(crate) struct Secrets {
    region: String,
    now: TimeSource,
    file: PathBuf,
    kms: Arc<Kms>,
    by_name: Mutex<SecretsByName>,
    /// Counts changes.
    pub(crate) writes: watch::Sender<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateSecret {
    name: String,
    description: Option<String>,
    kms_key_id: Option<String>,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeSecret {
    secret_id: String,
}

type Plain = (ValueType, Vec<u8>);

impl Secrets {
    pub(crate) fn open(config: &StandInConfig, kms: Arc<Kms>) -> Result<Self, StandInError> {
        let file = config.folder.join("secrets.json");
        let by_name = Mutex::new(durable::read(&file)?);
        let (region, now) = (config.region.clone(), Arc::clone(&config.now));
        Ok(Self { region, now, file, kms, by_name, writes: watch::Sender::new(0) })
    }

    pub(crate) fn apply(&self, operation: &str, body: &Bytes) -> Result<Value, Refusal> {
        let secrets = &mut *lock(&self.by_name);
        match operation {
            "CreateSecret" => self.create(secrets, read(body)?),
            "PutSecretValue" => self.put(secrets, read(body)?),
            "GetSecretValue" => self.get(secrets, read(body)?),
            "DescribeSecret" => describe(secrets, read(body)?),
            "UpdateSecretVersionStage" => self.update_label(secrets, read(body)?),
            "RotateSecret" => self.rotate(secrets, read(body)?),
            _ => Err(Refusal::bare("UnknownOperationException")),
        }
    }

    fn create(&self, secrets: &mut SecretsByName, input: CreateSecret) -> Result<Value, Refusal> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if input.name.is_empty() || input.name.len() > 512 || !input.name.chars().all(plain) {
            let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
                           following: -/_+=.@!";
            return Err(Refusal::new("ValidationException", message));
        }
        let value = value(input.secret_string, input.secret_binary)?;
        let token = input.client_request_token.unwrap_or_else(durable::uuid);
        check_token(&token)?;
        if let Some(there) = secrets.get(&input.name) {
            // A retry with the same token succeeds if it has the same value.
            return match (there.versions.get(&token), value) {
                (Some(version), Some(value)) if self.open_value(there, version)?.as_ref() == Some(&value) => {
                    Ok(named(&input.name, there, &token))
                }
                _ => {
                    let message =
                        format!("The operation failed because the secret {} already exists.", input.name);
                    Err(Refusal::new("ResourceExistsException", message))
                }
            };
        }
        let now = (self.now)();
        let mark: String = durable::uuid().chars().take(6).collect();
        let mut secret = Secret {
            arn: format!("arn:aws:secretsmanager:{}:{ACCOUNT}:secret:{}-{mark}", self.region, input.name),
            description: input.description,
            kms_key: input.kms_key_id,
            created: now,
            changed: now,
            versions: BTreeMap::new(),
            rotated_by: None,
            rotated: None,
            primary: None,
        };
        if let Some(value) = value {
            let version = self.seal(&secret, value, vec![CURRENT.to_owned()])?;
            secret.versions.insert(token.clone(), version);
        }
        let answer = named(&input.name, &secret, &token);
        self.save(secrets, input.name, secret)?;
        Ok(answer)
    }

    fn put(&self, secrets: &mut SecretsByName, input: PutSecretValue) -> Result<Value, Refusal> {
        let (name, mut secret) = find_primary(secrets, &input.secret_id)?;
        let Some(value) = value(input.secret_string, input.secret_binary)? else {
            return Err(Refusal::new(
                "InvalidRequestException",
                "You must provide either SecretString or SecretBinary.",
            ));
        };
        let token = input.client_request_token.unwrap_or_else(durable::uuid);
        check_token(&token)?;
        let there =
            secret.versions.get(&token).map(|version| self.open_value(&secret, version)).transpose()?;
        match there.flatten() {
            Some(there) if there == value => return Ok(put_answer(&name, &secret, &token)),
            Some(_) => {
                let message =
                    "You can't use ClientRequestToken for a version that already exists with other content.";
                return Err(Refusal::new("ResourceExistsException", message));
            }
            // A new version, or a pending version of a rotation.
            None => {}
        }
        let stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        labels::take_away(&mut secret, &stages);
        let version = self.seal(&secret, value, stages)?;
        secret.versions.insert(token.clone(), version);
        labels::forget_unlabelled(&mut secret);
        secret.changed = (self.now)();
        let answer = put_answer(&name, &secret, &token);
        self.save(secrets, name, secret)?;
        Ok(answer)
    }

    fn get(&self, secrets: &SecretsByName, input: GetSecretValue) -> Result<Value, Refusal> {
        let name = find(secrets, &input.secret_id)?;
        let secret = secrets.get(&name).ok_or_else(missing)?;
        let stage = input.version_stage.as_deref().or(input.version_id.is_none().then_some(CURRENT));
        let wanted = |(id, version): &(&String, &Version)| {
            input.version_id.as_ref().is_none_or(|wanted| wanted == *id)
                && stage.is_none_or(|stage| version.stages.iter().any(|s| s == stage))
        };
        let found = secret.versions.iter().find(wanted);
        let found =
            found.map(|(id, version)| Ok((id, version, self.open_value(secret, version)?))).transpose()?;
        let Some((id, version, Some((kind, plain)))) = found else {
            let label = stage.or(input.version_id.as_deref()).unwrap_or(CURRENT);
            let message =
                format!("Secrets Manager can't find the specified secret value for staging label: {label}");
            return Err(Refusal::new("ResourceNotFoundException", message));
        };
        let mut answer = match named(&name, secret, id) {
            Value::Object(answer) => answer,
            _ => Map::new(),
        };
        match kind {
            ValueType::String => {
                answer.insert("SecretString".to_owned(), json!(String::from_utf8_lossy(&plain)))
            }
            ValueType::Binary => {
                answer.insert("SecretBinary".to_owned(), json!(BASE64_STANDARD.encode(plain)))
            }
        };
        answer.insert("VersionStages".to_owned(), json!(version.stages));
        answer.insert("CreatedDate".to_owned(), json!(seconds(version.created)));
        Ok(Value::Object(answer))
    }

    /// Decrypts the value of a version, if it has one.
    fn open_value(&self, secret: &Secret, version: &Version) -> Result<Option<Plain>, Refusal> {
        let open = |sealed: &String| self.kms.open_for(&context(&secret.arn), sealed).map_err(undecipherable);
        let plain = version.sealed.as_ref().map(open).transpose()?;
        Ok(plain.map(|plain| (version.kind, plain)))
    }

    fn seal(&self, secret: &Secret, (kind, plain): Plain, stages: Vec<String>) -> Result<Version, Refusal> {
        let sealed = self.kms.seal_for(KEY, secret.kms_key.as_deref(), &context(&secret.arn), &plain);
        let refused = |_| {
            let message =
                "Secrets Manager can't encrypt the protected secret text using the provided KMS key.";
            Refusal::new("EncryptionFailure", message)
        };
        Ok(Version { created: (self.now)(), stages, kind, sealed: Some(sealed.map_err(refused)?) })
    }

    fn save(&self, secrets: &mut SecretsByName, name: String, secret: Secret) -> Result<(), Refusal> {
        let mut next = secrets.clone();
        next.insert(name, secret);
        durable::write(&self.file, &next)
            .map_err(|error| Refusal::internal(Service::SecretsManager, &error))?;
        *secrets = next;
        self.writes.send_modify(|n| *n += 1);
        Ok(())
    }
}

fn describe(secrets: &SecretsByName, input: DescribeSecret) -> Result<Value, Refusal> {
    let name = find(secrets, &input.secret_id)?;
    let secret = secrets.get(&name).ok_or_else(missing)?;
    let stages: BTreeMap<&String, &Vec<String>> =
        secret.versions.iter().map(|(id, version)| (id, &version.stages)).collect();
    Ok(json!({
        "ARN": secret.arn,
        "Name": name,
        "Description": secret.description,
        "KmsKeyId": secret.kms_key,
        "CreatedDate": seconds(secret.created),
        "LastChangedDate": seconds(secret.changed),
        "VersionIdsToStages": stages,
        "RotationEnabled": secret.rotated_by.is_some(),
        "RotationLambdaARN": secret.rotated_by,
        "LastRotatedDate": secret.rotated.map(seconds),
        "PrimaryRegion": secret.primary,
    }))
}

/// Finds a secret by name, by ARN, or by ARN without the random suffix.
fn find(secrets: &SecretsByName, id: &str) -> Result<String, Refusal> {
    let by_arn = |secret: &Secret| {
        secret.arn == id || secret.arn.rsplit_once('-').is_some_and(|(whole, _)| whole == id)
    };
    let found = secrets.iter().find(|(name, secret)| name.as_str() == id || by_arn(secret));
    found.map(|(name, _)| name.clone()).ok_or_else(missing)
}

/// Finds a secret that is not a replica.
fn find_primary(secrets: &SecretsByName, id: &str) -> Result<(String, Secret), Refusal> {
    let name = find(secrets, id)?;
    let secret = secrets.get(&name).cloned().ok_or_else(missing)?;
    if secret.primary.is_some() {
        let message =
            "Operation not permitted on a replica secret. Call must be made in primary secret's region.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    Ok((name, secret))
}

fn value(string: Option<String>, binary: Option<String>) -> Result<Option<Plain>, Refusal> {
    let value = match (string, binary) {
        (Some(_), Some(_)) => {
            let message =
                "You can't specify both a binary secret value and a string secret value in the same secret.";
            return Err(Refusal::new("InvalidParameterException", message));
        }
        (Some(text), None) => (ValueType::String, text.into_bytes()),
        (None, Some(blob)) => {
            let bytes = BASE64_STANDARD.decode(blob).map_err(|_| Refusal::bare("SerializationException"))?;
            (ValueType::Binary, bytes)
        }
        (None, None) => return Ok(None),
    };
    match value.1.len() {
        1..=LARGEST => Ok(Some(value)),
        _ => Err(Refusal::new("ValidationException", "A secret value must have 1 to 65536 bytes")),
    }
}

fn check_token(token: &str) -> Result<(), Refusal> {
    match token.len() {
        32..=64 => Ok(()),
        _ => Err(Refusal::new(
            "InvalidParameterException",
            "ClientRequestToken must be 32-64 characters long.",
        )),
    }
}

fn named(name: &str, secret: &Secret, version: &str) -> Value {
    match secret.versions.contains_key(version) {
        true => json!({ "ARN": secret.arn, "Name": name, "VersionId": version }),
        false => json!({ "ARN": secret.arn, "Name": name }),
    }
}

fn put_answer(name: &str, secret: &Secret, version: &str) -> Value {
    let stages = secret.versions.get(version).map(|version| &version.stages);
    json!({ "ARN": secret.arn, "Name": name, "VersionId": version, "VersionStages": stages })
}

fn context(arn: &str) -> EncryptionContext {
    EncryptionContext::from([("SecretARN".to_owned(), arn.to_owned())])
}

fn missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn undecipherable(_: Refusal) -> Refusal {
    let message = "Secrets Manager can't decrypt the protected secret text using the provided KMS key.";
    Refusal::new("DecryptionFailure", message)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
