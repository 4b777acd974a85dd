//! A ZIP archive that is written bit by bit, in bounded memory, by processes that take over from one another.
//!
//! An [`Archive`] takes files and gives the archive's bytes in pieces, for the caller to store. With each piece it hands over
//! its [`State`]; whoever [resumes](Archive::resume) from that goes on byte for byte as this one would have.
//!
//! That works because of how [Deflate] is made: a stream of blocks. Before a piece is handed over, the blocks begun are ended
//! at a whole byte. What comes after is compressed anew and refers to nothing before, and is further blocks of the same stream.
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

/// How many files an archive takes.
const FILES: usize = 65_535;
/// How many bytes a file's name has at the most.
const NAME: usize = 255;
/// How much the compressor gives at once.
const CHUNK: usize = 8 * 1024;
/// A block of no bytes, as it stands where a byte begins: stored, of the length 0, and 0's complement.
const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// An archive under way.
pub struct Archive {
    entries: Vec<Entry>,
    open: Option<Open>,
    /// How many bytes were handed over.
    handed_over: u64,
    /// What is to be handed over next.
    output: Vec<u8>,
}

/// What an archive is so far, to be saved with the piece that it was handed over with. It grows with the finished files alone.
///
/// It holds the files' names and, in the hash's state, up to 63 bytes of the open file's content: nothing for a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    entries: Vec<Entry>,
    open: Option<Paused>,
    handed_over: u64,
}

/// A finished file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, folders and all.
    pub name: String,
    /// How long its content is.
    pub bytes: u64,
    /// Its content's SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    crc32: u32,
    /// How long its content is in the archive.
    compressed: u64,
    /// Where it begins in the archive.
    offset: u64,
    /// In MS-DOS's form.
    modified: u32,
}

/// The file that is being written.
struct Open {
    begun: Begun,
    crc32: crc32fast::Hasher,
    sha256: Sha256,
    bytes: u64,
    /// Begun after the last hand-over.
    compress: Compress,
}

/// What is known of a file from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    name: String,
    modified: u32,
    /// Where it begins in the archive.
    offset: u64,
    /// Where its content begins in the archive.
    content: u64,
}

/// The file that is being written, between two processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Paused {
    begun: Begun,
    crc32: u32,
    /// The hash's state in hexadecimal.
    sha256: String,
    bytes: u64,
}

/// Why an archive can't go on: a defect of whoever writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The name is no plain file's inside the archive.
    #[error("a file's name is empty, too long, or leads out of the archive")]
    Name,
    /// A file has to be ended first.
    #[error("a file is open")]
    Open,
    /// A file has to be begun first.
    #[error("no file is open")]
    NotOpen,
    /// There are as many files as an archive takes.
    #[error("an archive has {FILES} files at the most")]
    Full,
    /// The state is none that was handed over.
    #[error("the state can't be read")]
    State,
    /// The compressor failed.
    #[error("the content can't be compressed")]
    Compress,
}

impl Archive {
    /// Goes on from a state, which is the default one for a new archive.
    ///
    /// # Errors
    ///
    /// When the state is none that [`Archive::hand_over`] gave.
    pub fn resume(state: State) -> Result<Self, Broken> {
        let State { entries, open, handed_over } = state;
        let begun = open.as_ref().map(|open| &open.begun);
        let mut names = entries.iter().map(|entry| &entry.name).chain(begun.map(|begun| &begun.name));
        let few = entries.len() + usize::from(open.is_some()) <= FILES;
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

    /// Whether a file is begun and not ended.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Begins a file. That no two have the same name is the caller's to see to.
    ///
    /// # Errors
    ///
    /// When another is open, there are too many, or the name is none: of 1 to 255 bytes, relative, with slashes between folders
    /// and never `..`.
    pub fn begin(&mut self, name: &str, modified: Timestamp) -> Result<(), Broken> {
        if self.is_open() {
            return Err(Broken::Open);
        }
        if self.entries.len() >= FILES {
            return Err(Broken::Full);
        }
        if !is_name(name) {
            return Err(Broken::Name);
        }
        let (offset, modified) = (self.position(), records::ms_dos(modified));
        self.output.extend(records::local_header(name, modified));
        let begun = Begun { name: name.to_owned(), modified, offset, content: self.position() };
        self.open = Some(Open {
            begun,
            crc32: crc32fast::Hasher::new(),
            sha256: Sha256::new(),
            bytes: 0,
            compress: compress(),
        });
        Ok(())
    }

    /// Writes into the open file.
    ///
    /// # Errors
    ///
    /// When there is none.
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
    /// When there is none.
    pub fn end(&mut self) -> Result<(), Broken> {
        let mut open = self.open.take().ok_or(Broken::NotOpen)?;
        open.compress(&[], FlushCompress::Finish, &mut self.output)?;
        let Begun { name, modified, offset, content } = open.begun;
        let entry = Entry {
            name,
            bytes: open.bytes,
            sha256: hex::encode(open.sha256.finalize()),
            crc32: open.crc32.finalize(),
            compressed: self.position() - content,
            offset,
            modified,
        };
        self.output.extend(records::data_descriptor(&entry));
        self.entries.push(entry);
        Ok(())
    }

    /// How many bytes wait to be handed over, not counting what the compressor holds back.
    pub fn pending(&self) -> usize {
        self.output.len()
    }

    /// All bytes since the last hand-over, and the state after them.
    ///
    /// Within a file, what is written next finds nothing before it to refer to: hand over megabytes, not rows.
    ///
    /// # Errors
    ///
    /// When the compressor fails.
    pub fn hand_over(&mut self) -> Result<(Vec<u8>, State), Broken> {
        if let Some(open) = &mut self.open {
            open.pause(&mut self.output)?;
        }
        self.handed_over = self.position();
        let open = self.open.as_ref().map(Open::state);
        let state = State { entries: self.entries.clone(), open, handed_over: self.handed_over };
        Ok((mem::take(&mut self.output), state))
    }

    /// Has at least so many bytes wait to be handed over, for a store that takes no smaller pieces: the open file gets blocks
    /// of nothing. Its content stays what it is.
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

    /// The last bytes: those since the last hand-over, and the central directory.
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

    /// How long the archive is so far.
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

    /// Ends the blocks begun at a whole byte, and begins the next ones as whoever takes over will.
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

    /// Compresses `input`, and appends what the compressor gives.
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
            // A chunk that is not full is the last one: the compressor stops for want of input or of room.
            if input.is_empty() && written < CHUNK as u64 {
                return Ok(());
            }
            if read == 0 && written == 0 {
                return Err(Broken::Compress);
            }
        }
    }
}

/// A compressor that knows nothing of what came before, for blocks without zlib's header.
fn compress() -> Compress {
    Compress::new(Compression::default(), false)
}

/// Whether a name is a plain file's, and stays inside the folder that the archive is unpacked into.
fn is_name(name: &str) -> bool {
    let folder = name.starts_with('/') || name.ends_with('/');
    (1..=NAME).contains(&name.len()) && !folder && !name.contains("..") && !name.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests;
