//! Small files that are replaced as a whole.

use std::{io, path::Path};

use serde::Serialize;

/// Replaces a JSON document: readers see the old one or the new one, also if the process is killed meanwhile.
pub fn replace(file: &Path, document: &impl Serialize) -> io::Result<()> {
    replace_text(file, &serde_json::to_string(document)?)
}

/// Replaces a text in the same way.
pub fn replace_text(file: &Path, text: &str) -> io::Result<()> {
    let next = file.with_extension("new");
    std::fs::write(&next, text)?;
    std::fs::rename(&next, file)
}
