//! The file of the state: JSON lines of changes, which are replayed at start. It survives the end of the
//! process, but not of the machine: nothing is synced to the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::{
    stand_in::StripeStartError,
    state::{Change, State},
};

/// An open file of changes.
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Reads a file into a state, and rewrites the file without what is not needed any more. A process that
    /// ended while it wrote left an incomplete last line, which nobody was told of.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read or written, or if another program wrote it.
    pub fn open(path: &Path, state: &mut State) -> Result<Self, StripeStartError> {
        let in_file = |source| StripeStartError::File { path: path.to_owned(), source };
        for change in read(path)? {
            state.apply(change);
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(in_file)?;
        }
        let next = path.with_extension("next");
        std::fs::write(&next, lines(&state.snapshot()).map_err(in_file)?).map_err(in_file)?;
        std::fs::rename(&next, path).map_err(in_file)?;
        let file = OpenOptions::new().append(true).open(path).map_err(in_file)?;
        Ok(Self { file })
    }

    /// Appends changes in a single write.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be written.
    pub fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.file.write_all(&lines(changes)?)
    }
}

fn read(path: &Path) -> Result<Vec<Change>, StripeStartError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StripeStartError::File { path: path.to_owned(), source }),
    };
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last line break is empty or incomplete.
    lines.pop();
    let changes: Result<Vec<Change>, _> = lines.into_iter().map(serde_json::from_slice).collect();
    changes.map_err(|error| StripeStartError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}

fn lines(changes: &[Change]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for change in changes {
        serde_json::to_writer(&mut text, change)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(state: &State) -> Vec<String> {
        state
            .all("customer")
            .into_iter()
            .map(|customer| customer["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn put(state: &mut State, journal: &mut Journal, id: &str, name: &str) {
        state.put(json!({ "id": id, "object": "customer", "name": name }));
        journal.append(&state.take_changes()).unwrap();
    }

    #[test]
    fn changes_are_read_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/stripe.jsonl");
        let mut state = State::default();
        let mut journal = Journal::open(&path, &mut state).unwrap();
        put(&mut state, &mut journal, "cus_1", "A");
        put(&mut state, &mut journal, "cus_2", "B");
        put(&mut state, &mut journal, "cus_1", "C");
        for _ in 0..2 {
            let mut again = State::default();
            Journal::open(&path, &mut again).unwrap();
            assert_eq!(names(&again), ["B", "C"]);
        }
    }

    #[test]
    fn incomplete_last_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stripe.jsonl");
        let mut state = State::default();
        let mut journal = Journal::open(&path, &mut state).unwrap();
        put(&mut state, &mut journal, "cus_1", "A");
        journal.file.write_all(b"{\"change\":\"put\",\"obj").unwrap();
        let mut again = State::default();
        let mut journal = Journal::open(&path, &mut again).unwrap();
        put(&mut again, &mut journal, "cus_2", "B");
        let mut last = State::default();
        Journal::open(&path, &mut last).unwrap();
        assert_eq!(names(&last), ["B", "A"]);
    }

    #[test]
    fn file_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stripe.jsonl");
        std::fs::write(&path, "hello\n").unwrap();
        let error = Journal::open(&path, &mut State::default()).err().unwrap();
        assert!(matches!(error, StripeStartError::Unreadable { .. }));
    }
}
