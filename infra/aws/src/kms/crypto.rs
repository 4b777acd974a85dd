//! Cryptographic operations: data keys, encryption, decryption.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::cipher::{self, EncryptionContext, KeyVersion};
use super::invalid;
use super::keys::Keys;
use crate::answer::Refusal;
use crate::durable;
use crate::service::Service;

const ALGORITHM: &str = "SYMMETRIC_DEFAULT";
const LARGEST_PLAIN: usize = 4096;
const LARGEST_BLOB: usize = 6144;
const LARGEST_DATA_KEY: usize = 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateDataKey {
    key_id: String,
    key_spec: Option<String>,
    number_of_bytes: Option<i64>,
    #[serde(default)]
    encryption_context: EncryptionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Encrypt {
    key_id: String,
    plaintext: String,
    #[serde(default)]
    encryption_context: EncryptionContext,
    encryption_algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Decrypt {
    key_id: Option<String>,
    ciphertext_blob: String,
    #[serde(default)]
    encryption_context: EncryptionContext,
    encryption_algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReEncrypt {
    ciphertext_blob: String,
    source_key_id: Option<String>,
    #[serde(default)]
    source_encryption_context: EncryptionContext,
    destination_key_id: String,
    #[serde(default)]
    destination_encryption_context: EncryptionContext,
}

pub(super) fn generate_data_key(keys: &Keys, input: GenerateDataKey, reveal: bool) -> Result<Value, Refusal> {
    let length = data_key_length(&input)?;
    let id = keys.resolve(&input.key_id)?;
    let plain: Vec<u8> = durable::random::<LARGEST_DATA_KEY>().into_iter().take(length).collect();
    let blob = seal(keys, &id, &input.encryption_context, &plain)?;
    let mut answer = Map::new();
    answer.insert("KeyId".to_owned(), json!(keys.arn(&id)));
    answer.insert("CiphertextBlob".to_owned(), json!(BASE64_STANDARD.encode(blob)));
    if reveal {
        answer.insert("Plaintext".to_owned(), json!(BASE64_STANDARD.encode(plain)));
    }
    Ok(Value::Object(answer))
}

fn data_key_length(input: &GenerateDataKey) -> Result<usize, Refusal> {
    match (input.key_spec.as_deref(), input.number_of_bytes) {
        (Some("AES_256"), None) => Ok(32),
        (Some("AES_128"), None) => Ok(16),
        (Some(other), None) => {
            Err(invalid(other, "keySpec", "Member must satisfy enum value set: [AES_256, AES_128]"))
        }
        (None, Some(n)) => match usize::try_from(n) {
            Ok(length @ 1..=LARGEST_DATA_KEY) => Ok(length),
            Ok(0) | Err(_) => Err(invalid(
                &n.to_string(),
                "numberOfBytes",
                "Member must have value greater than or equal to 1",
            )),
            Ok(_) => Err(invalid(
                &n.to_string(),
                "numberOfBytes",
                "Member must have value less than or equal to 1024",
            )),
        },
        (Some(_), Some(_)) | (None, None) => {
            Err(Refusal::new("ValidationException", "Please specify either number of bytes or key spec."))
        }
    }
}

pub(super) fn encrypt(keys: &Keys, input: Encrypt) -> Result<Value, Refusal> {
    algorithm(input.encryption_algorithm.as_deref())?;
    let plain = blob(&input.plaintext, "plaintext", LARGEST_PLAIN)?;
    let id = keys.resolve(&input.key_id)?;
    let sealed = seal(keys, &id, &input.encryption_context, &plain)?;
    Ok(json!({
        "KeyId": keys.arn(&id),
        "CiphertextBlob": BASE64_STANDARD.encode(sealed),
        "EncryptionAlgorithm": ALGORITHM,
    }))
}

pub(super) fn decrypt(keys: &Keys, input: Decrypt) -> Result<Value, Refusal> {
    algorithm(input.encryption_algorithm.as_deref())?;
    let blob = blob(&input.ciphertext_blob, "ciphertextBlob", LARGEST_BLOB)?;
    let (id, plain) = open(keys, input.key_id.as_deref(), &input.encryption_context, &blob)?;
    Ok(json!({
        "KeyId": keys.arn(&id),
        "Plaintext": BASE64_STANDARD.encode(plain),
        "EncryptionAlgorithm": ALGORITHM,
    }))
}

pub(super) fn re_encrypt(keys: &Keys, input: ReEncrypt) -> Result<Value, Refusal> {
    let blob = blob(&input.ciphertext_blob, "ciphertextBlob", LARGEST_BLOB)?;
    let destination = keys.resolve(&input.destination_key_id)?;
    let (source, plain) =
        open(keys, input.source_key_id.as_deref(), &input.source_encryption_context, &blob)?;
    let sealed = seal(keys, &destination, &input.destination_encryption_context, &plain)?;
    Ok(json!({
        "CiphertextBlob": BASE64_STANDARD.encode(sealed),
        "SourceKeyId": keys.arn(&source),
        "KeyId": keys.arn(&destination),
        "SourceEncryptionAlgorithm": ALGORITHM,
        "DestinationEncryptionAlgorithm": ALGORITHM,
    }))
}

/// Encrypts with the current material of a key.
pub(super) fn seal(
    keys: &Keys,
    id: &str,
    context: &EncryptionContext,
    plain: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let key = keys.get(id)?;
    keys.usable(key)?;
    let (version, material) = key.current().ok_or_else(|| broken("key without material"))?;
    let named = KeyVersion { key: key.number(), version };
    cipher::seal(named, &material, context, plain).ok_or_else(|| broken("encryption failed"))
}

/// Decrypts a ciphertext and returns the key id. Every defect of the ciphertext or its context results in the same
/// error.
pub(super) fn open(
    keys: &Keys,
    expected: Option<&str>,
    context: &EncryptionContext,
    blob: &[u8],
) -> Result<(String, Vec<u8>), Refusal> {
    let expected = expected.map(|name| keys.resolve(name)).transpose()?;
    let garbled = || Refusal::bare("InvalidCiphertextException");
    let named = KeyVersion::read(blob).ok_or_else(garbled)?;
    let key = keys.numbered(named.key).ok_or_else(garbled)?;
    if expected.is_some_and(|expected| expected != key.id) {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        return Err(Refusal::new("IncorrectKeyException", message));
    }
    keys.usable(key)?;
    let material = key.material(named.version).ok_or_else(garbled)?;
    let plain = cipher::open(&material, context, blob).ok_or_else(garbled)?;
    Ok((key.id.clone(), plain))
}

fn algorithm(given: Option<&str>) -> Result<(), Refusal> {
    match given {
        None | Some(ALGORITHM) => Ok(()),
        Some("RSAES_OAEP_SHA_1" | "RSAES_OAEP_SHA_256" | "SM2PKE") => {
            let message = "Algorithm is incompatible with key spec SYMMETRIC_DEFAULT.";
            Err(Refusal::new("InvalidKeyUsageException", message))
        }
        Some(other) => Err(invalid(
            other,
            "encryptionAlgorithm",
            "Member must satisfy enum value set: [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]",
        )),
    }
}

fn blob(text: &str, member: &str, most: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| Refusal::bare("SerializationException"))?;
    let bound = match bytes.len() {
        0 => "greater than or equal to 1".to_owned(),
        n if n > most => format!("less than or equal to {most}"),
        _ => return Ok(bytes),
    };
    // AWS does not print blobs either.
    Err(invalid("java.nio.HeapByteBuffer", member, &format!("Member must have length {bound}")))
}

fn broken(error: &str) -> Refusal {
    Refusal::internal(Service::Kms, &error)
}
