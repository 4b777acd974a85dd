//! `rotate-secrets`: creates the first and each new version of a secret when Secrets Manager asks for it
//! ([the steps](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)).
//!
//! A new version adds one key, with the time from which the key is used ([`domain::rotation`]). Until then its public half
//! reaches the directory and every function reads the new version. Each step may be repeated and may fail anywhere: the
//! value is created once, publishing is idempotent, and the last step moves the label `AWSCURRENT` only from the version
//! that the new one was created from. A version that is too late, or that another version overtook, is abandoned; the next
//! rotation starts again.
//!
//! A daily schedule has it log the age of each secret of its region that is rotated: rotations that fail, or that nobody starts
//! any more, make no other noise.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    ports::{Directory, Failure, NewVersion, Prepared, Progress, Rotation, Rotations, Saved},
    region::Region,
    rotation::{SecretName, is_in_time},
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{directory, rotations},
    spec::Every,
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

/// The event that invokes it.
#[derive(Deserialize)]
#[serde(try_from = "EventMembers")]
pub enum RotationEvent {
    /// A step of a rotation.
    Step(RotationRequest),
    /// The schedule.
    Tick,
}

/// The request of Secrets Manager.
pub struct RotationRequest {
    step: RotationStep,
    secret_id: String,
    /// The id of the new version.
    version: String,
}

/// The members of Secrets Manager's request. The schedule's event has none of them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventMembers {
    step: Option<RotationStep>,
    secret_id: Option<String>,
    client_request_token: Option<String>,
}

impl TryFrom<EventMembers> for RotationEvent {
    type Error = &'static str;

    fn try_from(members: EventMembers) -> Result<Self, Self::Error> {
        match (members.step, members.secret_id, members.client_request_token) {
            (Some(step), Some(secret_id), Some(version)) => {
                Ok(Self::Step(RotationRequest { step, secret_id, version }))
            }
            (None, None, None) => Ok(Self::Tick),
            _ => Err("incomplete request of Secrets Manager"),
        }
    }
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
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum RotationReport {
    /// Of a step.
    Step {
        /// Whether the version is now the current one.
        is_current: bool,
    },
    /// Of a scheduled run.
    Ages {
        /// Whole days since the last rotation of each secret.
        days: BTreeMap<&'static str, i64>,
    },
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
        "Creates the first and each new key of secrets, and logs their age daily",
        &[
            rotations::PROGRESS,
            rotations::PREPARE,
            rotations::FINISH,
            rotations::GIVE_UP,
            rotations::ROTATED_AT,
            directory::SIGNING_KEYS,
            directory::PUBLISH_SIGNING_KEY,
            directory::WITHDRAW_SIGNING_KEY,
        ],
    )
    .also(Trigger::Schedule(Every::Days(1)));
    type Deps = Deps;
    type Event = RotationEvent;
    type Result = RotationReport;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { rotations: ports.rotations(), directory: ports.directory() }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: RotationEvent) -> Result<RotationReport, Error> {
        match event {
            RotationEvent::Step(request) => step(deps, job, request).await,
            RotationEvent::Tick => Ok(RotationReport::Ages { days: ages(&*deps.rotations, job).await? }),
        }
    }
}

async fn step(deps: &Deps, job: &RunContext, event: RotationRequest) -> Result<RotationReport, Error> {
    let secret = deps.rotations.secret(&event.secret_id).ok_or(Error::Unknown)?;
    if secret.is_shared() && job.region != Region::AUTHORITY {
        return Err(Error::Elsewhere(secret));
    }
    let rotation = Rotation { secret, version: event.version };
    match (deps.rotations.progress(&rotation).await?, event.step) {
        (Progress::Done, _) => return Ok(RotationReport::Step { is_current: true }),
        (Progress::None, _) => return Err(Error::NotBegun),
        (Progress::Announced, RotationStep::Create) => prepare(deps, job, &rotation).await?,
        // Secrets Manager tests in this way, when a schedule is set, that it can invoke the function.
        (Progress::Announced, RotationStep::Test) => {}
        (Progress::Announced, RotationStep::Set | RotationStep::Finish) => return Err(Error::NoValue),
        (Progress::Pending(version), RotationStep::Create) => in_time(deps, job, &rotation, &version).await?,
        (Progress::Pending(version), RotationStep::Set) => publish(deps, &version).await?,
        (Progress::Pending(version), RotationStep::Test) => arrived(deps, &version).await?,
        (Progress::Pending(version), RotationStep::Finish) => {
            in_time(deps, job, &rotation, &version).await?;
            finish(deps, job, &rotation, &version).await?;
        }
    }
    Ok(RotationReport::Step { is_current: event.step == RotationStep::Finish })
}

/// Logs the age of each secret of this region that is rotated. The others are described too if one fails.
async fn ages(rotations: &dyn Rotations, job: &RunContext) -> Result<BTreeMap<&'static str, i64>, Error> {
    let is_own = |secret: &SecretName| !secret.is_shared() || job.region == Region::AUTHORITY;
    let rotated = |secret: &SecretName| secret.matters_for().is_some();
    let (mut days, mut failure) = (BTreeMap::new(), None);
    for secret in SecretName::ALL.into_iter().filter(|secret| is_own(secret) && rotated(secret)) {
        match rotations.rotated_at(secret).await {
            Ok(at) => {
                let age = job.now.duration_since(at).as_hours() / 24;
                log_age(secret, age);
                days.insert(secret.as_str(), age);
            }
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(days), |failure| Err(failure.into()))
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

/// Logs `{"message":"secret age","secret":"tokens","days":12}`, for a metric.
fn log_age(secret: SecretName, days: i64) {
    tracing::info!(secret = secret.as_str(), days, "secret age");
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn age_is_logged_as_a_number() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(Arc::new(writer));
        tracing::subscriber::with_default(lines.finish(), || log_age(SecretName::Tokens, 12));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["message"], &line["secret"], &line["days"]),
            (&json!("secret age"), &json!("tokens"), &json!(12))
        );
    }

    #[test]
    fn event_is_a_whole_request_or_the_schedules() {
        let read = |event: Value| serde_json::from_value::<RotationEvent>(event);
        let request = json!({ "Step": "setSecret", "SecretId": "x", "ClientRequestToken": "y" });
        assert!(matches!(read(request).unwrap(), RotationEvent::Step(_)));
        // EventBridge Scheduler sends its own members if the schedule has no input.
        for tick in [json!({}), json!({ "version": "0", "source": "aws.scheduler", "detail": "{}" })] {
            assert!(matches!(read(tick).unwrap(), RotationEvent::Tick));
        }
        assert!(read(json!({ "Step": "setSecret" })).is_err());
        assert!(read(json!({ "Step": "x", "SecretId": "x", "ClientRequestToken": "y" })).is_err());
    }
}
