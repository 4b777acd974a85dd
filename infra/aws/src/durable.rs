//! Files that survive `kill -9`. The stand-ins respond only after the effect of a call is on disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::start_error::StandInError;

/// Creates a folder and its parents.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StandInError> {
    std::fs::create_dir_all(folder).map_err(|source| StandInError::File { path: folder.to_owned(), source })
}

/// Reads a JSON document. Returns the default if the file does not exist.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, StandInError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(source) => return Err(StandInError::File { path: path.to_owned(), source }),
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| StandInError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}

/// Replaces a JSON document atomically. After a crash, readers see either the old or the new document.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let next = path.with_extension("json.next");
    let mut file = File::create(&next)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    file.sync_all()?;
    std::fs::rename(&next, path)?;
    // The rename is durable only after the folder is synced.
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// An append-only file of JSON lines.
pub(crate) struct JsonLines {
    path: PathBuf,
}

impl JsonLines {
    /// Reads all lines. Removes an incomplete last line, which a crash left before it was acknowledged.
    pub(crate) fn open<T: DeserializeOwned>(path: PathBuf) -> Result<(Self, Vec<T>), StandInError> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(StandInError::File { path, source }),
        };
        let whole = text.rfind('\n').map_or("", |end| text.get(..=end).unwrap_or(""));
        let lines: Result<Vec<T>, _> = whole.lines().map(serde_json::from_str).collect();
        match lines {
            Err(error) => Err(StandInError::Unreadable { path, reason: error.to_string() }),
            Ok(lines) => {
                if whole.len() < text.len() {
                    cut(&path, whole.len())
                        .map_err(|source| StandInError::File { path: path.clone(), source })?;
                }
                Ok((Self { path }, lines))
            }
        }
    }

    /// Appends lines in a single write.
    pub(crate) fn append<T: Serialize>(&self, lines: &[T]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&text)?;
        file.sync_data()
    }
}

fn cut(path: &Path, length: usize) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length as u64)?;
    file.sync_all()
}

/// Random bytes of the operating system, for the keys, nonces and ids of the stand-ins.
#[expect(clippy::disallowed_methods, reason = "the randomness of AWS is not that of a request")]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Continuing would create keys of zeros.
        tracing::error!(%error, "no randomness from the operating system");
        std::process::abort();
    }
    bytes
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    let number = u128::from_be_bytes(random());
    let number = number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
