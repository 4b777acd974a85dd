//! Python's `zipfile`, an independent implementation, reads the archives.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::*;

/// Prints name, date, size, offset and permissions of every file and, if its offset is at least `start`, the SHA-256 of
/// its content.
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

/// The output of `zipfile` for an archive. Skips the content of files with an offset below `start`.
fn read(path: &Path, start: u64) -> Vec<Value> {
    let out = Command::new("python3").args(["-c", READ]).arg(path).arg(start.to_string()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The expected output of `zipfile`.
fn expected(entry: &Entry, modified: [u16; 6]) -> Value {
    json!({
        "name": entry.name, "modified": modified, "bytes": entry.bytes, "offset": entry.offset,
        "compressed": entry.compressed, "mode": 0o100_644, "sha256": entry.sha256,
    })
}

/// Deterministic pseudo-random numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Incompressible bytes, or compressible text of a few words.
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
    Archive::resume(ArchiveState::default()).unwrap()
}

/// The state after serialization and deserialization, as in another process.
fn saved(state: ArchiveState) -> ArchiveState {
    serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const MODIFIED: &str = "2026-11-28T20:41:03Z";

/// Writes files of many sizes with hand-overs at random positions. Returns the archive, its files and the number of
/// hand-overs.
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
fn zipfile_reads_archives_of_many_processes() {
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
fn resumed_archive_has_the_same_bytes() {
    for seed in 1..=20 {
        assert!(written(seed, true) == written(seed, false), "seed {seed}");
    }
}

#[test]
fn empty_hand_over_adds_no_bytes() {
    let mut archive = new();
    archive.begin("a", time(MODIFIED)).unwrap();
    archive.write(b"text").unwrap();
    let (_, state) = archive.hand_over().unwrap();
    assert_eq!(archive.hand_over().unwrap(), (Vec::new(), state));
}

#[test]
fn empty_archive_is_valid() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("empty.zip");
    std::fs::write(&path, new().finish().unwrap()).unwrap();
    assert_eq!(read(&path, 0), Vec::<Value>::new());
}

#[test]
fn pending_bytes_hardly_exceed_the_input() {
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
        // The compressor does not buffer much, either.
        assert!(archive.pending() + 128 * 1024 > since, "{} for {since}", archive.pending());
        let (piece, _) = archive.hand_over().unwrap();
        assert!(piece.len() < since + since / 1_000 + 256, "{} for {since}", piece.len());
        assert_eq!(archive.pending(), 0);
    }
}

const GIB: u64 = 1 << 30;

/// A finished file that was not actually written.
fn entry(name: &str, bytes: u64, compressed: u64, offset: u64) -> Entry {
    let (sha256, modified) = (String::new(), records::ms_dos(time(MODIFIED)));
    Entry { name: name.to_owned(), bytes, sha256, crc32: 1, compressed, offset, modified }
}

/// A state with an open file `c` of this size and compressed size that was not actually written.
fn open_file(offset: u64, bytes: u64, compressed: u64) -> ArchiveState {
    let content = offset + 31;
    let begun = Begun { name: "c".to_owned(), modified: 0, offset, content, zip64: false };
    let sha256 = hex::encode(Sha256::new().serialize());
    let open = Some(Paused { begun, crc32: 0, sha256, bytes });
    ArchiveState { entries: Vec::new(), open, handed_over: content + compressed }
}

/// The data descriptor of the open file, without signature and checksum.
fn sizes_after_the_end(state: ArchiveState) -> Vec<u8> {
    let mut archive = Archive::resume(saved(state)).unwrap();
    archive.end().unwrap();
    // The last Deflate block has two bytes.
    assert_eq!(archive.output[2..10], [b"PK\x07\x08".as_slice(), &[0; 4]].concat());
    archive.output.split_off(10)
}

#[test]
fn sizes_below_4_gib_have_four_bytes() {
    let largest = u64::from(u32::MAX);
    let narrow = [[7, 0, 0, 0], u32::MAX.to_le_bytes()].concat();
    assert_eq!(sizes_after_the_end(open_file(5 * GIB, largest, 5)), narrow);
    let wide = |compressed: u64, bytes: u64| [compressed.to_le_bytes(), bytes.to_le_bytes()].concat();
    assert_eq!(sizes_after_the_end(open_file(0, largest + 1, 5)), wide(7, largest + 1));
    assert_eq!(sizes_after_the_end(open_file(0, 5, largest)), wide(largest + 2, 5));
}

#[test]
fn small_archive_has_no_zip64_record() {
    let (archive, entries, _) = written(3, true);
    let local = |entry: &Entry| archive[entry.offset as usize..][..30 + entry.name.len()].to_vec();
    for entry in &entries {
        let header = local(entry);
        // Version 2.0 is required; checksum and sizes follow the content; no extra field.
        assert_eq!((header[4..6].to_vec(), header[14..26].to_vec()), (vec![20, 0], vec![0; 12]));
        assert_eq!(header[28..30], [0, 0]);
    }
    for zip64 in [b"PK\x06\x06", b"PK\x06\x07"] {
        assert!(!archive.windows(4).any(|bytes| bytes == zip64));
    }
}

#[test]
fn file_begun_by_an_earlier_version_is_ended_as_its_header_says() {
    // Its local header has a Zip64 extra field of 20 bytes.
    let mut state = serde_json::to_value(open_file(0, 5, 5)).unwrap();
    let begun = state["open"]["begun"].as_object_mut().unwrap();
    begun.remove("zip64").unwrap();
    begun["content"] = 51.into();
    state["handedOver"] = 56.into();
    let state: ArchiveState = serde_json::from_value(state).unwrap();
    assert_eq!(sizes_after_the_end(state), [7_u64.to_le_bytes(), 5_u64.to_le_bytes()].concat());
}

#[test]
fn sizes_and_offsets_above_4_gib_are_kept() {
    // As if one file of 6 GiB had been written and another begun, without their content.
    let state = ArchiveState {
        entries: vec![entry("a", 4 * GIB - 1, 4 * GIB - 2, 0), entry("b", 9 * GIB, 7, 4 * GIB - 1)],
        ..open_file(5 * GIB, 20 * GIB, 6 * GIB)
    };
    let mut archive = Archive::resume(saved(state)).unwrap();
    let written_before = archive.handed_over;
    archive.end().unwrap();
    let content = 6 * GIB + 2;
    archive.begin("d", time(MODIFIED)).unwrap();
    archive.write(b"after all that").unwrap();
    archive.end().unwrap();

    let mut entries = archive.entries().to_vec();
    let start = entries[3].offset;
    assert_eq!((entries[2].compressed, entries[2].bytes), (content, 20 * GIB));
    // The file has a hole in place of the missing content.
    let folder = tempdir().unwrap();
    let path = folder.path().join("large.zip");
    let mut file = File::create(&path).unwrap();
    file.seek(SeekFrom::Start(written_before)).unwrap();
    file.write_all(&archive.finish().unwrap()).unwrap();
    let found = read(&path, start);
    let places = |value: &Value| ["bytes", "compressed", "offset"].map(|name| value[name].as_u64().unwrap());
    let wanted: Vec<_> = entries.iter().map(|entry| [entry.bytes, entry.compressed, entry.offset]).collect();
    assert_eq!(found.iter().map(places).collect::<Vec<_>>(), wanted);
    assert_eq!(found[3], expected(&entries.remove(3), [2026, 11, 28, 20, 41, 2]));
}

#[test]
fn file_65_536_is_refused() {
    let folder = tempdir().unwrap();
    let mut archive = new();
    for number in 0..MAX_FILES {
        // Equivalent to `begin` and `end`, without a compressor per file.
        let offset = archive.position();
        let (name, sha256, modified) = (number.to_string(), String::new(), records::ms_dos(time(MODIFIED)));
        archive.output.extend(records::local_header(&name, modified));
        archive.output.extend([3, 0]);
        let entry = Entry { name, bytes: 0, sha256, crc32: 0, compressed: 2, offset, modified };
        archive.output.extend(records::data_descriptor(&entry, false));
        archive.entries.push(entry);
    }
    assert_eq!(archive.begin("one-more", time(MODIFIED)), Err(Broken::Full));
    let path = folder.path().join("many.zip");
    std::fs::write(&path, archive.finish().unwrap()).unwrap();
    assert_eq!(read(&path, 0).len(), MAX_FILES);
}

#[test]
fn times_are_in_utc_and_clamped_to_the_ms_dos_range() {
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
fn names_outside_the_archive_are_refused() {
    let long = "x".repeat(256);
    for name in ["", "/a", "a/", "..", "a/../b", "a\\b", "a\0b", &long] {
        let mut archive = new();
        assert_eq!(archive.begin(name, time(MODIFIED)), Err(Broken::Name), "{name:?}");
        assert_eq!((archive.is_open(), archive.pending()), (false, 0));
    }
    assert_eq!(new().begin(&long[1..], time(MODIFIED)), Ok(()));
}

#[test]
fn call_out_of_order_is_refused_without_effect() {
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
fn invalid_state_is_refused() {
    let mut archive = new();
    archive.begin("a", time(MODIFIED)).unwrap();
    let (_, state) = archive.hand_over().unwrap();
    let changed = |change: fn(&mut ArchiveState, &mut Paused)| {
        let (mut state, mut open) = (state.clone(), state.open.clone().unwrap());
        change(&mut state, &mut open);
        Archive::resume(ArchiveState { open: Some(open), ..state }).err()
    };
    assert_eq!(changed(|_, _| ()), None);
    assert_eq!(changed(|_, open| open.sha256.truncate(8)), Some(Broken::State));
    assert_eq!(changed(|_, open| open.sha256 = "f".repeat(open.sha256.len())), Some(Broken::State));
    assert_eq!(changed(|_, open| open.begun.name.clear()), Some(Broken::State));
    assert_eq!(changed(|state, _| state.handed_over = 0), Some(Broken::State));
}

#[test]
fn padding_enlarges_a_piece_and_keeps_the_content() {
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
