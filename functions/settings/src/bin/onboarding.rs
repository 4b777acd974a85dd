//! Lambda entry point of `onboarding`. Its grants (written by `cargo generate`):
//!
//! - Reads free credits (in the authority), handle claims, handle claims (in the authority), idempotency
//!   records, promotions, reserved handles (in the authority), sessions, signing keys, the secret
//!   `addresses`, the secret `forwarding`, users, wallets, workspaces.
//! - Writes causes, credit days (in the authority), events, free credits (in the authority), handle claims
//!   (in the authority), handles, idempotency records, outbox, pending claims (in the authority), postings,
//!   promotions, rate windows, wallets, wallets due, workspaces.
//! - Deletes handle claims (in the authority), pending claims (in the authority).
//! - Uses data keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::onboarding::Onboard>()
}
