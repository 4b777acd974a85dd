//! Lambda entry point of `jwks`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::jwks::Jwks>()
}
