//! What is written is read by Python's `zipfile`, which shares no code with this.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::*;

/// Prints every file's name, date, size, place and permissions, and, if it begins at `start` or later, its content's SHA-256.
const READ: &str = r#"
import hashlib, json, sys, zipfile
path, start = sys.argv[1], int(sys.argv[2])
with zipfile.ZipFile(path) as archive:
    if start == 0 and archive.testzip() is not None:
        sys.exit("a checksum is wrong")
    print(json.dumps([{
        "name": file.filename, "modified": file.date_time, "bytes": file.file_size, "offset": file.header_offset,
        "compressed": file.compress_size, "mode": file.external_attr >> 16,
        "sha256": hashlib.sha256(archive.read(file)).hexdigest() if file.header_offset >= start else None,
    } for file in archive.infolist()]))
"#;

/// What `zipfile` finds in an archive. It does not read files that begin before `start`.
fn read(path: &Path, start: u64) -> Vec<Value> {
    let out = Command::new("python3").args(["-c", READ]).arg(path).arg(start.to_string()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// What `zipfile` should find.
fn expected(entry: &Entry, modified: [u16; 6]) -> Value {
    json!({
        "name": entry.name, "modified": modified, "bytes": entry.bytes, "offset": entry.offset,
        "compressed": entry.compressed, "mode": 0o100_644, "sha256": entry.sha256,
    })
}

/// Numbers that look random and are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Bytes that can't be compressed, or a text of few words that can.
    fn bytes(&mut self, length: usize, noise: bool) -> Vec<u8> {
        let words: [&[u8]; 4] = [b"workspace,", b"project,", b"2026-11-28T20:41:03Z\n", b"\xc3\xa9"];
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let next = self.below(1 << 20);
            if noise { bytes.push(next as u8) } else { bytes.extend(words[next as usize % 4]) }
        }
        bytes.truncate(length);
        bytes
    }
}

fn new() -> Archive {
    Archive::resume(State::default()).unwrap()
}

/// As another process reads what this one saved.
fn saved(state: State) -> State {
    serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const MODIFIED: &str = "2026-11-28T20:41:03Z";

/// Files of many sizes, with hand-overs at random places: the archive, its files and how many hand-overs there were.
fn written(seed: u64, resumes: bool) -> (Vec<u8>, Vec<Entry>, usize) {
    let (mut numbers, mut archive, mut stored, mut pieces) = (Numbers(seed), new(), Vec::new(), 0);
    let mut pass_on = |archive: &mut Archive, stored: &mut Vec<u8>, often: u64, numbers: &mut Numbers| {
        if numbers.below(often) == 0 {
            let (piece, state) = archive.hand_over().unwrap();
            stored.extend(piece);
            pieces += 1;
            if resumes {
                *archive = Archive::resume(saved(state)).unwrap();
            }
        }
    };
    for (file, length) in [0, 1, 63, 64, 100_000, 400_000, 0, 300_000].into_iter().enumerate() {
        archive.begin(&format!("files/é {file}.csv"), time(MODIFIED)).unwrap();
        pass_on(&mut archive, &mut stored, 2, &mut numbers);
        let bytes = numbers.bytes(length, file % 2 == 0);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (row, after) = rest.split_at(rest.len().min(numbers.below(20_000) as usize));
            archive.write(row).unwrap();
            rest = after;
            pass_on(&mut archive, &mut stored, 4, &mut numbers);
        }
        archive.end().unwrap();
        assert_eq!(archive.entries().last().unwrap().sha256, hex::encode(Sha256::digest(&bytes)));
        pass_on(&mut archive, &mut stored, 2, &mut numbers);
    }
    let entries = archive.entries().to_vec();
    stored.extend(archive.finish().unwrap());
    (stored, entries, pieces)
}

#[test]
fn others_read_what_many_processes_wrote_and_every_hash_is_right() {
    let folder = tempdir().unwrap();
    for seed in 1..=5 {
        let (archive, entries, pieces) = written(seed, true);
        assert!(pieces >= 10, "{pieces} pieces");
        let path = folder.path().join(format!("{seed}.zip"));
        std::fs::write(&path, archive).unwrap();
        let wanted: Vec<_> = entries.iter().map(|entry| expected(entry, [2026, 11, 28, 20, 41, 2])).collect();
        assert_eq!(read(&path, 0), wanted);
    }
}

#[test]
fn whoever_takes_over_writes_the_same_bytes() {
    for seed in 1..=20 {
        assert!(written(seed, true) == written(seed, false), "seed {seed}");
    }
}

