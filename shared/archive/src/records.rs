//! Encodes the records of a ZIP archive (sections 4.3 to 4.5 of the [specification]).
//!
//! The local header precedes the content, whose sizes are not known yet, so a data descriptor after the content holds
//! checksum and sizes. Streaming readers (Java's `ZipInputStream`, `funzip`) expect 4-byte sizes in the descriptor of a
//! file below 4 GiB and refuse Zip64 there. Therefore records have 4-byte fields, and Zip64 fields only for larger
//! numbers.
//!
//! [specification]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::Entry;

/// The version that a reader must support: 2.0 for Deflate.
const NEEDED: u16 = 20;
/// The version that a reader must support for Zip64: 4.5.
const NEEDED_FOR_ZIP64: u16 = 45;
/// Version 4.5 on Unix, so that [`PERMISSIONS`] has Unix permissions.
const MADE_BY: u16 = (3 << 8) | NEEDED_FOR_ZIP64;
/// A regular file that everyone may read and its owner may write.
const PERMISSIONS: u32 = 0o100_644 << 16;
/// Bit 3: checksum and sizes follow the content. Bit 11: the name is in UTF-8.
const FLAGS: u16 = (1 << 3) | (1 << 11);
/// The compression method Deflate.
const DEFLATE: u16 = 8;
/// The id of the Zip64 extra field.
const ZIP64: u16 = 1;
/// A placeholder for a number that is in the Zip64 extra field.
const IN_ZIP64_FIELD: u32 = u32::MAX;

/// A record in construction, in little-endian order.
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

/// The local header of a file. `modified` is a time from [`ms_dos`].
pub(crate) fn local_header(name: &str, modified: u32) -> Vec<u8> {
    let record = Record::new(0x0403_4b50).u16(NEEDED).u16(FLAGS).u16(DEFLATE).u32(modified);
    // Checksum and sizes are in the data descriptor. No extra field.
    record.u32(0).u32(0).u32(0).u16(length(name)).u16(0).bytes(name.as_bytes()).0
}

/// The data descriptor after the content of a file. Sizes have 8 bytes if they exceed 4 bytes, as in the archives of
/// Java and Go, or if the local header declared them.
pub(crate) fn data_descriptor(entry: &Entry, zip64: bool) -> Vec<u8> {
    let record = Record::new(0x0807_4b50).u32(entry.crc32);
    match (u32::try_from(entry.compressed), u32::try_from(entry.bytes)) {
        (Ok(compressed), Ok(bytes)) if !zip64 => record.u32(compressed).u32(bytes).0,
        _ => record.u64(entry.compressed).u64(entry.bytes).0,
    }
}

/// The entry of a file in the central directory.
pub(crate) fn central_header(entry: &Entry) -> Vec<u8> {
    let numbers = [entry.bytes, entry.compressed, entry.offset];
    let [bytes, compressed, offset] = numbers.map(narrow);
    let zip64: Vec<u8> =
        numbers.into_iter().filter(|n| narrow(*n) == IN_ZIP64_FIELD).flat_map(u64::to_le_bytes).collect();
    // At most three numbers.
    let size = zip64.len() as u16;
    let needed = if size > 0 { NEEDED_FOR_ZIP64 } else { NEEDED };
    let record =
        Record::new(0x0201_4b50).u16(MADE_BY).u16(needed).u16(FLAGS).u16(DEFLATE).u32(entry.modified);
    let record = record.u32(entry.crc32).u32(compressed).u32(bytes).u16(length(&entry.name));
    let record = record.u16(if size > 0 { 4 + size } else { 0 });
    // No comment, first disk, no internal attributes.
    let record = record.u16(0).u16(0).u16(0).u32(PERMISSIONS).u32(offset).bytes(entry.name.as_bytes());
    if size > 0 { record.u16(ZIP64).u16(size).bytes(&zip64).0 } else { record.0 }
}

/// The end of central directory record: number of files, offset and size of the central directory.
pub(crate) fn end(files: usize, start: u64, size: u64) -> Vec<u8> {
    let count = u16::try_from(files).unwrap_or(u16::MAX);
    let (narrow_size, narrow_start) = (narrow(size), narrow(start));
    let wide = count == u16::MAX || narrow_size == IN_ZIP64_FIELD || narrow_start == IN_ZIP64_FIELD;
    let zip64 = if wide { zip64_end(files as u64, start, size) } else { Vec::new() };
    let record = Record::new(0x0605_4b50).u16(0).u16(0).u16(count).u16(count);
    [zip64, record.u32(narrow_size).u32(narrow_start).u16(0).0].concat()
}

/// The Zip64 end of central directory record and its locator.
fn zip64_end(files: u64, start: u64, size: u64) -> Vec<u8> {
    // 44 bytes follow the size field.
    let record = Record::new(0x0606_4b50).u64(44).u16(MADE_BY).u16(NEEDED_FOR_ZIP64).u32(0).u32(0);
    let record = record.u64(files).u64(files).u64(size).u64(start);
    let locator = Record::new(0x0706_4b50).u32(0).u64(start + size).u32(1);
    record.bytes(&locator.0).0
}

/// A time in MS-DOS format, in UTC with a resolution of two seconds: the time in the low half, the date in the high
/// half. Times outside the years 1980 to 2107 are clamped.
pub(crate) fn ms_dos(time: Timestamp) -> u32 {
    let (first, last) =
        (DateTime::constant(1980, 1, 1, 0, 0, 0, 0), DateTime::constant(2107, 12, 31, 23, 59, 59, 0));
    let at = TimeZone::UTC.to_datetime(time).clamp(first, last);
    let part = |number: i8, shift: u32| u32::from(number.unsigned_abs()) << shift;
    let date = (u32::from(at.year().abs_diff(1980)) << 9) | part(at.month(), 5) | part(at.day(), 0);
    (date << 16) | part(at.hour(), 11) | part(at.minute(), 5) | part(at.second() / 2, 0)
}

/// The number if it fits into 4 bytes, otherwise the placeholder.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(IN_ZIP64_FIELD)
}

/// The length of a name; the archive refuses names of more than 255 bytes.
fn length(name: &str) -> u16 {
    name.len() as u16
}
