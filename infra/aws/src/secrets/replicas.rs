//! Replicas of secrets in other regions: read-only copies of all versions and their labels, encrypted with a key of the
//! replica's region ([AWS](https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html)). The
//! caller decides which secrets to replicate, and when.

use std::collections::BTreeMap;

use super::secret::Secret;
use super::{Plain, Secrets, missing};
use crate::answer::Refusal;
use crate::journal::lock;

/// A secret in transit to another region, with decrypted values.
pub(crate) struct SecretCopy {
    region: String,
    secret: Secret,
    values: BTreeMap<String, Plain>,
}

impl Secrets {
    /// Exports a secret for replication.
    pub(crate) fn copy(&self, name: &str) -> Result<SecretCopy, Refusal> {
        let secrets = lock(&self.by_name);
        let secret = secrets.get(name).cloned().ok_or_else(missing)?;
        let mut values = BTreeMap::new();
        for (id, version) in &secret.versions {
            if let Some(value) = self.open_value(&secret, version)? {
                values.insert(id.clone(), value);
            }
        }
        Ok(SecretCopy { region: self.region.clone(), secret, values })
    }

    /// Creates or updates a replica. Does nothing if it is up to date.
    pub(crate) fn replicate(&self, name: &str, copy: SecretCopy) -> Result<(), Refusal> {
        let secrets = &mut *lock(&self.by_name);
        if secrets.get(name).is_some_and(|there| versions(there) == versions(&copy.secret)) {
            return Ok(());
        }
        let in_region = |region: &str| format!(":{region}:");
        let mut replica = Secret {
            arn: copy.secret.arn.replace(&in_region(&copy.region), &in_region(&self.region)),
            kms_key: None,
            primary: Some(copy.region),
            ..copy.secret
        };
        for (id, value) in copy.values {
            let stages = replica.versions.get(&id).map(|version| version.stages.clone()).unwrap_or_default();
            let version = self.seal(&replica, value, stages)?;
            replica.versions.insert(id, version);
        }
        self.save(secrets, name.to_owned(), replica)
    }
}

/// Identifies the state of a secret. The value of a version never changes once it is set.
fn versions(secret: &Secret) -> Vec<(&String, &Vec<String>, bool)> {
    let each = secret.versions.iter();
    each.map(|(id, version)| (id, &version.stages, version.sealed.is_some())).collect()
}
