//! Lambda entry point of `run-deletion`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, connections, customers, datasets, deletions due, disconnections, events, export bundles,
//!   files, follows, groups, invitations, jobs, keys, last resets, marks, members, memberships, models,
//!   outbox, passwords, payments, pictures, postings, projects, purges, sessions, sizes, slugs, the secret
//!   `payments`, the secret `tokens`, trash, trash list, uploads, usage, user addresses, users,
//!   verifications, wallets, workspaces.
//! - Writes causes, closed postings, connections, consumed, customers, datasets, deletions due,
//!   disconnections, due, events, exports due, files, follower counts, follows, former referrals, groups,
//!   invitations, jobs, key holders, keys, last resets, marks, members, memberships, models, outbox,
//!   passwords, payments, postings, projects, purges, reserved handles (in the authority), sessions, sizes,
//!   slugs, trash, trash list, uploads, usage, user addresses, users, verifications, wallets, wallets due,
//!   workspaces.
//! - Deletes address claims (in the authority), addresses, causes, closed postings, connections, consumed,
//!   customers, datasets, deletions due, disconnections, due, events, export bundles, exports due, files,
//!   follows, groups, handle claims (in the authority), handles, identities, identity claims (in the
//!   authority), invitations, jobs, key holders, keys, last resets, mail blocks, marks, members, memberships,
//!   models, outbox, passwords, payments, pending claims (in the authority), pictures, postings, projects,
//!   purges, sessions, sizes, slugs, trash, trash list, uploads, usage, user addresses, users, verifications,
//!   wallets, wallets due, workspaces.
//! - Sends mail.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<privacy::run_deletion::RunDeletion>()
}
