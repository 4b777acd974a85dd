//! Lambda entry point of `users-public-profile`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::users_public_profile::PublicProfile>()
}
