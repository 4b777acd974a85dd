//! Lambda entry point of `auth-refresh`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, the secret `forwarding`, the secret `tokens`, workspaces.
//! - Writes events, outbox, sessions.
//! - Deletes sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::refresh::RefreshSession>()
}
