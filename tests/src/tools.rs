//! Programs in Python that tests run beside Rust.

use std::path::PathBuf;

/// Where they and their Python are. Installs them if they aren't there.
pub async fn python_tools() -> PathBuf {
    let install = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/install");
    let installed = tokio::process::Command::new(install).output().await.unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let tools = std::env::var_os("ACCOUNT_TOOLS").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap();
        home.join(".cache/account-platform/tools")
    });
    tools.join("venv/bin")
}
