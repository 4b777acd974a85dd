//! Lambda entry point of `billing-balance`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, wallets,
//!   workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::balance::ReadBalance>()
}
