//! Lambda entry point of `auth-step-up`. Its grants (written by `cargo generate`):
//!
//! - Reads passwords, sessions, signing keys, the secret `forwarding`, workspaces.
//! - Writes sessions, throttles.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::step_up::StepUp>()
}
