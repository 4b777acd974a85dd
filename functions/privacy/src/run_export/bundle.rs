//! Writing a bundle: a ZIP or one JSON document with the same records, written in pieces by successive runs.

use std::collections::BTreeMap;

use archive::{Archive, ArchiveState, Broken};
use domain::{
    Timestamp,
    export::{Export, Format},
    ports::Failure,
};
use serde::{Deserialize, Serialize};

use super::{
    readme,
    rows::{Account, Manifest, ManifestFile},
    sections::{Section, schema},
};

/// The version of the layout of bundles.
const FORMAT_VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const MANIFEST_SCHEMA: &str = "schemas/manifest.schema.json";
const README: &str = "README.txt";

/// A bundle that is being written. From its beginning to its end, one section is open.
pub struct Bundle {
    created_at: Timestamp,
    section: Section,
    /// How many rows the open section has.
    rows: u64,
    /// How many rows each finished section has.
    done: RowsDone,
    /// How many rows were written since this run began.
    count: usize,
    output: Output,
}

enum Output {
    Zip(Box<Archive>),
    Json(Vec<u8>),
}

/// The state of a bundle, as it is stored. Its size depends only on the number of sections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    rows: u64,
    done: RowsDone,
    /// The state of a ZIP.
    #[serde(default)]
    archive: Option<ArchiveState>,
}

/// How many rows each finished section has, by its name, so that a version with more sections can continue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredRows")]
struct RowsDone(BTreeMap<Section, u64>);

/// The stored forms of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredRows {
    ByName(BTreeMap<Section, u64>),
    /// An earlier version stored only the numbers, in the order of its sections, which still come first.
    InOrder(Vec<u64>),
}

impl From<StoredRows> for RowsDone {
    fn from(stored: StoredRows) -> Self {
        Self(match stored {
            StoredRows::ByName(rows) => rows,
            StoredRows::InOrder(rows) => Section::ALL.into_iter().zip(rows).collect(),
        })
    }
}

impl Bundle {
    /// A new bundle, with its first section open.
    pub fn begin(export: &Export, account: &Account) -> Result<Self, Failure> {
        let created_at = export.created_at;
        let output = match export.format {
            Format::Zip => Output::Zip(Box::new(preamble(created_at)?)),
            Format::Json => {
                let version = json(&FORMAT_VERSION)?;
                Output::Json(format!("{{\"formatVersion\":{version},\"createdAt\":\"{created_at}\"").into())
            }
        };
        let mut bundle = Self {
            created_at,
            section: Section::Account,
            rows: 0,
            done: RowsDone::default(),
            count: 0,
            output,
        };
        bundle.open()?;
        // The sessions follow one by one.
        let head = json(account)?;
        bundle.write(head.strip_suffix("]}").unwrap_or_default())?;
        Ok(bundle)
    }

    /// Continues what another run wrote.
    pub fn resume(export: &Export, section: Section, written: Written) -> Result<Self, Failure> {
        let Written { rows, done, archive } = written;
        let output = match export.format {
            Format::Zip => {
                let state = archive.ok_or(Broken::State).map_err(broken)?;
                Output::Zip(Box::new(Archive::resume(state).map_err(broken)?))
            }
            Format::Json => Output::Json(Vec::new()),
        };
        Ok(Self { created_at: export.created_at, section, rows, done, count: 0, output })
    }

    /// Writes a row into the open section.
    pub fn row(&mut self, row: &impl Serialize) -> Result<(), Failure> {
        let row = json(row)?;
        let text = match (self.is_list(), self.rows) {
            (true, 0) => row,
            (true, _) => format!(",\n{row}"),
            (false, _) => format!("{row}\n"),
        };
        self.rows = self.rows.saturating_add(1);
        self.count = self.count.saturating_add(1);
        self.write(&text)
    }

    /// Opens a section, unless it is open already.
    pub fn enter(&mut self, section: Section) -> Result<(), Failure> {
        if section != self.section {
            self.close()?;
            self.section = section;
            self.open()?;
        }
        Ok(())
    }

    /// How many rows were written since this run began.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes are not handed over yet.
    pub fn pending(&self) -> usize {
        match &self.output {
            Output::Zip(archive) => archive.pending(),
            Output::Json(pending) => pending.len(),
        }
    }

