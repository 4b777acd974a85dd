//! Lambda entry point of `billing-usage`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, key holders, members, postings, sessions, signing keys, the secret
//!   `forwarding`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::usage::ReadUsage>()
}
