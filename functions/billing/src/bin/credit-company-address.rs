//! Lambda entry point of `credit-company-address`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, free credits (in the authority), the secret `addresses`, user addresses, users, wallets,
//!   workspaces.
//! - Writes causes, credit days (in the authority), free credits (in the authority), postings, wallets,
//!   wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<billing::company_bonus::CreditCompanyAddress>()
}
