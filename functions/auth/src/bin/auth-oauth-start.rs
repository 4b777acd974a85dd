//! Lambda entry point of `auth-oauth-start`. Its grants (written by `cargo generate`):
//!
//! - Reads signing keys, the secret `addresses`, the secret `providers`.
//! - Writes authorization requests, rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::oauth_start::OauthStart>()
}
