//! Lambda entry point of `region-referrer`. Its grants (written by `cargo generate`):
//!
//! - Reads the secret `forwarding`, wallets, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::referrer::FindReferrer>()
}
