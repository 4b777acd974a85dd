//! Replicas of secrets in other regions: read-only copies of all versions with their labels, each region's encrypted under a
//! key of its own ([AWS](https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html)). Which secrets
//! have replicas and when they follow, whoever runs several regions decides.

use std::collections::BTreeMap;

use super::{Plain, Secret, Secrets, missing};
use crate::answer::Refusal;
use crate::journal::lock;

/// A secret on its way to another region, with its values in clear.
pub(crate) struct Copy {
    region: String,
    secret: Secret,
    values: BTreeMap<String, Plain>,
}

impl Secrets {
    /// What a replica is made from.
    pub(crate) fn copy(&self, name: &str) -> Result<Copy, Refusal> {
        let secrets = lock(&self.by_name);
        let secret = secrets.get(name).cloned().ok_or_else(missing)?;
        let mut values = BTreeMap::new();
        for (id, version) in &secret.versions {
            if let Some(value) = self.open_value(&secret, version)? {
                values.insert(id.clone(), value);
            }
        }
        Ok(Copy { region: self.region.clone(), secret, values })
    }

    /// Makes the replica like the copy, if it is not yet.
    pub(crate) fn replicate(&self, name: &str, copy: Copy) -> Result<(), Refusal> {
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

/// What tells one state of a secret from another: a version's value never changes once it has one.
fn versions(secret: &Secret) -> Vec<(&String, &Vec<String>, bool)> {
    let each = secret.versions.iter();
    each.map(|(id, version)| (id, &version.stages, version.sealed.is_some())).collect()
}
