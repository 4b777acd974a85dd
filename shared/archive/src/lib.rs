//! Writes a ZIP archive incrementally, in bounded memory, across several processes.
//!
//! An [`Archive`] takes files and returns the archive in pieces for the caller to store. Each piece comes with a
//! [`ArchiveState`]. A process that [resumes](Archive::resume) from the state produces exactly the bytes that the original
//! process would have produced.
//!
//! This relies on the block structure of [Deflate]. Before a piece is handed over, all open blocks end at a byte
//! boundary. Later content is compressed without references to earlier content, as further blocks of the same stream.
//!
//! [Deflate]: https://www.rfc-editor.org/rfc/rfc1951

mod records;

use std::mem;

use flate2::{Compress, Compression, FlushCompress};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{
    Digest, Sha256,
    digest::common::hazmat::{SerializableState, SerializedState},
};

/// The maximum number of files in an archive.
const MAX_FILES: usize = 65_535;
/// The maximum length of a file name in bytes.
const MAX_NAME: usize = 255;
/// The size of the compressor's output buffer in bytes.
const CHUNK: usize = 8 * 1024;
/// An empty stored block at a byte boundary: its header, the length 0 and its complement.
const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// An archive that is being written.
pub struct Archive {
    entries: Vec<Entry>,
    open: Option<Open>,
    /// The number of bytes handed over.
    handed_over: u64,
    /// The bytes to hand over next.
    output: Vec<u8>,
}

/// The state of an archive, to be saved with the piece it was handed over with. It grows only with the number of
/// finished files.
///
/// It contains file names and, in the state of the hash, up to 63 bytes of the open file. Never log it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveState {
    entries: Vec<Entry>,
    open: Option<Paused>,
    handed_over: u64,
}

/// A finished file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name, including folders.
    pub name: String,
    /// The uncompressed size in bytes.
    pub bytes: u64,
    /// The SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
    crc32: u32,
    /// The compressed size in bytes.
    compressed: u64,
    /// The offset of the local header in the archive.
    offset: u64,
    /// The modification time in MS-DOS format.
    modified: u32,
}

/// The open file.
struct Open {
    begun: Begun,
    crc32: crc32fast::Hasher,
    sha256: Sha256,
    bytes: u64,
    /// A compressor without content from before the last hand-over.
    compress: Compress,
}

/// The properties of a file that are known when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    name: String,
    modified: u32,
    /// The offset of the local header in the archive.
    offset: u64,
    /// The offset of the content in the archive.
    content: u64,
    /// Whether the local header declares 8-byte sizes. States of earlier versions lack this field; their headers did.
    #[serde(default = "declared")]
    zip64: bool,
}

fn declared() -> bool {
    true
}

/// The open file, between two processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Paused {
    begun: Begun,
    crc32: u32,
    /// The state of the hash in hexadecimal.
    sha256: String,
    bytes: u64,
}

/// An error of an archive. It indicates a defect of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The name is not a valid relative path.
    #[error("the file name is empty, too long, or leads out of the archive")]
    Name,
    /// The operation requires that no file is open.
    #[error("a file is open")]
    Open,
    /// The operation requires an open file.
    #[error("no file is open")]
    NotOpen,
    /// The archive has the maximum number of files.
    #[error("the archive must not exceed {MAX_FILES} files")]
    Full,
    /// The state was not created by [`Archive::hand_over`].
    #[error("the state is invalid")]
    State,
    /// The compressor failed.
    #[error("compression failed")]
    Compress,
}

impl Archive {
    /// Resumes from a state. The default state starts a new archive.
    ///
    /// # Errors
    ///
    /// When the state was not created by [`Archive::hand_over`].
    pub fn resume(state: ArchiveState) -> Result<Self, Broken> {
        let ArchiveState { entries, open, handed_over } = state;
        let begun = open.as_ref().map(|open| &open.begun);
        let mut names = entries.iter().map(|entry| &entry.name).chain(begun.map(|begun| &begun.name));
        let few = entries.len() + usize::from(open.is_some()) <= MAX_FILES;
        if !few || !names.all(|name| is_name(name)) || begun.is_some_and(|begun| begun.content > handed_over)
        {
            return Err(Broken::State);
        }
        Ok(Self { entries, open: open.map(Open::resume).transpose()?, handed_over, output: Vec::new() })
    }

    /// The finished files, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a file is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Begins a file. The caller must ensure that names are unique.
    ///
    /// # Errors
    ///
    /// When a file is open, the archive is full, or the name is invalid. A valid name is a relative path of 1 to 255
    /// bytes, with slashes between folders and without `..`.
    pub fn begin(&mut self, name: &str, modified: Timestamp) -> Result<(), Broken> {
        if self.is_open() {
            return Err(Broken::Open);
        }
        if self.entries.len() >= MAX_FILES {
            return Err(Broken::Full);
        }
        if !is_name(name) {
            return Err(Broken::Name);
        }
        let (offset, modified) = (self.position(), records::ms_dos(modified));
        self.output.extend(records::local_header(name, modified));
        let begun = Begun { name: name.to_owned(), modified, offset, content: self.position(), zip64: false };
        self.open = Some(Open {
            begun,
            crc32: crc32fast::Hasher::new(),
            sha256: Sha256::new(),
            bytes: 0,
            compress: compress(),
        });
        Ok(())
    }

