//! Lambda entry point of `publish-events`. Its grants (written by `cargo generate`):
//!
//! - Publishes events.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::publish_events::PublishEvents>()
}
