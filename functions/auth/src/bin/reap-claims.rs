//! Lambda entry point of `reap-claims`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims (in the authority), addresses, handles, identities, identity claims (in the
//!   authority), pending claims (in the authority).
//! - Writes address claims (in the authority), handle claims (in the authority), identity claims (in the
//!   authority).
//! - Deletes address claims (in the authority), handle claims (in the authority), identity claims (in the
//!   authority), pending claims (in the authority).

fn main() -> Result<(), lambda::Error> {
    lambda::work::<auth::reap_claims::ReapClaims>()
}