    /// All bytes since the last hand-over, padded to at least `least` bytes, and the state of the bundle after them.
    pub fn hand_over(&mut self, least: usize) -> Result<(Vec<u8>, Written), Failure> {
        let (bytes, archive) = match &mut self.output {
            Output::Zip(archive) => {
                if archive.pending() < least {
                    archive.pad(least).map_err(broken)?;
                }
                let (bytes, state) = archive.hand_over().map_err(broken)?;
                (bytes, Some(state))
            }
            Output::Json(pending) => {
                pending.resize(pending.len().max(least), b' ');
                (std::mem::take(pending), None)
            }
        };
        Ok((bytes, Written { rows: self.rows, done: self.done.clone(), archive }))
    }

    /// The last bytes.
    pub fn finish(mut self) -> Result<Vec<u8>, Failure> {
        self.close()?;
        match self.output {
            Output::Zip(mut archive) => {
                let files = archive.entries().iter().map(|entry| {
                    let section = Section::ALL.iter().find(|section| section.file() == entry.name);
                    let rows = section.and_then(|section| self.done.0.get(section)).copied();
                    ManifestFile {
                        name: entry.name.clone(),
                        rows,
                        bytes: entry.bytes,
                        sha256: entry.sha256.clone(),
                    }
                });
                let (format_version, created_at) = (FORMAT_VERSION, self.created_at);
                let manifest = Manifest { format_version, created_at, files: files.collect() };
                add(&mut archive, MANIFEST, &pretty(&manifest)?, created_at)?;
                archive.finish().map_err(broken)
            }
            Output::Json(mut pending) => {
                pending.extend_from_slice(b"}\n");
                Ok(pending)
            }
        }
    }

    /// Whether the section's rows are a JSON array. Otherwise each is a line.
    fn is_list(&self) -> bool {
        self.section == Section::Account || matches!(self.output, Output::Json(_))
    }

    fn open(&mut self) -> Result<(), Failure> {
        let is_account = self.section == Section::Account;
        match &mut self.output {
            Output::Zip(archive) => archive.begin(self.section.file(), self.created_at).map_err(broken),
            Output::Json(pending) => {
                pending.extend_from_slice(format!(",\n\"{}\":", self.section.member()).as_bytes());
                pending.extend_from_slice(if is_account { b"" } else { b"[" });
                Ok(())
            }
        }
    }

    fn close(&mut self) -> Result<(), Failure> {
        match (self.section, self.is_list()) {
            (Section::Account, _) => self.write("]}")?,
            (_, true) => self.write("]")?,
            (_, false) => {}
        }
        if let Output::Zip(archive) = &mut self.output {
            archive.end().map_err(broken)?;
        }
        // The account is one record with all its sessions.
        self.done.0.insert(self.section, if self.section == Section::Account { 1 } else { self.rows });
        self.rows = 0;
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match &mut self.output {
            Output::Zip(archive) => archive.write(text.as_bytes()).map_err(broken),
            Output::Json(pending) => {
                pending.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    }
}

/// The first files of a ZIP: its README and the schemas of its files.
fn preamble(created_at: Timestamp) -> Result<Archive, Failure> {
    let mut archive = Archive::resume(ArchiveState::default()).map_err(broken)?;
    add(&mut archive, README, &readme::text(created_at), created_at)?;
    for section in Section::ALL {
        add(&mut archive, &section.schema_file(), &pretty(&section.schema())?, created_at)?;
    }
    add(&mut archive, MANIFEST_SCHEMA, &pretty(&schema::<Manifest>())?, created_at)?;
    Ok(archive)
}

fn add(archive: &mut Archive, name: &str, text: &str, modified: Timestamp) -> Result<(), Failure> {
    archive.begin(name, modified).map_err(broken)?;
    archive.write(text.as_bytes()).map_err(broken)?;
    archive.end().map_err(broken)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(unwritable)
}

fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::Broken(format!("a record of an export: {error}"))
}

fn broken(error: Broken) -> Failure {
    Failure::Broken(format!("an export's archive: {error}"))
}

#[cfg(test)]
mod tests;
