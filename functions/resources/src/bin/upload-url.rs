//! Lambda entry point of `upload-url`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, handle claims, handles, idempotency records, key holders, members, models, projects,
//!   sessions, signing keys, the secret `forwarding`, uploads, workspaces.
//! - Writes due, files, idempotency records, rate windows, uploads, usage.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::upload_url::UploadUrl>()
}
