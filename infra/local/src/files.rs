//! Atomic replacement of small files.

use std::{io, path::Path};

use serde::Serialize;

/// Replaces a JSON document. Readers see the old or the new document, even if the process is killed.
pub fn replace(file: &Path, document: &impl Serialize) -> io::Result<()> {
    replace_text(file, &serde_json::to_string(document)?)
}

/// Replaces a text file in the same way.
pub fn replace_text(file: &Path, text: &str) -> io::Result<()> {
    let next = file.with_extension("new");
    std::fs::write(&next, text)?;
    std::fs::rename(&next, file)
}
