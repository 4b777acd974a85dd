//! Whether a JPEG file is complete. The decoder fills the missing part with grey, without an error.

/// Markers without a segment: `TEM`, the restarts and the start of the file
/// ([ITU-T T.81, table B.1](https://www.w3.org/Graphics/JPEG/itu-t81.pdf)).
const ALONE: [u8; 10] = [0x01, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8];
const END: u8 = 0xd9;

/// Whether the file has the marker of its end, outside of its segments: a thumbnail in a segment has one, too. Bytes after it do not
/// count.
pub fn is_complete(file: &[u8]) -> bool {
    let mut rest = file;
    while let Some((marker, after)) = next_marker(rest) {
        if marker == END {
            return true;
        }
        rest = if ALONE.contains(&marker) { after } else { after_segment(after) };
    }
    false
}

/// The next marker, and the bytes after it. In compressed data, `ff 00` is the byte `ff`.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let is_marker = |pair: &[u8]| matches!(pair, [0xff, marker] if !matches!(marker, 0x00 | 0xff));
    let at = bytes.windows(2).position(is_marker)?;
    bytes.get(at + 1..)?.split_first().map(|(marker, rest)| (*marker, rest))
}

/// The bytes after a segment, which begins with its length.
fn after_segment(bytes: &[u8]) -> &[u8] {
    let length = bytes.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    bytes.get(length..).unwrap_or_default()
}