#[test]
fn a_hand_over_of_nothing_adds_nothing() {
    let mut archive = new();
    archive.begin("a", time(MODIFIED)).unwrap();
    archive.write(b"text").unwrap();
    let (_, state) = archive.hand_over().unwrap();
    assert_eq!(archive.hand_over().unwrap(), (Vec::new(), state));
}

#[test]
fn an_archive_without_files_is_one() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("empty.zip");
    std::fs::write(&path, new().finish().unwrap()).unwrap();
    assert_eq!(read(&path, 0), Vec::<Value>::new());
}

#[test]
fn what_is_pending_is_hardly_more_than_what_was_written() {
    let (mut numbers, mut archive) = (Numbers(7), new());
    archive.begin("noise", time(MODIFIED)).unwrap();
    for _ in 0..5 {
        let mut since = 0;
        for _ in 0..40 {
            let row = numbers.bytes(20_000, true);
            archive.write(&row).unwrap();
            since += row.len();
            assert!(archive.pending() < since + since / 1_000 + 256, "{} for {since}", archive.pending());
        }
        // Nor does the compressor hold back much.
        assert!(archive.pending() + 128 * 1024 > since, "{} for {since}", archive.pending());
        let (piece, _) = archive.hand_over().unwrap();
        assert!(piece.len() < since + since / 1_000 + 256, "{} for {since}", piece.len());
        assert_eq!(archive.pending(), 0);
    }
}

#[test]
fn sizes_and_places_past_four_gibibytes_are_kept() {
    const GIB: u64 = 1 << 30;
    // As if 6 GiB had been written into one file and another begun; none of it is there to be read.
    let entry = |name: &str, bytes, compressed, offset| {
        let (sha256, modified) = (String::new(), records::ms_dos(time(MODIFIED)));
        Entry { name: name.to_owned(), bytes, sha256, crc32: 1, compressed, offset, modified }
    };
    let begun = Begun { name: "c".to_owned(), modified: 0, offset: 5 * GIB, content: 5 * GIB + 51 };
    let sha256 = hex::encode(Sha256::new().serialize());
    let state = State {
        entries: vec![entry("a", 4 * GIB - 1, 4 * GIB - 2, 0), entry("b", 9 * GIB, 7, 4 * GIB - 1)],
        open: Some(Paused { begun, crc32: 0, sha256, bytes: 20 * GIB }),
        handed_over: 11 * GIB,
    };
    let mut archive = Archive::resume(saved(state)).unwrap();
    archive.end().unwrap();
    // Deflate's last block, and the sizes after it in 8 bytes each.
    let content = 6 * GIB - 51 + 2;
    assert_eq!(archive.output[2..10], [b"PK\x07\x08".as_slice(), &[0; 4]].concat());
    assert_eq!(archive.output[10..], [content.to_le_bytes(), (20 * GIB).to_le_bytes()].concat());
    archive.begin("d", time(MODIFIED)).unwrap();
    archive.write(b"after all that").unwrap();
    archive.end().unwrap();

    let mut entries = archive.entries().to_vec();
    let start = entries[3].offset;
    assert_eq!((entries[2].compressed, entries[2].bytes), (content, 20 * GIB));
    // The file has a hole in place of what is not there.
    let folder = tempdir().unwrap();
    let path = folder.path().join("large.zip");
    let mut file = File::create(&path).unwrap();
    file.seek(SeekFrom::Start(11 * GIB)).unwrap();
    file.write_all(&archive.finish().unwrap()).unwrap();
    let found = read(&path, start);
    let places = |value: &Value| ["bytes", "compressed", "offset"].map(|name| value[name].as_u64().unwrap());
    let wanted: Vec<_> = entries.iter().map(|entry| [entry.bytes, entry.compressed, entry.offset]).collect();
    assert_eq!(found.iter().map(places).collect::<Vec<_>>(), wanted);
    assert_eq!(found[3], expected(&entries.remove(3), [2026, 11, 28, 20, 41, 2]));
}

#[test]
fn an_archive_has_65_535_files_and_no_more() {
    let folder = tempdir().unwrap();
    let mut archive = new();
    for number in 0..FILES {
        // As `begin` and `end` would have it, without a compressor for each.
        let offset = archive.position();
        let (name, sha256, modified) = (number.to_string(), String::new(), records::ms_dos(time(MODIFIED)));
        archive.output.extend(records::local_header(&name, modified));
        archive.output.extend([3, 0]);
        let entry = Entry { name, bytes: 0, sha256, crc32: 0, compressed: 2, offset, modified };
        archive.output.extend(records::data_descriptor(&entry));
        archive.entries.push(entry);
    }
    assert_eq!(archive.begin("one-more", time(MODIFIED)), Err(Broken::Full));
    let path = folder.path().join("many.zip");
    std::fs::write(&path, archive.finish().unwrap()).unwrap();
    assert_eq!(read(&path, 0).len(), FILES);
}

