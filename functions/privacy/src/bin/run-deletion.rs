//! Lambda entry point of `run-deletion`. Its grants (written by `cargo generate`):
//!
//! - Reads connections, datasets, deletions due, events, export bundles, files, groups, jobs, keys, last
//!   resets, marks, members, memberships, models, outbox, passwords, pictures, projects, purges, sessions,
//!   sizes, slugs, the secret `tokens`, trash, trash list, uploads, usage, user addresses, users, workspaces.
//! - Writes connections, consumed, datasets, deletions due, due, events, exports due, files, groups, jobs,
//!   key holders, keys, last resets, marks, members, memberships, models, outbox, passwords, projects,
//!   purges, reserved handles (in the authority), sessions, sizes, slugs, trash, trash list, uploads, usage,
//!   user addresses, users, workspaces.
//! - Deletes address claims (in the authority), addresses, connections, consumed, datasets, deletions due,
//!   due, events, export bundles, exports due, files, groups, handle claims (in the authority), handles,
//!   identities, identity claims (in the authority), jobs, key holders, keys, last resets, mail blocks,
//!   marks, members, memberships, models, outbox, passwords, pending claims (in the authority), pictures,
//!   projects, purges, sessions, sizes, slugs, trash, trash list, uploads, usage, user addresses, users,
//!   workspaces.
//! - Sends mail.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<privacy::run_deletion::RunDeletion>()
}
