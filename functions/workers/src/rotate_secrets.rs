//! `rotate-secrets`: creates the first and each new version of a secret when Secrets Manager asks for it
//! ([the steps](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)).
//!
//! A new version adds one key, with the time from which the key is used ([`domain::rotation`]). Until then its public half
//! reaches the directory and every function reads the new version. Each step may be repeated and may fail anywhere: the
//! value is created once, publishing is idempotent, and the last step moves the label `AWSCURRENT` only from the version
//! that the new one was created from. A version that is too late, or that another version overtook, is abandoned; the next
//! rotation starts again.

use std::{sync::Arc, time::Duration};

use domain::{
    ports::{Directory, Failure, NewVersion, Prepared, Progress, Rotation, Rotations, Saved},
    region::Region,
    rotation::{SecretName, is_in_time},
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{directory, rotations},
    worker,
};
use serde::{Deserialize, Serialize};

/// Rotates secrets.
pub struct RotateSecrets;

/// How often the region's replica of the directory is read, with a pause in between, until it has the new public key.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// The ports that it uses.
pub struct Deps {
    rotations: Arc<dyn Rotations>,
    directory: Arc<dyn Directory>,
}

/// The request of Secrets Manager.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RotationEvent {
    step: RotationStep,
    secret_id: String,
    /// The id of the new version.
    client_request_token: String,
}

/// The steps of a rotation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RotationStep {
    /// Create the value of the new version.
    #[serde(rename = "createSecret")]
    Create,
    /// Publish its public keys.
    #[serde(rename = "setSecret")]
    Set,
    /// Check that the public keys have arrived.
    #[serde(rename = "testSecret")]
    Test,
    /// Make it the current version.
    #[serde(rename = "finishSecret")]
    Finish,
}

/// The result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationReport {
    /// Whether the version is now the current one.
    is_current: bool,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("no secret of this region is called so")]
    Unknown,
    #[error("the secret {} is the same in every region: it is rotated in {} and replicated from there", .0.as_str(), Region::AUTHORITY)]
    Elsewhere(SecretName),
    #[error("the key of the secret {} can't be replaced: values derived from it are kept permanently", .0.as_str())]
    Irreplaceable(SecretName),
    #[error("there is no such rotation, or it is over")]
    NotBegun,
    #[error("the version has no value yet")]
    NoValue,
    #[error(
        "too late: its key would be used before everybody knew it. The rotation is given up; begin another"
    )]
    TooLate,
    #[error("another version has become the current one meanwhile. The rotation is given up; begin another")]
    Overtaken,
    #[error("the region's replica of the directory does not have the public keys yet")]
    NotArrived,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Worker for RotateSecrets {
    const SPEC: WorkerSpec = worker(
        "rotate-secrets",
        Trigger::Rotation,
        "Creates the first and each new key of secrets",
        &[
            rotations::PROGRESS,
            rotations::PREPARE,
            rotations::FINISH,
            rotations::GIVE_UP,
            directory::SIGNING_KEYS,
            directory::PUBLISH_SIGNING_KEY,
            directory::WITHDRAW_SIGNING_KEY,
        ],
    );
    type Deps = Deps;
    type Event = RotationEvent;
    type Result = RotationReport;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { rotations: ports.rotations(), directory: ports.directory() }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: RotationEvent) -> Result<RotationReport, Error> {
        let secret = deps.rotations.secret(&event.secret_id).ok_or(Error::Unknown)?;
        if secret.is_shared() && job.region != Region::AUTHORITY {
            return Err(Error::Elsewhere(secret));
        }
        let rotation = Rotation { secret, version: event.client_request_token };
        match (deps.rotations.progress(&rotation).await?, event.step) {
            (Progress::Done, _) => return Ok(RotationReport { is_current: true }),
            (Progress::None, _) => return Err(Error::NotBegun),
            (Progress::Announced, RotationStep::Create) => prepare(deps, job, &rotation).await?,
            // Secrets Manager tests in this way, when a schedule is set, that it can invoke the function.
            (Progress::Announced, RotationStep::Test) => {}
            (Progress::Announced, RotationStep::Set | RotationStep::Finish) => return Err(Error::NoValue),
            (Progress::Pending(version), RotationStep::Create) => {
                in_time(deps, job, &rotation, &version).await?
            }
            (Progress::Pending(version), RotationStep::Set) => publish(deps, &version).await?,
            (Progress::Pending(version), RotationStep::Test) => arrived(deps, &version).await?,
            (Progress::Pending(version), RotationStep::Finish) => {
                in_time(deps, job, &rotation, &version).await?;
                finish(deps, job, &rotation, &version).await?;
            }
        }
        Ok(RotationReport { is_current: event.step == RotationStep::Finish })
    }
}

async fn prepare(deps: &Deps, job: &RunContext, rotation: &Rotation) -> Result<(), Error> {
    match deps.rotations.prepare(rotation, job.now).await? {
        Prepared::Yes => Ok(()),
        Prepared::Irreplaceable => {
            deps.rotations.give_up(rotation).await?;
            Err(Error::Irreplaceable(rotation.secret))
        }
    }
}

/// Abandons a version whose key would be used before every function knows it. Once the key's time has come, no running step
/// can still make the version current, so its public key is withdrawn too.
async fn in_time(
    deps: &Deps,
    job: &RunContext,
    rotation: &Rotation,
    version: &NewVersion,
) -> Result<(), Error> {
    if is_in_time(version.newest_from, job.now) {
        return Ok(());
    }
    let newest = version.public_keys.last().filter(|_| version.newest_from <= job.now);
    if let Some(key) = newest {
        deps.directory.withdraw_signing_key(job.region, &key.kid).await?;
    }
    deps.rotations.give_up(rotation).await?;
    Err(Error::TooLate)
}

async fn publish(deps: &Deps, version: &NewVersion) -> Result<(), Error> {
    for key in &version.public_keys {
        deps.directory.publish_signing_key(key).await?;
    }
    Ok(())
}

/// Waits until the public keys can be read in this region, which receives most of the tokens that they verify.
async fn arrived(deps: &Deps, version: &NewVersion) -> Result<(), Error> {
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let known =
            if version.public_keys.is_empty() { vec![] } else { deps.directory.signing_keys().await? };
        if version.public_keys.iter().all(|key| known.contains(key)) {
            return Ok(());
        }
    }
    Err(Error::NotArrived)
}

/// Makes the version the current one. Withdraws retired keys first, because no step follows that could do it later.
async fn finish(
    deps: &Deps,
    job: &RunContext,
    rotation: &Rotation,
    version: &NewVersion,
) -> Result<(), Error> {
    for kid in &version.retired {
        deps.directory.withdraw_signing_key(job.region, kid).await?;
    }
    match deps.rotations.finish(rotation, version.made_from.as_deref()).await? {
        Saved::Yes => Ok(()),
        Saved::Stale => {
            deps.rotations.give_up(rotation).await?;
            Err(Error::Overtaken)
        }
    }
}
