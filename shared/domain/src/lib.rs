//! The rules of the account area: what may be said, what may be done, and what follows from it.
//!
//! Everything here is a plain value or a pure decision. Time and randomness are arguments; storage, encryption,
//! mail and money are [`ports`] that adapters implement.

pub mod activity;
pub mod api_key;
pub mod blob;
pub mod credential;
pub mod deletion;
pub mod directory;
pub mod email;
pub mod entropy;
pub mod export;
pub mod forwarding;
pub mod handle;
pub mod id;
pub mod job;
pub mod outbox;
pub mod password;
pub mod password_reset;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod profile;
pub mod region;
pub mod resource;
pub mod role;
pub mod rotation;
pub mod secret;
pub mod session;
pub mod settings;
pub mod sign_up;
pub mod social;
pub mod text;
pub mod throttle;
mod time;
pub mod trash;
pub mod upload;
pub mod usage;
pub mod user;
pub mod workspace;

pub use jiff::Timestamp;
