//! Lambda entry point of `region-mails`. Its grants (written by `cargo generate`):
//!
//! - Reads mail blocks, the secret `addresses`, the secret `forwarding`, users.
//! - Writes consumed.
//! - Deletes consumed.
//! - Sends mail.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::mails::SendMailToUser>()
}
