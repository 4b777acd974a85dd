//! Lambda entry point of `sessions-list`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, signing keys, the secret `forwarding`, the secret `tokens`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sessions_list::SessionsList>()
}
