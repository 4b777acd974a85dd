//! Lambda entry point of `sessions-revoke`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, signing keys, the secret `forwarding`, workspaces.
//! - Deletes sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sessions_revoke::SessionsRevoke>()
}
