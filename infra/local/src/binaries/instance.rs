//! A process that runs the binary of a function.

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
    faketime::SharedMemory,
    log,
    runtime_api::{Invocation, RuntimeApi},
};

/// The maximum duration of the init phase, until the first request for an event, [as on Lambda].
///
/// [as on Lambda]: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to start instances of a function.
pub struct InstanceConfig {
    /// The function.
    pub function: &'static str,
    /// The region in which the function runs.
    pub region: Region,
    /// The binary.
    pub binary: PathBuf,
    /// The environment.
    pub environment: Environment,
}

impl InstanceConfig {
    /// The name of the instances in the log.
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
            // Ctrl-C goes only to the platform, which completes requests before it stops instances.
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// Why an event has no result.
pub enum InvokeError {
    /// The function returned an error. The process can be reused.
    Failed(String),
    /// The process exit_reason or must be killed.
    Lost(String),
}

/// A running process. Dropping it kills the process. Its Runtime API stops as well, so that a surviving process gets no
/// events.
pub struct Instance {
    child: Child,
    api: RuntimeApi,
    log: Vec<JoinHandle<()>>,
    _shared_memory: SharedMemory,
}

impl Instance {
    /// Starts an instance and waits until it asks for its first event.
    pub async fn start(recipe: &InstanceConfig) -> Result<Self, String> {
        let api = RuntimeApi::start(recipe.arn()).await.map_err(|error| error.to_string())?;
        let mut child = recipe.command(&api).spawn().map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().map(|output| log::follow(recipe.name(), output));
        let stderr = child.stderr.take().map(|output| log::follow(recipe.name(), output));
        let (shared_memory, log) = (SharedMemory(child.id()), stdout.into_iter().chain(stderr).collect());
        let mut instance = Self { child, api, log, _shared_memory: shared_memory };
        let begun = tokio::select! {
            begun = instance.api.ready() => begun,
            status = instance.child.wait() => Err(exit_reason(status)),
            () = tokio::time::sleep(INIT_TIMEOUT) => Err("init timed out".to_owned()),
        };
        match begun {
            Ok(()) => Ok(instance),
            Err(reason) => {
                instance.end().await;
                Err(format!("instance did not start: {reason}"))
            }
        }
    }

    /// Whether the process is running.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends an event and waits for the result. `now` is the time of the instance. After `limit`, the process must be
    /// killed.
    pub async fn invoke(
        &mut self,
        event: Bytes,
        limit: Duration,
        now: Timestamp,
    ) -> Result<Bytes, InvokeError> {
        let deadline = now.saturating_add(limit).unwrap_or(now);
        let invocation = Invocation { id: trace(now), deadline, event };
        tokio::select! {
            // A result takes precedence over the end of the process.
            biased;
            reply = self.api.invoke(invocation) => reply.map_err(InvokeError::Failed),
            status = self.child.wait() => Err(InvokeError::Lost(exit_reason(status))),
            () = tokio::time::sleep(limit) => {
                Err(InvokeError::Lost(format!("timed out after {} seconds", limit.as_secs())))
            }
        }
    }

    /// Kills the process. Returns after it has exit_reason and all its output is in the log.
    pub async fn end(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::error!(%error, "instance could not be killed");
        }
        for log in self.log {
            let _ = log.await;
        }
    }
}

fn exit_reason(status: std::io::Result<std::process::ExitStatus>) -> String {
    match status {
        Ok(status) => format!("process exited: {status}"),
        Err(error) => error.to_string(),
    }
}

/// A trace id [in the format of X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html).
fn trace(now: Timestamp) -> String {
    let mut random = [0; 16];
    OsEntropy.fill(&mut random);
    format!("1-{:08x}-{:024x}", now.as_second(), u128::from_be_bytes(random) >> 32)
}
