//! Lambda entry point of `confirm-claims`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims (in the authority), addresses, identities, identity claims (in the authority),
//!   workspaces.
//! - Writes address claims (in the authority), handle claims (in the authority), identity claims (in the
//!   authority), pending claims (in the authority).
//! - Deletes address claims (in the authority), identity claims (in the authority), pending claims (in the
//!   authority).

fn main() -> Result<(), lambda::Error> {
    lambda::work::<auth::confirm_claims::ConfirmClaims>()
}
