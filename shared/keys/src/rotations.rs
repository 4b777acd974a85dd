//! New versions of secrets, as [Secrets Manager has them made].
//!
//! Secrets Manager announces a version by its id (the rotation's token) with the label `AWSPENDING`. It is given a value once;
//! then `AWSCURRENT` is moved to it from the version that it was made from, and from no other.
//!
//! [Secrets Manager has them made]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use domain::{
    Timestamp,
    entropy::Entropy,
    ports::{Outcome, Prepared, Progress, Rotation, Rotations, Saved},
    region::Region,
    rotation::SecretName,
    secret::Secret,
};

use crate::{document::Document, failure::unavailable, secrets::SecretNames};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const SERVICE: &str = "secretsmanager";

/// The secrets of one region, to be rotated.
pub struct SecretRotations {
    client: Client,
    region: Region,
    names: SecretNames,
    entropy: Arc<dyn Entropy>,
}

/// The labels of each version.
struct Labels(HashMap<String, Vec<String>>);

impl Labels {
    fn has(&self, version: &str, label: &str) -> bool {
        self.0.get(version).is_some_and(|labels| labels.iter().any(|each| each == label))
    }

    fn current(&self) -> Option<String> {
        self.0.keys().find(|version| self.has(version, CURRENT)).cloned()
    }
}

impl SecretRotations {
    /// The secrets of `region`.
    pub fn new(client: Client, region: Region, names: SecretNames, entropy: Arc<dyn Entropy>) -> Self {
        Self { client, region, names, entropy }
    }

    async fn labels(&self, secret: SecretName) -> Outcome<Labels> {
        let request = self.client.describe_secret().secret_id(self.names.of(secret));
        let answer = request.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        Ok(Labels(answer.version_ids_to_stages.unwrap_or_default()))
    }

    /// A version's value; none if it was announced and has none yet.
    async fn value(&self, secret: SecretName, version: &str) -> Outcome<Option<Document>> {
        let request = self.client.get_secret_value().secret_id(self.names.of(secret)).version_id(version);
        match request.send().await {
            Ok(found) => Document::read(&Secret::new(found.secret_string.unwrap_or_default())).map(Some),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(unavailable(SERVICE, &error)),
        }
    }
}

#[async_trait]
impl Rotations for SecretRotations {
    fn secret(&self, id: &str) -> Option<SecretName> {
        self.names.find(id)
    }

    async fn progress(&self, rotation: &Rotation) -> Outcome<Progress> {
        let labels = self.labels(rotation.secret).await?;
        if labels.has(&rotation.version, CURRENT) {
            return Ok(Progress::Done);
        }
        if !labels.has(&rotation.version, PENDING) {
            return Ok(Progress::None);
        }
        match self.value(rotation.secret, &rotation.version).await? {
            Some(document) => Ok(Progress::Pending(document.news(self.region)?)),
            None => Ok(Progress::Announced),
        }
    }

    async fn prepare(&self, rotation: &Rotation, now: Timestamp) -> Outcome<Prepared> {
        let Rotation { secret, version } = rotation;
        let current = self.labels(*secret).await?.current();
        let before = match &current {
            Some(current) => self.value(*secret, current).await?.unwrap_or_default(),
            None => Document::default(),
        };
        let Some(next) = before.successor(*secret, current, now, &*self.entropy) else {
            return Ok(Prepared::Irreplaceable);
        };
        let request = self.client.put_secret_value().secret_id(self.names.of(*secret));
        let request = request.client_request_token(version).version_stages(PENDING);
        match request.secret_string(next.write()?.expose()).send().await {
            Ok(_) => Ok(Prepared::Yes),
            // Somebody else has given it a value at the same time.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) =>
            {
                Ok(Prepared::Yes)
            }
            Err(error) => Err(unavailable(SERVICE, &error)),
        }
    }

    async fn finish(&self, rotation: &Rotation, made_from: Option<&str>) -> Outcome<Saved> {
        let request = self.client.update_secret_version_stage().secret_id(self.names.of(rotation.secret));
        let request = request.version_stage(CURRENT).move_to_version_id(&rotation.version);
        match request.set_remove_from_version_id(made_from.map(str::to_owned)).send().await {
            Ok(_) => Ok(Saved::Yes),
            // The label is at another version: at this one, if the answer to an earlier attempt was lost.
            Err(error) if error.code() == Some("InvalidParameterException") => {
                let done = self.labels(rotation.secret).await?.has(&rotation.version, CURRENT);
                Ok(if done { Saved::Yes } else { Saved::Stale })
            }
            Err(error) => Err(unavailable(SERVICE, &error)),
        }
    }

    async fn give_up(&self, rotation: &Rotation) -> Outcome<()> {
        let request = self.client.update_secret_version_stage().secret_id(self.names.of(rotation.secret));
        let request = request.version_stage(PENDING).remove_from_version_id(&rotation.version);
        match request.send().await {
            Ok(_) => Ok(()),
            // It does not have the label any more.
            Err(error) if error.code() == Some("InvalidParameterException") => Ok(()),
            Err(error) => Err(unavailable(SERVICE, &error)),
        }
    }
}
