//! Lambda entry point of `users-follow`. Its grants (written by `cargo generate`):
//!
//! - Reads follower counts, follower totals, handle claims, handles, key holders, sessions, signing keys, the
//!   secret `forwarding`, workspaces.
//! - Writes follower counts, follows, outbox, rate windows.
//! - Deletes follows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::users_follow::FollowUser>()
}
