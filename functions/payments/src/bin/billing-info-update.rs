//! Lambda entry point of `billing-info-update`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, handle claims, handles, members, sessions, signing keys, the secret `forwarding`, the
//!   secret `payments`, workspaces.
//! - Writes customers, rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::info_update::UpdateBillingInfo>()
}
