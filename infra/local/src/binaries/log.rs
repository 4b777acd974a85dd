//! What instances write, in this process's log: line by line, at the level that the line itself names.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    task::JoinHandle,
};

/// Writes every line of `output` down until it ends, under `name`.
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

/// Functions log JSON; what is none is from the runtime, or a panic.
fn level(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("level")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_its_level() {
        assert_eq!(level(r#"{"level":"ERROR","message":"x"}"#).as_deref(), Some("ERROR"));
        assert_eq!(level("thread 'main' panicked"), None);
        assert_eq!(level(r#"{"message":"x"}"#), None);
    }
}
