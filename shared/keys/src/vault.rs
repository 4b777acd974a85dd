//! Envelope encryption: values of a workspace are encrypted with AES-256-GCM under the data key of the workspace, which
//! KMS wraps with the key of the region ([AWS: envelope
//! encryption](https://docs.aws.amazon.com/kms/latest/developerguide/kms-cryptography.html)).
//!
//! The encryption context binds a data key to its workspace and region; the additional data binds a value to its record
//! and field. Decryption fails anywhere else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_errors::failure;
use aws_sdk_kms::{Client, primitives::Blob, types::DataKeySpec};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    entropy::Entropy,
    id::WorkspaceId,
    ports::{EncryptionContext, Failure, Outcome, Vault},
    region::Region,
    sealing::{Sealed, SealingKey},
    secret::Secret,
    workspace::WrappedKey,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::Lazy;

/// The `purpose` in the encryption context of data keys.
pub const PURPOSE: &str = "workspace-data-key";

/// The maximum time that a plaintext data key is cached.
const MAX_AGE: Duration = Duration::from_secs(300);
/// The maximum number of uses of a cached data key.
const MAX_USES: u32 = 1_000;
/// The maximum number of cached data keys.
const MAX_CACHED: usize = 256;

/// The vault of one region.
pub struct KmsVault {
    client: Lazy<Client>,
    key: String,
    region: Region,
    entropy: Arc<dyn Entropy>,
    cache: Mutex<HashMap<WorkspaceId, Cached>>,
}

struct Cached {
    key: Zeroizing<Vec<u8>>,
    since: Instant,
    uses: u32,
}

impl KmsVault {
    /// A vault that wraps data keys with `key` (a key id, ARN or alias).
    pub fn new(
        client: impl FnOnce() -> Client + Send + Sync + 'static,
        key: String,
        region: Region,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let client = Lazy::new(Box::new(client));
        Self { client, key, region, entropy, cache: Mutex::default() }
    }

    fn context(&self, workspace: WorkspaceId) -> HashMap<String, String> {
        HashMap::from([
            ("workspace".to_owned(), workspace.to_string()),
            ("region".to_owned(), self.region.to_string()),
            ("purpose".to_owned(), PURPOSE.to_owned()),
        ])
    }

    async fn cipher(&self, context: EncryptionContext<'_>) -> Outcome<SealingKey> {
        let workspace = context.workspace.id;
        if let Some(cipher) = self.cached(workspace) {
            return cipher;
        }
        let wrapped = BASE64_STANDARD
            .decode(&context.workspace.data_key.0)
            .map_err(|_| Failure::Broken("wrapped data key is not base64".to_owned()))?;
        let request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(wrapped));
        let answer = request
            .set_encryption_context(Some(self.context(workspace)))
            .send()
            .await
            .map_err(|error| failure("kms", &error))?;
        let plaintext = answer.plaintext.ok_or_else(|| missing("plaintext"))?;
        let key = Zeroizing::new(plaintext.into_inner());
        // A key of invalid length must not be cached.
        let cipher = cipher_of(&key)?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(workspace, Cached { key, since: Instant::now(), uses: 1 });
        Ok(cipher)
    }

    fn cached(&self, workspace: WorkspaceId) -> Option<Outcome<SealingKey>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, cached| cached.since.elapsed() < MAX_AGE && cached.uses < MAX_USES);
        let cached = cache.get_mut(&workspace)?;
        cached.uses += 1;
        Some(cipher_of(&cached.key))
    }
}

/// The failure of an incomplete KMS response.
fn missing(part: &str) -> Failure {
    Failure::Broken(format!("KMS response without {part}"))
}

fn cipher_of(key: &[u8]) -> Outcome<SealingKey> {
    SealingKey::new(key).map_err(|_| Failure::Broken("invalid length of a data key".to_owned()))
}

/// The place of a value: its record and field.
fn parts_of(context: EncryptionContext<'_>) -> [&[u8]; 2] {
    [context.record.as_bytes(), context.field.as_bytes()]
}

#[async_trait]
impl Vault for KmsVault {
    async fn new_data_key(&self, workspace: WorkspaceId) -> Outcome<WrappedKey> {
        let request = self.client.generate_data_key_without_plaintext().key_id(&self.key);
        let answer = request
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(self.context(workspace)))
            .send()
            .await
            .map_err(|error| failure("kms", &error))?;
        let wrapped = answer.ciphertext_blob.ok_or_else(|| missing("ciphertext"))?;
        Ok(WrappedKey(BASE64_STANDARD.encode(wrapped.into_inner())))
    }

    async fn seal(&self, context: EncryptionContext<'_>, value: &Secret) -> Outcome<Sealed> {
        let cipher = self.cipher(context).await?;
        Ok(cipher.seal(&parts_of(context), value.expose().as_bytes(), &*self.entropy)?)
    }

    async fn open(&self, context: EncryptionContext<'_>, sealed: &Sealed) -> Outcome<Secret> {
        let value = self.cipher(context).await?.open(&parts_of(context), sealed)?;
        String::from_utf8(value).map(Secret::new).map_err(|_| Failure::Unreadable)
    }
}
