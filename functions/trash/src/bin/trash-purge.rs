//! Lambda entry point of `trash-purge`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, key holders, members, sessions, signing keys, the secret `forwarding`,
//!   trash, usage, workspaces.
//! - Writes due, events, outbox, purges, rate windows, usage.
//! - Deletes due, trash, trash list.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::purge::PurgeResource>()
}
