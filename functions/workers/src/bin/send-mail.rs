//! Lambda entry point of `send-mail`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims, addresses, feedback, invitations, mail blocks, members, sessions, sign ups, the
//!   secret `addresses`, the secret `codes`, the secret `forwarding`, the secret `tokens`, user addresses,
//!   users, workspaces.
//! - Writes consumed.
//! - Deletes consumed, feedback.
//! - Sends mail.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::send_mail::SendMail>()
}
