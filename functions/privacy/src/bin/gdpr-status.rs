//! Lambda entry point of `gdpr-status`. Its grants (written by `cargo generate`):
//!
//! - Reads export bundles, jobs, sessions, signing keys, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<privacy::status::ReadStatus>()
}
