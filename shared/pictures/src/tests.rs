//! Pictures that are hostile, odd or good.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use image::{ImageFormat, Rgba, RgbaImage};

use super::*;

/// A picture with a red left and a blue right half.
fn halves(width: u32, height: u32) -> DynamicImage {
    let colour = |x| if x < width / 2 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) };
    RgbaImage::from_fn(width, height, |x, _| colour(x)).into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    match format {
        ImageFormat::Jpeg => picture.to_rgb8().write_to(&mut bytes, format).unwrap(),
        _ => picture.write_to(&mut bytes, format).unwrap(),
    }
    bytes.into_inner()
}

fn opened(png: &[u8]) -> RgbaImage {
    image::load_from_memory_with_format(png, ImageFormat::Png).unwrap().into_rgba8()
}

/// Whether a pixel is nearly this.
fn is_near(pixel: &Rgba<u8>, colour: [u8; 3]) -> bool {
    pixel.0.iter().zip(colour).all(|(one, other)| one.abs_diff(other) < 12)
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut checked = kind.to_vec();
    checked.extend_from_slice(data);
    let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend_from_slice(&checked);
    chunk.extend_from_slice(&crc32fast::hash(&checked).to_be_bytes());
    chunk
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A grey PNG of this size with this compressed content and more chunks before it.
fn png(width: u32, height: u32, content: &[u8], more: &[Vec<u8>]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = png_chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat());
    let (content, end) = (png_chunk(b"IDAT", content), png_chunk(b"IEND", b""));
    [b"\x89PNG\r\n\x1a\n".to_vec(), header, more.concat(), content, end].concat()
}

/// A JPEG with an EXIF segment: its orientation, and a text.
fn with_exif(jpeg: &[u8], orientation: u8, text: &str) -> Vec<u8> {
    let tiff = [
        b"II*\0\x08\0\0\0\x02\0".to_vec(),
        // Orientation: a short.
        vec![0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0],
        // Description: a text at place 38.
        [&[0x0e, 0x01, 2, 0][..], &u32::try_from(text.len()).unwrap().to_le_bytes(), &[38, 0, 0, 0]].concat(),
        vec![0; 4],
        text.as_bytes().to_vec(),
    ]
    .concat();
    let segment = [b"Exif\0\0".to_vec(), tiff].concat();
    let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &segment, &jpeg[2..]].concat()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn every_format_and_shape_becomes_a_square_of_its_centre() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        for (width, height) in [(640, 480), (480, 640), (1, 1), (20, 3), (256, 256), (4_096, 1)] {
            let square = opened(&square_png(&file(&halves(width, height), format)).unwrap());
            assert_eq!(square.dimensions(), (SIDE, SIDE), "{format:?} of {width} × {height}");
        }
        let square = opened(&square_png(&file(&halves(800, 600), format)).unwrap());
        assert!(is_near(square.get_pixel(20, 128), [255, 0, 0]), "{format:?}");
        assert!(is_near(square.get_pixel(235, 128), [0, 0, 255]), "{format:?}");
    }
}

#[test]
fn orientation_is_applied_and_no_metadata_remains() {
    let place = "GPS 48.8584 N 2.2945 E";
    let jpeg = with_exif(&file(&halves(400, 400), ImageFormat::Jpeg), 6, place);
    assert!(contains(&jpeg, place));
    let png = square_png(&jpeg).unwrap();
    assert!(!contains(&png, place) && !contains(&png, "Exif") && !contains(&png, "eXIf"));
    // Orientation 6: the left half is on top.
    let square = opened(&png);
    assert!(
        is_near(square.get_pixel(128, 20), [255, 0, 0]) && is_near(square.get_pixel(128, 235), [0, 0, 255])
    );
    let text = png_chunk(b"tEXt", format!("Comment\0{place}").as_bytes());
    let png = square_png(&super::tests::png(2, 2, &zlib(&[0; 6]), &[text])).unwrap();
    assert!(!contains(&png, place));
    let chunks: Vec<[u8; 4]> =
        ["tEXt", "zTXt", "iTXt", "iCCP", "eXIf", "tIME"].map(|it| it.as_bytes().try_into().unwrap()).into();
    assert!(chunks.iter().all(|kind| !png.windows(4).any(|window| window == kind)));
}

