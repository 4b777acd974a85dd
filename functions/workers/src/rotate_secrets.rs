//! `rotate-secrets`: gives a secret a new version when Secrets Manager asks for one, and its first
//! ([the steps](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)).
//!
//! A version has a key more than the one before, with the time from which it is used ([`domain::rotation`]). In between its
//! public half goes to the directory, and every function reads the new version. Any step may come again, or die anywhere:
//! the value is made once, publishing twice is publishing once, and the last step moves the label `AWSCURRENT` only from the
//! version that this one was made from. One that comes too late for that, or after another, is given up: the next rotation
//! begins anew.

use std::{sync::Arc, time::Duration};

use domain::{
    ports::{Directory, Failure, NewVersion, Prepared, Progress, Rotation, Rotations, Saved},
    region::Region,
    rotation::{SecretName, is_in_time},
};
use kit::{Grant, Items, Job, Ports, Trigger, Worker, WorkerSpec, worker};
use serde::{Deserialize, Serialize};

/// Rotates secrets.
pub struct RotateSecrets;

/// The region's replica of the directory is looked at so often, with a pause in between, until it has a new public key.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// What it works with.
pub struct Deps {
    rotations: Arc<dyn Rotations>,
    directory: Arc<dyn Directory>,
}

/// What Secrets Manager asks for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    step: Step,
    secret_id: String,
    /// The new version's id.
    client_request_token: String,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Step {
    /// The new version gets its value.
    #[serde(rename = "createSecret")]
    Create,
    /// The public keys that it needs are published.
    #[serde(rename = "setSecret")]
    Set,
    /// They have arrived.
    #[serde(rename = "testSecret")]
    Test,
    /// It becomes the current one.
    #[serde(rename = "finishSecret")]
    Finish,
}

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether the version is the current one now.
    is_current: bool,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("no secret of this region is called so")]
    Unknown,
    #[error("the secret {} is the same in every region: it is rotated in {} and replicated from there", .0.as_str(), Region::AUTHORITY)]
    Elsewhere(SecretName),
    #[error("the key of the secret {} can't be replaced: what it made is kept for good", .0.as_str())]
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

/// What making a version of any secret needs, and what publishing a key needs.
const GRANTS: [Grant; 21] = {
    let (describe, get, put, label) =
        ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage");
    [
        Grant::on_secret(describe, "tokens"),
        Grant::on_secret(get, "tokens"),
        Grant::on_secret(put, "tokens"),
        Grant::on_secret(label, "tokens"),
        Grant::on_secret(describe, "codes"),
        Grant::on_secret(get, "codes"),
        Grant::on_secret(put, "codes"),
        Grant::on_secret(label, "codes"),
        Grant::on_secret(describe, "addresses"),
        Grant::on_secret(get, "addresses"),
        Grant::on_secret(put, "addresses"),
        Grant::on_secret(label, "addresses"),
        Grant::on_secret(describe, "forwarding"),
        Grant::on_secret(get, "forwarding"),
        Grant::on_secret(put, "forwarding"),
        Grant::on_secret(label, "forwarding"),
        Grant::items("Query", Items::SigningKeys),
        Grant::authority("GetItem", Items::SigningKeys),
        Grant::authority("PutItem", Items::SigningKeys),
        Grant::authority("DeleteItem", Items::SigningKeys),
        Grant::authority("PutItem", Items::RetiredKeys),
    ]
};

impl Worker for RotateSecrets {
    const SPEC: WorkerSpec =
        worker("rotate-secrets", Trigger::Rotation, "Gives secrets their first and their next keys", &GRANTS);
    type Deps = Deps;
    type Event = Event;
    type Result = Report;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { rotations: ports.rotations(), directory: ports.directory() }
    }

    async fn handle(deps: &Deps, job: &Job, event: Event) -> Result<Report, Error> {
        let secret = deps.rotations.secret(&event.secret_id).ok_or(Error::Unknown)?;
        if secret.is_shared() && job.region != Region::AUTHORITY {
            return Err(Error::Elsewhere(secret));
        }
        let rotation = Rotation { secret, version: event.client_request_token };
        match (deps.rotations.progress(&rotation).await?, event.step) {
            (Progress::Done, _) => return Ok(Report { is_current: true }),
            (Progress::None, _) => return Err(Error::NotBegun),
            (Progress::Announced, Step::Create) => prepare(deps, job, &rotation).await?,
            // Whether the function can be called at all is tested so, when a schedule is set.
            (Progress::Announced, Step::Test) => {}
            (Progress::Announced, Step::Set | Step::Finish) => return Err(Error::NoValue),
            (Progress::Pending(version), Step::Create) => in_time(deps, job, &rotation, &version).await?,
            (Progress::Pending(version), Step::Set) => publish(deps, &version).await?,
            (Progress::Pending(version), Step::Test) => arrived(deps, &version).await?,
            (Progress::Pending(version), Step::Finish) => {
                in_time(deps, job, &rotation, &version).await?;
                finish(deps, job, &rotation, &version).await?;
            }
        }
        Ok(Report { is_current: event.step == Step::Finish })
    }
}

async fn prepare(deps: &Deps, job: &Job, rotation: &Rotation) -> Result<(), Error> {
    match deps.rotations.prepare(rotation, job.now).await? {
        Prepared::Yes => Ok(()),
        Prepared::Irreplaceable => {
            deps.rotations.give_up(rotation).await?;
            Err(Error::Irreplaceable(rotation.secret))
        }
    }
}

/// Gives a version up whose key would be used before everybody knew it. Once the key's time has come, no run can be under way
/// any more that makes the version the current one all the same: then its public key goes too.
async fn in_time(deps: &Deps, job: &Job, rotation: &Rotation, version: &NewVersion) -> Result<(), Error> {
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

/// Waits until the public keys can be read in this region, where most of what they verify comes in.
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

/// Makes the version the current one. What it does without is withdrawn before: nobody calls again after it.
async fn finish(deps: &Deps, job: &Job, rotation: &Rotation, version: &NewVersion) -> Result<(), Error> {
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
