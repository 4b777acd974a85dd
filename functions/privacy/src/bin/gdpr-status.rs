//! Lambda entry point of `gdpr-status`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<privacy::status::ReadStatus>()
}
