//! Lambda entry point of `publish-followers`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<settings::publish_followers::PublishFollowers>()
}
