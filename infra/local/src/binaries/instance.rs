//! One process that runs a function's program.

use std::{path::PathBuf, process::Stdio, time::Duration};

use bytes::Bytes;
use domain::{Timestamp, entropy::Entropy, region::Region};
use lambda::OsEntropy;
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
};

use super::{
    environment::Environment,
    faketime::Traces,
    log,
    runtime_api::{Invocation, RuntimeApi},
};

/// An instance must ask for its first event within this, [as on Lambda].
///
/// [as on Lambda]: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const BEGINNING: Duration = Duration::from_secs(10);

/// How instances of a function are made.
pub struct Recipe {
    /// The function.
    pub function: &'static str,
    /// The region that it runs in.
    pub region: Region,
    /// Its program.
    pub binary: PathBuf,
    /// What it is told.
    pub environment: Environment,
}

impl Recipe {
    /// As the log calls its instances.
    pub fn name(&self) -> String {
        format!("{} {}", self.region, self.function)
    }

    fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region.aws(), aws::ACCOUNT, self.function)
    }

    fn command(&self, api: &RuntimeApi) -> Command {
        let folder = self.binary.parent().unwrap_or(&self.binary);
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .envs(self.environment.variables(api.address(), folder))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the platform, which lets requests end before it ends instances.
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// Why an event has no result.
pub enum Ended {
    /// The function said so; its process is well.
    Failed(String),
    /// The process is gone, or has to go.
    Lost(String),
}

/// A running process. Dropping it kills it; its Runtime API goes with it, so that one that lives on has nothing to ask.
pub struct Instance {
    child: Child,
    api: RuntimeApi,
    log: Vec<JoinHandle<()>>,
    _traces: Traces,
}

impl Instance {
    /// Starts one, and waits until it asks for its first event.
    pub async fn start(recipe: &Recipe) -> Result<Self, String> {
        let api = RuntimeApi::start(recipe.arn()).await.map_err(|error| error.to_string())?;
        let mut child = recipe.command(&api).spawn().map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().map(|output| log::follow(recipe.name(), output));
        let stderr = child.stderr.take().map(|output| log::follow(recipe.name(), output));
        let (traces, log) = (Traces(child.id()), stdout.into_iter().chain(stderr).collect());
        let mut instance = Self { child, api, log, _traces: traces };
        let begun = tokio::select! {
            begun = instance.api.ready() => begun,
            status = instance.child.wait() => Err(ended(status)),
            () = tokio::time::sleep(BEGINNING) => Err("it did not begin in time".to_owned()),
        };
        match begun {
            Ok(()) => Ok(instance),
            Err(reason) => {
                instance.end().await;
                Err(format!("it did not start: {reason}"))
            }
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Hands it an event; `now` is the time by its clock. One that takes longer than `limit` has to go.
    pub async fn invoke(&mut self, event: Bytes, limit: Duration, now: Timestamp) -> Result<Bytes, Ended> {
        let deadline = now.saturating_add(limit).unwrap_or(now);
        let invocation = Invocation { id: trace(now), deadline, event };
        tokio::select! {
            // What it made before it died counts.
            biased;
            reply = self.api.invoke(invocation) => reply.map_err(Ended::Failed),
            status = self.child.wait() => Err(Ended::Lost(ended(status))),
            () = tokio::time::sleep(limit) => {
                Err(Ended::Lost(format!("it took longer than {} seconds", limit.as_secs())))
            }
        }
    }

    /// Kills it, and returns when it is gone and everything that it wrote is in the log.
    pub async fn end(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::error!(%error, "an instance could not be killed");
        }
        for log in self.log {
            let _ = log.await;
        }
    }
}

fn ended(status: std::io::Result<std::process::ExitStatus>) -> String {
    match status {
        Ok(status) => format!("its process ended: {status}"),
        Err(error) => error.to_string(),
    }
}

/// A name of [the form](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html) that traces have.
fn trace(now: Timestamp) -> String {
    let mut random = [0; 16];
    OsEntropy.fill(&mut random);
    format!("1-{:08x}-{:024x}", now.as_second(), u128::from_be_bytes(random) >> 32)
}
