//! The records of a ZIP archive, as bytes (sections 4.3 to 4.5 of the [specification]).
//!
//! What comes before a file's content can't say how long it will be. So every file is begun in the Zip64 format, whose sizes
//! have 8 bytes, and its sizes follow its content. The central directory has fields of 8 bytes only where 4 don't do.
//!
//! [specification]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::Entry;

/// The version of the format that is needed to read it: 4.5, for Zip64.
const NEEDED: u16 = 45;
/// Written as of version 4.5 on Unix, which is whose permissions [`PERMISSIONS`] are.
const MADE_BY: u16 = (3 << 8) | NEEDED;
/// A plain file that all may read and its owner may write.
const PERMISSIONS: u32 = 0o100_644 << 16;
/// Bit 3: checksum and sizes follow the content. Bit 11: the name is UTF-8.
const FLAGS: u16 = (1 << 3) | (1 << 11);
/// The method Deflate.
const DEFLATE: u16 = 8;
/// The id of the extra field that has Zip64's sizes and offset.
const ZIP64: u16 = 1;
/// In place of a number that has no room here: the number is in a Zip64 field.
const ELSEWHERE: u32 = u32::MAX;

/// A record under way; its numbers are little-endian.
struct Record(Vec<u8>);

impl Record {
    fn new(signature: u32) -> Self {
        Self(signature.to_le_bytes().into())
    }

    fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// What a file begins with. `modified` is from [`ms_dos`].
pub(crate) fn local_header(name: &str, modified: u32) -> Vec<u8> {
    let record = Record::new(0x0403_4b50).u16(NEEDED).u16(FLAGS).u16(DEFLATE).u32(modified);
    // The checksum follows the content. So do the sizes, but they also say here that they will have 8 bytes.
    let record = record.u32(0).u32(ELSEWHERE).u32(ELSEWHERE).u16(length(name)).u16(4 + 16);
    record.bytes(name.as_bytes()).u16(ZIP64).u16(16).u64(0).u64(0).0
}

/// What follows a file's content.
pub(crate) fn data_descriptor(entry: &Entry) -> Vec<u8> {
    Record::new(0x0807_4b50).u32(entry.crc32).u64(entry.compressed).u64(entry.bytes).0
}

/// A file in the central directory.
pub(crate) fn central_header(entry: &Entry) -> Vec<u8> {
    let numbers = [entry.bytes, entry.compressed, entry.offset];
    let [bytes, compressed, offset] = numbers.map(narrow);
    let zip64: Vec<u8> =
        numbers.into_iter().filter(|n| narrow(*n) == ELSEWHERE).flat_map(u64::to_le_bytes).collect();
    // Three numbers at the most.
    let size = zip64.len() as u16;
    let record =
        Record::new(0x0201_4b50).u16(MADE_BY).u16(NEEDED).u16(FLAGS).u16(DEFLATE).u32(entry.modified);
    let record = record.u32(entry.crc32).u32(compressed).u32(bytes).u16(length(&entry.name));
    let record = record.u16(if size > 0 { 4 + size } else { 0 });
    // No comment, on the first disk, without internal attributes.
    let record = record.u16(0).u16(0).u16(0).u32(PERMISSIONS).u32(offset).bytes(entry.name.as_bytes());
    if size > 0 { record.u16(ZIP64).u16(size).bytes(&zip64).0 } else { record.0 }
}

/// What an archive ends with: how many files it has, and where the central directory begins and how long it is.
pub(crate) fn end(files: usize, start: u64, size: u64) -> Vec<u8> {
    let count = u16::try_from(files).unwrap_or(u16::MAX);
    let (narrow_size, narrow_start) = (narrow(size), narrow(start));
    let wide = count == u16::MAX || narrow_size == ELSEWHERE || narrow_start == ELSEWHERE;
    let zip64 = if wide { zip64_end(files as u64, start, size) } else { Vec::new() };
    let record = Record::new(0x0605_4b50).u16(0).u16(0).u16(count).u16(count);
    [zip64, record.u32(narrow_size).u32(narrow_start).u16(0).0].concat()
}

/// Zip64's end of the central directory, and its locator.
fn zip64_end(files: u64, start: u64, size: u64) -> Vec<u8> {
    // 44 bytes come after this length.
    let record = Record::new(0x0606_4b50).u64(44).u16(MADE_BY).u16(NEEDED).u32(0).u32(0);
    let record = record.u64(files).u64(files).u64(size).u64(start);
    let locator = Record::new(0x0706_4b50).u32(0).u64(start + size).u32(1);
    record.bytes(&locator.0).0
}

/// A time as MS-DOS has it, in UTC and two-second steps: the time in the low half, the date in the high one. Times outside
/// the years 1980 to 2107 become the nearest inside.
pub(crate) fn ms_dos(time: Timestamp) -> u32 {
    let (first, last) =
        (DateTime::constant(1980, 1, 1, 0, 0, 0, 0), DateTime::constant(2107, 12, 31, 23, 59, 59, 0));
    let at = TimeZone::UTC.to_datetime(time).clamp(first, last);
    let part = |number: i8, shift: u32| u32::from(number.unsigned_abs()) << shift;
    let date = (u32::from(at.year().abs_diff(1980)) << 9) | part(at.month(), 5) | part(at.day(), 0);
    (date << 16) | part(at.hour(), 11) | part(at.minute(), 5) | part(at.second() / 2, 0)
}

/// The number, if 4 bytes hold it.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(ELSEWHERE)
}

/// How long a name is; the archive takes none of more than 255 bytes.
fn length(name: &str) -> u16 {
    name.len() as u16
}
