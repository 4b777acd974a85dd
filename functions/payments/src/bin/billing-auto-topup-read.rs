//! Lambda entry point of `billing-auto-topup-read`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, wallets,
//!   workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::auto_topup_read::ReadAutoTopUp>()
}
