//! Lambda entry point of `connections-list`. Its grants (written by `cargo generate`):
//!
//! - Reads connections, passwords, sessions, signing keys, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::connections_list::ConnectionsList>()
}
