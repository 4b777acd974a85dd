//! Pictures of people and teams: from an untrusted file to a square PNG of 256 × 256 pixels.
//!
//! Nothing of the file but its pixels remains: no metadata, no colour profile, no bytes after the picture. So a file that is also
//! something else (a script, an archive) is harmless afterwards.
//!
//! A small file can claim to be huge, so its size is read and compared before anything is decoded. Metadata, which can be inflated as
//! well, is not read; the one exception is the orientation of a JPEG.

mod container;
mod error;
mod jpeg;
mod limits;

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, GenericImageView, ImageDecoder, ImageEncoder, ImageResult, RgbaImage,
    codecs::{
        jpeg::JpegDecoder,
        png::{PngDecoder, PngEncoder},
        webp::WebPDecoder,
    },
    imageops::{self, FilterType},
    metadata::Orientation,
};

use crate::{container::Container, limits::limits};
pub use crate::{
    error::PictureError,
    limits::{MOST_PIXELS_A_SIDE, SIDE},
};

/// Makes the square PNG of a picture file: the centre of the picture, scaled. The format is that of the file's first bytes, whatever
/// its name or media type say.
pub fn square_png(file: &[u8]) -> Result<Vec<u8>, PictureError> {
    let (picture, orientation) = decode(file)?;
    let mut square = DynamicImage::from(square_of(&picture));
    drop(picture);
    square.apply_orientation(orientation);
    encode(&square.into_rgba8())
}

fn decode(file: &[u8]) -> Result<(DynamicImage, Orientation), PictureError> {
    match Container::of(file)? {
        Container::Png(pixels) => {
            let decoder = PngDecoder::with_limits(Cursor::new(pixels), limits()).map_err(damaged)?;
            Ok((read(decoder)?, Orientation::NoTransforms))
        }
        Container::Jpeg if !jpeg::is_complete(file) => Err(PictureError::Damaged),
        Container::Jpeg => {
            let mut decoder = JpegDecoder::new(Cursor::new(file)).map_err(damaged)?;
            // A camera stores the picture as its sensor lies, and how it was held.
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            Ok((read(decoder)?, orientation))
        }
        Container::Webp => {
            let decoder = WebPDecoder::new(Cursor::new(file)).map_err(damaged)?;
            if decoder.has_animation() {
                return Err(PictureError::Animated);
            }
            Ok((read(decoder)?, Orientation::NoTransforms))
        }
    }
}

/// Decodes the pixels, if there are not too many.
fn read(mut decoder: impl ImageDecoder) -> Result<DynamicImage, PictureError> {
    let (width, height) = decoder.dimensions();
    limits::check_pixels(width, height)?;
    decoder.set_limits(limits()).map_err(|_| PictureError::TooManyPixels)?;
    DynamicImage::from_decoder(decoder).map_err(damaged)
}

/// The square in the centre of a picture, scaled.
fn square_of(picture: &DynamicImage) -> RgbaImage {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    // A view: the square of a large picture is not copied.
    let centre = picture.view(left, top, side, side);
    if side > SIDE {
        imageops::thumbnail(&*centre, SIDE, SIDE)
    } else {
        imageops::resize(&*centre, SIDE, SIDE, FilterType::CatmullRom)
    }
}

fn encode(square: &RgbaImage) -> Result<Vec<u8>, PictureError> {
    let mut png = Vec::new();
    let (width, height) = square.dimensions();
    let written: ImageResult<()> =
        PngEncoder::new(&mut png).write_image(square, width, height, ExtendedColorType::Rgba8);
    written.map(|()| png).map_err(damaged)
}

fn damaged(_: image::ImageError) -> PictureError {
    PictureError::Damaged
}

#[cfg(test)]
mod tests;
