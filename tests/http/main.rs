//! Everything over HTTP. One module an area, one name a guarantee.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod access;
mod activity;
mod api_keys;
mod binaries;
mod calls;
mod claims;
mod faults;
mod forwarding;
mod grants;
mod growth;
mod input;
mod leaks;
mod many;
mod onboarding;
mod outage;
mod password;
mod platform;
mod ports;
mod public_client;
mod purge;
mod races;
mod residency;
mod resources;
mod rotation;
mod search;
mod sessions;
mod settings;
mod sign_in;
mod sign_up;
mod stock;
mod trash;
mod trash_races;
mod uploads;
