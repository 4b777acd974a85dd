//! Lambda entry point of `resources-create`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, handle claims, handles, idempotency records, key holders, members, models, projects,
//!   sessions, signing keys, the secret `forwarding`, workspaces.
//! - Writes datasets, events, groups, idempotency records, models, projects, rate windows, slugs, usage.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::create::CreateResource>()
}
