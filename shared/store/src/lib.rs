//! DynamoDB. One file an entity: its keys, its items and the port that reads and writes them.
//!
//! A change is one `TransactWriteItems`: the entity, its uniqueness items, the activity event, the message in the outbox and
//! the idempotency record. A uniqueness rule is a conditional put of an item of its own, never a query. The actions that each
//! port method performs are in [`tables::grants`].

mod accounts;
mod api_keys;
mod authorizations;
mod client;
mod condition;
mod connections;
mod consumed;
mod delete;
mod deletions;
mod directory;
mod due;
mod erasures;
mod exports;
mod extras;
mod failure;
mod feedback;
mod follows;
mod get;
mod history;
mod identities;
mod inventory;
mod invitations;
mod item;
mod jobs;
mod lists;
mod mail_blocks;
mod outbox;
mod password_resets;
mod payments;
mod promotions;
mod purges;
mod rate_windows;
mod receipts;
mod resources;
mod retry;
mod sessions;
mod sign_ups;
mod teams;
mod teams_elsewhere;
mod throttles;
mod transaction;
mod trash;
mod uploads;
mod usage;
mod user_addresses;
mod wallet_work;
mod wallets;
mod workspaces;

pub use client::Store;
pub use directory::DirectoryStore;
pub use tables;
pub use workspaces::{member_item, membership_item};
