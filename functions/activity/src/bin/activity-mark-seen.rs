//! Lambda entry point of `activity-mark-seen`. Its grants (written by `cargo generate`):
//!
//! - Reads events, handle claims, handles, members, sessions, signing keys, the secret `forwarding`,
//!   workspaces.
//! - Writes marks.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<activity::mark_seen::MarkSeen>()
}
