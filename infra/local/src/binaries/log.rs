//! Copies the output of instances to the log of this process, line by line, at the level in the line.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    task::JoinHandle,
};

/// Logs every line of `output` under `name` until it ends.
pub fn follow(name: String, output: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while let Ok(1..) = output.read_until(b'\n', &mut line).await {
            write(&name, String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    })
}

fn write(name: &str, line: &str) {
    match level(line).as_deref() {
        Some("ERROR") => tracing::error!("{name}: {line}"),
        Some("WARN") => tracing::warn!("{name}: {line}"),
        Some("DEBUG" | "TRACE") => tracing::debug!("{name}: {line}"),
        _ => tracing::info!("{name}: {line}"),
    }
}

/// Functions log JSON. Other lines come from the runtime or from a panic.
fn level(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("level")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_read_from_the_line() {
        assert_eq!(level(r#"{"level":"ERROR","message":"x"}"#).as_deref(), Some("ERROR"));
        assert_eq!(level("thread 'main' panicked"), None);
        assert_eq!(level(r#"{"message":"x"}"#), None);
    }
}
