//! Lambda entry point of `publish-events`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::publish_events::PublishEvents>()
}
