//! Lambda entry point of `auth-sign-out`. Its grants (written by `cargo generate`):
//!
//! - Reads signing keys, the secret `forwarding`, the secret `tokens`.
//! - Deletes sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sign_out::SignOut>()
}
