//! Lambda entry point of `emails-list`. Its grants (written by `cargo generate`):
//!
//! - Reads mail blocks, sessions, signing keys, the secret `addresses`, the secret `forwarding`, user
//!   addresses, users, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<emails::list::ListAddresses>()
}
