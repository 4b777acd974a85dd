//! An export bundle as somebody who was given it unpacks it.

use std::{collections::BTreeMap, path::Path};

use tests::{Value, python_tools};
use tokio::process::Command;

/// Its files, by their names.
pub struct Bundle(pub BTreeMap<String, String>);

impl Bundle {
    /// Unpacks it; its archive, schemas, manifest and README have to be right.
    pub async fn of(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.zip");
        std::fs::write(&file, bytes).unwrap();
        let mut command = Command::new(python_tools().await.join("python"));
        command.args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/tools/bundle.py")]);
        let read = command.arg(Path::new(&file)).output().await.unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        Self(serde_json::from_slice(&read.stdout).unwrap())
    }

    /// The lines of one of its files.
    pub fn rows(&self, name: &str) -> Vec<Value> {
        self.0[name].lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything in it.
    pub fn text(&self) -> String {
        self.0.values().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
