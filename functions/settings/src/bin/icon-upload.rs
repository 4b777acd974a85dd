//! Lambda entry point of `icon-upload`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, idempotency records, members, pictures, sessions, signing keys, the secret
//!   `forwarding`, workspaces.
//! - Writes events, idempotency records, outbox, pictures, workspaces.
//! - Deletes pictures.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::icon_upload::UploadIcon>()
}