    /// Appends to the open file.
    ///
    /// # Errors
    ///
    /// When no file is open.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let open = self.open.as_mut().ok_or(Broken::NotOpen)?;
        open.crc32.update(bytes);
        open.sha256.update(bytes);
        open.bytes += bytes.len() as u64;
        open.compress(bytes, FlushCompress::None, &mut self.output)
    }

    /// Ends the open file.
    ///
    /// # Errors
    ///
    /// When no file is open.
    pub fn end(&mut self) -> Result<(), Broken> {
        let mut open = self.open.take().ok_or(Broken::NotOpen)?;
        open.compress(&[], FlushCompress::Finish, &mut self.output)?;
        let Begun { name, modified, offset, content, zip64 } = open.begun;
        let entry = Entry {
            name,
            bytes: open.bytes,
            sha256: hex::encode(open.sha256.finalize()),
            crc32: open.crc32.finalize(),
            compressed: self.position() - content,
            offset,
            modified,
        };
        self.output.extend(records::data_descriptor(&entry, zip64));
        self.entries.push(entry);
        Ok(())
    }

    /// The number of bytes that wait to be handed over, without those buffered by the compressor.
    pub fn pending(&self) -> usize {
        self.output.len()
    }

    /// Returns all bytes since the last hand-over, and the state after them.
    ///
    /// Later content of the open file is compressed without references to earlier content, so hand over megabytes, not
    /// rows.
    ///
    /// # Errors
    ///
    /// When compression fails.
    pub fn hand_over(&mut self) -> Result<(Vec<u8>, ArchiveState), Broken> {
        if let Some(open) = &mut self.open {
            open.pause(&mut self.output)?;
        }
        self.handed_over = self.position();
        let open = self.open.as_ref().map(Open::state);
        let state = ArchiveState { entries: self.entries.clone(), open, handed_over: self.handed_over };
        Ok((mem::take(&mut self.output), state))
    }

    /// Pads the output to at least `pending` bytes, for a store with a minimum piece size. Adds empty blocks to the
    /// open file, which don't change its content.
    ///
    /// # Errors
    ///
    /// When no file is open.
    pub fn pad(&mut self, pending: usize) -> Result<(), Broken> {
        let open = self.open.as_mut().ok_or(Broken::NotOpen)?;
        open.pause(&mut self.output)?;
        while self.output.len() < pending {
            self.output.extend(EMPTY_BLOCK);
        }
        Ok(())
    }

    /// Returns the remaining bytes and the central directory.
    ///
    /// # Errors
    ///
    /// When a file is open.
    pub fn finish(mut self) -> Result<Vec<u8>, Broken> {
        if self.is_open() {
            return Err(Broken::Open);
        }
        let start = self.position();
        for entry in &self.entries {
            self.output.extend(records::central_header(entry));
        }
        let size = self.position() - start;
        self.output.extend(records::end(self.entries.len(), start, size));
        Ok(self.output)
    }

    /// The current size of the archive in bytes.
    fn position(&self) -> u64 {
        self.handed_over + self.output.len() as u64
    }
}

impl Open {
    fn resume(paused: Paused) -> Result<Self, Broken> {
        let Paused { begun, crc32, sha256, bytes } = paused;
        let mut state = SerializedState::<Sha256>::default();
        hex::decode_to_slice(sha256, &mut state).map_err(|_| Broken::State)?;
        let sha256 = Sha256::deserialize(&state).map_err(|_| Broken::State)?;
        let crc32 = crc32fast::Hasher::new_with_initial(crc32);
        Ok(Self { begun, crc32, sha256, bytes, compress: compress() })
    }

    /// Ends open blocks at a byte boundary and resets the compressor, as a resuming process will.
    fn pause(&mut self, output: &mut Vec<u8>) -> Result<(), Broken> {
        if self.compress.total_in() > 0 {
            self.compress(&[], FlushCompress::Full, output)?;
            self.compress = compress();
        }
        Ok(())
    }

    fn state(&self) -> Paused {
        Paused {
            begun: self.begun.clone(),
            crc32: self.crc32.clone().finalize(),
            sha256: hex::encode(self.sha256.serialize()),
            bytes: self.bytes,
        }
    }

    /// Compresses `input` and appends the output of the compressor.
    fn compress(
        &mut self,
        mut input: &[u8],
        flush: FlushCompress,
        output: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let mut chunk = [0; CHUNK];
        loop {
            let (read, written) = (self.compress.total_in(), self.compress.total_out());
            self.compress.compress(input, &mut chunk, flush).map_err(|_| Broken::Compress)?;
            let (read, written) = (self.compress.total_in() - read, self.compress.total_out() - written);
            input = input.get(read as usize..).unwrap_or_default();
            output.extend_from_slice(chunk.get(..written as usize).unwrap_or_default());
            // A chunk that is not full is the last one: the compressor stops when it lacks input or space.
            if input.is_empty() && written < CHUNK as u64 {
                return Ok(());
            }
            if read == 0 && written == 0 {
                return Err(Broken::Compress);
            }
        }
    }
}

/// A compressor without history, for raw Deflate blocks without a zlib header.
fn compress() -> Compress {
    Compress::new(Compression::default(), false)
}

/// Whether a name is a valid file name that stays within the folder where the archive is extracted.
fn is_name(name: &str) -> bool {
    let folder = name.starts_with('/') || name.ends_with('/');
    (1..=MAX_NAME).contains(&name.len()) && !folder && !name.contains("..") && !name.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests;
