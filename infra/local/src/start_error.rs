//! Why the platform did not start.

use std::path::PathBuf;

use crate::binaries::BinariesError;

/// Why the platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use or not available.
    #[error("can't listen on port {port}: {source}. Choose another port with --port.")]
    Port {
        /// The port.
        port: u16,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The data folder can't be used.
    #[error("can't use the data folder {folder}: {reason}")]
    Data {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The binaries can't be run.
    #[error("can't run the binaries: {0}")]
    Binaries(#[from] BinariesError),
    /// No key can be made for the identity providers.
    #[error("can't make a key for the local identity providers: no randomness from the operating system")]
    IdentityProviders,
    /// The stand-in for Stripe did not start.
    #[error("can't start the stand-in for Stripe: {0}")]
    Stripe(#[from] stripe_stand_in::StripeStartError),
    /// A stand-in did not start.
    #[error("can't start the stand-ins for AWS: {0}")]
    Aws(#[from] aws::StandInError),
    /// The HTTP client can't be created.
    #[error(transparent)]
    Http(#[from] lambda::ConfigError),
    /// The tables, keys, secrets or buckets can't be created.
    #[error("can't set up the regions: {0}")]
    Provision(String),
}
