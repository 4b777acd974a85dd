//! Lambda entry point of `record-mail-feedback`. Its grants (written by `cargo generate`):
//!
//! - Reads the secret `addresses`.
//! - Writes mail blocks.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::record_mail_feedback::RecordMailFeedback>()
}
