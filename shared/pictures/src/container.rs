//! The format of a file, by its first bytes, and the parts of it that are decoded.

use crate::{error::PictureError, limits::check_pixels};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";
/// The chunks of a PNG that hold its pixels. All others may be inflated without limit, and say nothing about pixels.
const PNG_CHUNKS: [&[u8]; 5] = [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"];
/// How far into a text an SVG's root element is looked for.
const SVG_WITHIN: usize = 4_096;

/// A picture file.
pub enum Container {
    /// A PNG, without the chunks that have no pixels. Of an animation, the still picture remains.
    Png(Vec<u8>),
    /// A JPEG.
    Jpeg,
    /// A WebP.
    Webp,
}

impl Container {
    /// Recognizes a file. Compares the size of a PNG and of a WebP, whose decoders do not count what they allocate.
    pub fn of(file: &[u8]) -> Result<Self, PictureError> {
        if let Some(chunks) = file.strip_prefix(PNG) {
            return pixels_of(chunks).map(Self::Png);
        }
        if file.starts_with(JPEG) {
            return Ok(Self::Jpeg);
        }
        if file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP") {
            check_webp(file.get(12..).unwrap_or_default())?;
            return Ok(Self::Webp);
        }
        Err(if is_svg(file) { PictureError::Svg } else { PictureError::Unsupported })
    }
}

/// The PNG with only those chunks that hold its pixels.
fn pixels_of(mut chunks: &[u8]) -> Result<Vec<u8>, PictureError> {
    let mut png = PNG.to_vec();
    let mut is_first = true;
    loop {
        // Length, type, data, checksum.
        let (length, _) = chunks.split_first_chunk::<4>().ok_or(PictureError::Damaged)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PictureError::Damaged)?;
        let whole = length.checked_add(12).ok_or(PictureError::Damaged)?;
        let (chunk, rest) = chunks.split_at_checked(whole).ok_or(PictureError::Damaged)?;
        let kind = chunk.get(4..8).unwrap_or_default();
        if is_first {
            let size = chunk.get(8..16).filter(|_| kind == b"IHDR").ok_or(PictureError::Damaged)?;
            let (width, height) = size.split_at(4);
            check_pixels(big_endian(width), big_endian(height))?;
        }
        if PNG_CHUNKS.contains(&kind) {
            png.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return Ok(png);
        }
        (chunks, is_first) = (rest, false);
    }
}

/// Compares every size in a WebP: of its canvas, and of each picture. The decoder has no limits of its own.
fn check_webp(mut chunks: &[u8]) -> Result<(), PictureError> {
    while let Some((header, rest)) = chunks.split_first_chunk::<8>() {
        let (kind, length) = header.split_at(4);
        let length = usize::try_from(little_endian(length)).map_err(|_| PictureError::Damaged)?;
        let data = rest.get(..length).ok_or(PictureError::Damaged)?;
        match kind {
            // Flags, then the sides less one, 24 bits each.
            b"VP8X" => {
                if data.first().is_some_and(|flags| flags & 0b10 != 0) {
                    return Err(PictureError::Animated);
                }
                let side = |at: usize| data.get(at..at + 3).map(|bytes| little_endian(bytes) + 1);
                check_sides(side(4), side(7))?;
            }
            // Frame tag, start code, then the sides in the low 14 bits.
            b"VP8 " => {
                let side = |at: usize| data.get(at..at + 2).map(|bytes| little_endian(bytes) & 0x3fff);
                check_sides(side(6), side(8))?;
            }
            // Signature, then the sides less one, 14 bits each.
            b"VP8L" => {
                let bits = data.get(1..5).map(little_endian);
                let side = |shift: u32| bits.map(|bits| (bits >> shift & 0x3fff) + 1);
                check_sides(side(0), side(14))?;
            }
            b"ANIM" | b"ANMF" => return Err(PictureError::Animated),
            _ => {}
        }
        // Chunks begin at even places.
        chunks = rest.get(length + length % 2..).unwrap_or_default();
    }
    Ok(())
}

fn check_sides(width: Option<u32>, height: Option<u32>) -> Result<(), PictureError> {
    let (width, height) = width.zip(height).ok_or(PictureError::Damaged)?;
    check_pixels(width, height)
}

/// Whether a file is a text with an SVG element.
fn is_svg(file: &[u8]) -> bool {
    let start = file.get(..SVG_WITHIN).unwrap_or(file);
    let text = String::from_utf8_lossy(start).to_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with('<') && text.contains("<svg")
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}
