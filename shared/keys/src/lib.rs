//! KMS and Secrets Manager: what must stay secret, and what is done with it.

mod failure;
pub mod secrets;
mod vault;

pub use secrets::Secrets;
pub use vault::{KmsVault, PURPOSE};