#[test]
fn times_are_utc_and_those_that_ms_dos_lacks_are_the_nearest() {
    let parts = |text| {
        let number = records::ms_dos(time(text));
        let (date, at) = (number >> 16, number & 0xffff);
        (1980 + (date >> 9), (date >> 5) & 15, date & 31, at >> 11, (at >> 5) & 63, (at & 31) * 2)
    };
    assert_eq!(parts("2026-11-29T00:41:03+04:00"), (2026, 11, 28, 20, 41, 2));
    assert_eq!(parts("1970-01-01T00:00:00Z"), (1980, 1, 1, 0, 0, 0));
    assert_eq!(parts("2108-02-03T04:05:06Z"), (2107, 12, 31, 23, 59, 58));
}

#[test]
fn names_that_lead_out_of_the_archive_are_refused() {
    let long = "x".repeat(256);
    for name in ["", "/a", "a/", "..", "a/../b", "a\\b", "a\0b", &long] {
        let mut archive = new();
        assert_eq!(archive.begin(name, time(MODIFIED)), Err(Broken::Name), "{name:?}");
        assert_eq!((archive.is_open(), archive.pending()), (false, 0));
    }
    assert_eq!(new().begin(&long[1..], time(MODIFIED)), Ok(()));
}

#[test]
fn what_is_out_of_turn_is_refused_and_changes_nothing() {
    let mut archive = new();
    assert_eq!(archive.write(b"text"), Err(Broken::NotOpen));
    assert_eq!(archive.end(), Err(Broken::NotOpen));
    archive.begin("a", time(MODIFIED)).unwrap();
    let pending = archive.pending();
    assert_eq!(archive.begin("b", time(MODIFIED)), Err(Broken::Open));
    assert_eq!((archive.is_open(), archive.pending()), (true, pending));
    assert_eq!(archive.finish(), Err(Broken::Open));
}

#[test]
fn a_state_that_nobody_handed_over_is_refused() {
    let mut archive = new();
    archive.begin("a", time(MODIFIED)).unwrap();
    let (_, state) = archive.hand_over().unwrap();
    let changed = |change: fn(&mut State, &mut Paused)| {
        let (mut state, mut open) = (state.clone(), state.open.clone().unwrap());
        change(&mut state, &mut open);
        Archive::resume(State { open: Some(open), ..state }).err()
    };
    assert_eq!(changed(|_, _| ()), None);
    assert_eq!(changed(|_, open| open.sha256.truncate(8)), Some(Broken::State));
    assert_eq!(changed(|_, open| open.sha256 = "f".repeat(open.sha256.len())), Some(Broken::State));
    assert_eq!(changed(|_, open| open.begun.name.clear()), Some(Broken::State));
    assert_eq!(changed(|state, _| state.handed_over = 0), Some(Broken::State));
}

#[test]
fn padding_makes_a_piece_as_large_as_wanted_and_changes_no_content() {
    let folder = tempdir().unwrap();
    let (mut archive, mut stored, text) = (new(), Vec::new(), "a line of text\n".repeat(100));
    archive.begin("text", time(MODIFIED)).unwrap();
    for piece in 0..3 {
        archive.write(text.as_bytes()).unwrap();
        archive.pad(1_000).unwrap();
        let (bytes, state) = archive.hand_over().unwrap();
        assert!((1_000..1_005).contains(&bytes.len()), "piece {piece} has {} bytes", bytes.len());
        stored.extend(bytes);
        archive = Archive::resume(saved(state)).unwrap();
    }
    archive.pad(7).unwrap();
    archive.end().unwrap();
    assert_eq!(archive.pad(1), Err(Broken::NotOpen));
    let entry = archive.entries()[0].clone();
    assert_eq!(entry.sha256, hex::encode(Sha256::digest(text.repeat(3))));
    stored.extend(archive.finish().unwrap());
    let path = folder.path().join("padded.zip");
    std::fs::write(&path, stored).unwrap();
    assert_eq!(read(&path, 0), [expected(&entry, [2026, 11, 28, 20, 41, 2])]);
}
