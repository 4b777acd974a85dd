//! Lambda entry point of `username-check`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handle claims (in the authority), reserved handles (in the authority).

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::username_check::CheckUsername>()
}
