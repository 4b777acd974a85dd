//! Creates new versions of secrets, as the [rotation function of Secrets Manager].
//!
//! Secrets Manager creates a version without a value, labelled `AWSPENDING`; its id is the token of the rotation. The
//! function sets the value once and then moves the label `AWSCURRENT` to it from the version from which it was created.
//!
//! [rotation function of Secrets Manager]:
//! https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use aws_errors::failure;
use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use domain::{
    Timestamp,
    entropy::Entropy,
    ports::{Outcome, Prepared, Progress, Rotation, Rotations, Saved},
    region::Region,
    rotation::SecretName,
    secret::Secret,
};

use crate::{
    document::{SecretDocument, broken},
    secrets::SecretNames,
};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const SERVICE: &str = "secretsmanager";

/// The secrets of one region, for rotation.
pub struct SecretRotations {
    client: Client,
    region: Region,
    names: SecretNames,
    entropy: Arc<dyn Entropy>,
}

/// The staging labels of each version.
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
        let answer = request.send().await.map_err(|error| failure(SERVICE, &error))?;
        Ok(Labels(answer.version_ids_to_stages.unwrap_or_default()))
    }

    /// The value of a version; `None` if the version has no value yet.
    async fn value(&self, secret: SecretName, version: &str) -> Outcome<Option<SecretDocument>> {
        let request = self.client.get_secret_value().secret_id(self.names.of(secret)).version_id(version);
        match request.send().await {
            Ok(found) => {
                let text = found.secret_string.ok_or_else(|| broken("the secret has no text"))?;
                SecretDocument::read(&Secret::new(text)).map(Some)
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(failure(SERVICE, &error)),
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
            // Starting over would lose all keys.
            Some(current) => {
                let value = self.value(*secret, current).await?;
                value.ok_or_else(|| broken("the current version has no value"))?
            }
            None => SecretDocument::default(),
        };
        let Some(next) = before.successor(*secret, current, now, &*self.entropy) else {
            return Ok(Prepared::Irreplaceable);
        };
        let request = self.client.put_secret_value().secret_id(self.names.of(*secret));
        let request = request.client_request_token(version).version_stages(PENDING);
        match request.secret_string(next.write()?.expose()).send().await {
            Ok(_) => Ok(Prepared::Yes),
            // Another process set the value concurrently.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) =>
            {
                Ok(Prepared::Yes)
            }
            Err(error) => Err(failure(SERVICE, &error)),
        }
    }

    async fn finish(&self, rotation: &Rotation, made_from: Option<&str>) -> Outcome<Saved> {
        let request = self.client.update_secret_version_stage().secret_id(self.names.of(rotation.secret));
        let request = request.version_stage(CURRENT).move_to_version_id(&rotation.version);
        match request.set_remove_from_version_id(made_from.map(str::to_owned)).send().await {
            Ok(_) => Ok(Saved::Yes),
            // The label is at another version. It is at this version if the response to an earlier attempt was lost.
            Err(error) if error.code() == Some("InvalidParameterException") => {
                let done = self.labels(rotation.secret).await?.has(&rotation.version, CURRENT);
                Ok(if done { Saved::Yes } else { Saved::Stale })
            }
            Err(error) => Err(failure(SERVICE, &error)),
        }
    }

    async fn rotated_at(&self, secret: SecretName) -> Outcome<Timestamp> {
        let request = self.client.describe_secret().secret_id(self.names.of(secret));
        let answer = request.send().await.map_err(|error| failure(SERVICE, &error))?;
        let rotated = answer.last_rotated_date.or(answer.created_date);
        let rotated = rotated.ok_or_else(|| broken("the secret has no date"))?;
        Timestamp::from_second(rotated.secs()).map_err(broken)
    }

    async fn give_up(&self, rotation: &Rotation) -> Outcome<()> {
        let request = self.client.update_secret_version_stage().secret_id(self.names.of(rotation.secret));
        let request = request.version_stage(PENDING).remove_from_version_id(&rotation.version);
        match request.send().await {
            Ok(_) => Ok(()),
            // The label was already removed.
            Err(error) if error.code() == Some("InvalidParameterException") => Ok(()),
            Err(error) => Err(failure(SERVICE, &error)),
        }
    }
}
