//! How large a picture may be, before and after.

use image::Limits;

use crate::error::PictureError;

/// The pixels of each side of the result.
pub const SIDE: u32 = 256;
/// The most pixels of each side of a file's picture.
pub const MOST_PIXELS_A_SIDE: u32 = 4_096;
/// The most bytes that decoding may allocate, where the decoder counts them: the largest picture with 16 bits for each of four
/// channels, and as much again for the decoder's own buffers.
const MOST_BYTES: u64 = 2 * 8 * (MOST_PIXELS_A_SIDE as u64).pow(2);

/// The limits of decoders.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_A_SIDE);
    limits.max_image_height = Some(MOST_PIXELS_A_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    limits
}

/// Refuses a picture with too many pixels or none.
pub fn check_pixels(width: u32, height: u32) -> Result<(), PictureError> {
    match (width, height) {
        (0, _) | (_, 0) => Err(PictureError::Damaged),
        _ if width > MOST_PIXELS_A_SIDE || height > MOST_PIXELS_A_SIDE => Err(PictureError::TooManyPixels),
        _ => Ok(()),
    }
}
