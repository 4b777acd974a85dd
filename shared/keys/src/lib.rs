//! KMS and Secrets Manager: encryption of values, and the secrets of the platform.

mod document;
mod rotations;
mod secrets;
mod tickets;
mod vault;

use std::sync::LazyLock;

/// A client that is created on first use, because parsing the AWS partitions takes time and most requests need no
/// client.
type Lazy<Client> = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

pub use document::SecretDocument;
pub use rotations::SecretRotations;
pub use secrets::{Now, SecretNames, Secrets};
pub use vault::{KmsVault, PURPOSE};
