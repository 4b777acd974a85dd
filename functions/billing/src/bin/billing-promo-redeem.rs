//! Lambda entry point of `billing-promo-redeem`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, promotions, sessions, signing keys, the secret `forwarding`, wallets, workspaces.
//! - Writes causes, postings, promotions, rate windows, wallets.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::promo_redeem::RedeemPromo>()
}
