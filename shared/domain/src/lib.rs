//! Business rules of accounts: validation, authorization and state changes.
//!
//! Everything here is a plain value or a pure decision. Time and randomness are arguments. Storage, encryption, email
//! and money are [`ports`], which adapters implement.

pub mod activity;
pub mod api_key;
pub mod blob;
pub mod breached_passwords;
pub mod credential;
pub mod deletion;
pub mod device;
pub mod directory;
pub mod domain_events;
pub mod email;
pub mod entitlements;
pub mod entropy;
pub mod export;
pub mod feedback;
pub mod follow;
pub mod forwarding;
pub mod free_credit;
pub mod handle;
pub mod id;
pub mod invitation;
pub mod job;
pub mod mail_block;
pub mod mail_content;
pub mod money;
pub mod password;
pub mod password_reset;
mod pasted;
pub mod payment;
pub mod permissions;
pub mod plan;
pub mod ports;
pub mod profile;
pub mod promotion;
pub mod provider;
pub mod reference;
pub mod referral;
pub mod region;
pub mod resource;
pub mod role;
pub mod rotation;
pub mod sealing;
pub mod search;
pub mod secret;
pub mod session;
pub mod session_client;
pub mod settings;
pub mod sign_up;
pub mod social;
pub mod source;
pub mod team;
pub mod text;
pub mod throttle;
mod time;
pub mod trash;
pub mod upload;
pub mod usage;
pub mod user;
pub mod user_addresses;
pub mod user_agent;
pub mod wallet;
pub mod workspace;

pub use jiff::Timestamp;
