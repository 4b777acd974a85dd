//! Why the stand-ins of a region did not start.

use std::path::PathBuf;

/// An error while starting the stand-ins of a region.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// The folder or a file in it can't be used.
    #[error("{path}: {source}")]
    File {
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file was not written by this version.
    #[error("{path} was not written by this version: {reason}")]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The defect.
        reason: String,
    },
    /// No port or thread is available.
    #[error("can't serve on 127.0.0.1: {0}")]
    Listen(#[source] std::io::Error),
}
