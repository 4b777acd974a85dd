//! Lambda entry point of `auth-session`. Its grants (written by `cargo generate`):
//!
//! - Reads members, memberships, sessions, signing keys, the secret `forwarding`, the secret `tokens`,
//!   workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::session_read::SessionRead>()
}
