//! Lambda entry point of `billing-promo-redeem`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, free credits (in the authority), promotions, sessions, signing keys, the secret
//!   `addresses`, the secret `forwarding`, users, wallets, workspaces.
//! - Writes causes, events, free credits (in the authority), postings, promotions, rate windows, wallets,
//!   wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::promo_redeem::RedeemPromo>()
}
