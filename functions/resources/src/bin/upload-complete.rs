//! Lambda entry point of `upload-complete`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, files, handle claims, handles, key holders, members, models, projects, sessions, signing
//!   keys, the secret `forwarding`, uploads, workspaces.
//! - Writes datasets, events, files, models, projects, rate windows, sizes, uploads, usage.
//! - Deletes sizes.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::upload_complete::UploadComplete>()
}
