//! Lambda entry point of `publish-followers`. Its grants (written by `cargo generate`):
//!
//! - Reads follower counts.
//! - Writes follower totals (in the authority).

fn main() -> Result<(), lambda::Error> {
    lambda::work::<settings::publish_followers::PublishFollowers>()
}
