//! Lambda entry point of `confirm-claims`. Its grants (written by `cargo generate`):
//!
//! - Reads users, workspaces.
//! - Writes address claims (in the authority), handle claims (in the authority).
//! - Deletes pending claims (in the authority).

fn main() -> Result<(), lambda::Error> {
    lambda::work::<auth::confirm_claims::ConfirmClaims>()
}
