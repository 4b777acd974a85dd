//! Lambda entry point of `enterprise-provision`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, workspaces.
//! - Writes events, outbox, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::enterprise_provision::ProvisionEnterprise>()
}
