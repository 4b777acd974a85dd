//! Lambda entry point of `members-transfer-ownership`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, idempotency records, members, owned teams, sessions, signing keys, the
//!   secret `forwarding`, users, workspaces.
//! - Writes events, idempotency records, members, memberships, outbox, owned teams, workspaces.
//! - Deletes owned teams.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::members_transfer_ownership::TransferTeam>()
}
