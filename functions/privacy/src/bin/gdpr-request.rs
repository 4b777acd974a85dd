//! Lambda entry point of `gdpr-request`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<privacy::request::Request>()
}