#[test]
fn huge_sides_are_refused_before_decoding() {
    let tiny = zlib(&[0; 10]);
    for (width, height) in
        [(100_000, 100_000), (4_097, 1), (1, 4_097), (u32::MAX, 1), (0x7fff_ffff, 0x7fff_ffff)]
    {
        assert_eq!(square_png(&png(width, height, &tiny, &[])), Err(PictureError::TooManyPixels), "{width}");
    }
    assert_eq!(square_png(&png(0, 5, &tiny, &[])), Err(PictureError::Damaged));
    // A JPEG whose frame header claims 65,000 × 65,000.
    let mut jpeg = file(&halves(16, 16), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xfd, 0xe8, 0xfd, 0xe8]);
    assert_eq!(square_png(&jpeg), Err(PictureError::TooManyPixels));
    // A WebP of each kind.
    let webp = |kind: &[u8; 4], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        let chunks = [b"WEBP".to_vec(), kind.to_vec(), length.to_vec(), data.to_vec()].concat();
        [b"RIFF".to_vec(), u32::try_from(chunks.len()).unwrap().to_le_bytes().to_vec(), chunks].concat()
    };
    let lossless = [&[0x2f][..], &[0xff; 4]].concat();
    assert_eq!(square_png(&webp(b"VP8L", &lossless)), Err(PictureError::TooManyPixels));
    let lossy = [&[0x10, 0, 0, 0x9d, 0x01, 0x2a][..], &[0xff; 4]].concat();
    assert_eq!(square_png(&webp(b"VP8 ", &lossy)), Err(PictureError::TooManyPixels));
    assert_eq!(
        square_png(&webp(b"VP8X", &[&[0; 4][..], &[0xff; 6]].concat())),
        Err(PictureError::TooManyPixels)
    );
    assert_eq!(square_png(&webp(b"VP8X", &[2, 0, 0, 0, 9, 0, 0, 9, 0, 0])), Err(PictureError::Animated));
}

#[test]
fn compressed_bombs_are_not_inflated() {
    // 50 MB of zeros in 50 KB, as pixels, text and colour profile.
    let bomb = zlib(&vec![0; 50_000_000]);
    let began = std::time::Instant::now();
    let _ = square_png(&png(1, 1, &bomb, &[]));
    let text = [b"Comment\0\0".to_vec(), bomb.clone()].concat();
    let more = [png_chunk(b"zTXt", &text), png_chunk(b"iCCP", &text)];
    square_png(&png(1, 1, &zlib(&[0; 2]), &more)).unwrap();
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}

#[test]
fn other_formats_are_refused_by_their_content() {
    for svg in [
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "\u{feff}  <?xml version='1.0'?>\n<!DOCTYPE svg>\n<SVG/>",
    ] {
        assert_eq!(square_png(svg.as_bytes()), Err(PictureError::Svg));
    }
    for other in
        [&b"GIF89a/*\x01\x01*/=alert(1)"[..], b"", b"BM", b"<html><body>", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE"]
    {
        assert_eq!(square_png(other), Err(PictureError::Unsupported));
    }
}

#[test]
fn polyglot_keeps_nothing_but_its_pixels() {
    let script = "<script>alert('here')</script>";
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let both = [file(&halves(32, 32), format), script.as_bytes().to_vec()].concat();
        let png = square_png(&both).unwrap();
        assert!(!contains(&png, "<script>"), "{format:?}");
    }
}

#[test]
fn truncated_and_altered_files_are_damaged_or_decoded_but_nothing_worse() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = file(&halves(64, 48), format);
        for cut in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            let _ = square_png(&whole[..cut]);
        }
        for at in (0..whole.len()).step_by(whole.len() / 150 + 1) {
            for bit in [0x01, 0x80, 0xff] {
                let mut altered = whole.clone();
                altered[at] ^= bit;
                let _ = square_png(&altered);
            }
        }
        assert!(square_png(&whole[..20]).is_err(), "{format:?}");
    }
}

#[test]
fn animated_png_shows_its_still_picture() {
    let control = png_chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    let frame = png_chunk(b"fdAT", &[0; 40]);
    square_png(&png(1, 1, &zlib(&[0, 255]), &[control, frame])).unwrap();
}

#[test]
fn largest_picture_is_decoded() {
    let rows: Vec<u8> = [vec![0], vec![7; 4_096]].concat().repeat(4_096);
    let square = opened(&square_png(&png(4_096, 4_096, &zlib(&rows), &[])).unwrap());
    assert!(is_near(square.get_pixel(9, 9), [7, 7, 7]));
}

#[test]
fn truncated_jpeg_is_refused() {
    let jpeg = file(&halves(400, 400), ImageFormat::Jpeg);
    for length in [jpeg.len() - 1, jpeg.len() / 2, jpeg.len() / 4] {
        assert_eq!(square_png(&jpeg[..length]).unwrap_err(), PictureError::Damaged, "{length}");
    }
    // A thumbnail in the metadata has an end of its own.
    let thumbnail = jpeg_segment(0xe1, &jpeg);
    let with_thumbnail = [&jpeg[..2], &thumbnail, &jpeg[2..]].concat();
    assert!(square_png(&with_thumbnail).is_ok());
    assert_eq!(square_png(&with_thumbnail[..with_thumbnail.len() - 2]).unwrap_err(), PictureError::Damaged);
    // A video after the picture, as telephones write it.
    assert!(square_png(&[&jpeg[..], b"\xff\xda\x00\x08ftypmp42"].concat()).is_ok());
}

fn jpeg_segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}
