//! KMS and Secrets Manager: what must stay secret, and what is done with it.

mod document;
mod failure;
mod rotations;
mod secrets;
mod vault;

use std::sync::LazyLock;

/// A client that is made when it is first needed. Making one reads a list of AWS's regions, and most requests need none.
type Lazy<Client> = LazyLock<Client, Box<dyn FnOnce() -> Client + Send + Sync>>;

pub use document::Document;
pub use rotations::SecretRotations;
pub use secrets::{Now, SecretNames, Secrets};
pub use vault::{KmsVault, PURPOSE};
