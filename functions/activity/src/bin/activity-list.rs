//! Lambda entry point of `activity-list`. Its grants (written by `cargo generate`):
//!
//! - Reads events, handle claims, handles, marks, members, sessions, signing keys, the secret `forwarding`,
//!   users, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<activity::list::ListEvents>()
}
