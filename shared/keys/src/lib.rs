//! KMS and Secrets Manager: what must stay secret, and what is done with it.

mod document;
mod failure;
mod rotations;
mod secrets;
mod vault;

pub use document::Document;
pub use rotations::SecretRotations;
pub use secrets::{Now, SecretNames, Secrets};
pub use vault::KmsVault;
