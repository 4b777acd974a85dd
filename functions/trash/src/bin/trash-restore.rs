//! Lambda entry point of `trash-restore`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, idempotency records, key holders, members, projects, sessions, signing
//!   keys, the secret `forwarding`, trash, usage, workspaces.
//! - Writes datasets, events, groups, idempotency records, models, projects, rate windows, sizes, slugs,
//!   usage.
//! - Deletes due, trash, trash list.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::restore::Restore>()
}
