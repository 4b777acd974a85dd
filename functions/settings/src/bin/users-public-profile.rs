//! Lambda entry point of `users-public-profile`. Its grants (written by `cargo generate`):
//!
//! - Reads follower counts, follower totals, follows, handle claims, handles, key holders, sessions, signing
//!   keys, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::users_public_profile::PublicProfile>()
}
