//! Why a file can't be used.

/// Why a file is no picture that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A vector graphic, which can contain scripts.
    #[error("SVG is not supported. Send a PNG, JPEG or WebP file.")]
    Svg,
    /// Another format, by its first bytes.
    #[error("This is not a PNG, JPEG or WebP file.")]
    Unsupported,
    /// More pixels than are decoded.
    #[error("The picture must not exceed 4096 × 4096 pixels.")]
    TooManyPixels,
    /// Several pictures in one file.
    #[error("Animated WebP is not supported. Send a single picture.")]
    Animated,
    /// The file is truncated or contradicts itself.
    #[error("The picture is damaged.")]
    Damaged,
}
