//! Lambda entry point of `run-export`. Its grants (written by `cargo generate`):
//!
//! - Reads connections, customers, datasets, events, export bundles, exports due, files, follows, jobs, keys,
//!   marks, members, memberships, models, postings, projects, sessions, the secret `payments`, the secret
//!   `tokens`, trash, uploads, usage, user addresses, users, wallets, workspaces.
//! - Writes events, export bundles, exports due, jobs, outbox.
//! - Deletes export bundles, exports due, jobs.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<privacy::run_export::RunExport>()
}
