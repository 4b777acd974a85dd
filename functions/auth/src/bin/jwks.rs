//! Lambda entry point of `jwks`. Its grants (written by `cargo generate`):
//!
//! - Reads retired keys, signing keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::jwks::Jwks>()
}
