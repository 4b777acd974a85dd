//! Lambda entry point of `teams-create`. Its grants (written by `cargo generate`):
//!
//! - Reads erasures, handle claims (in the authority), idempotency records, members, owned teams, reserved
//!   handles (in the authority), sessions, signing keys, the secret `forwarding`, users, workspaces.
//! - Writes events, handle claims (in the authority), handles, idempotency records, members, memberships,
//!   outbox, owned teams, pending claims (in the authority), rate windows, workspaces.
//! - Deletes handle claims (in the authority), owned teams, pending claims (in the authority).
//! - Uses data keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::create::CreateTeam>()
}
