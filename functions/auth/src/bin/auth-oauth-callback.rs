//! Lambda entry point of `auth-oauth-callback`. Its grants (written by `cargo generate`):
//!
//! - Reads the secret `addresses`, the secret `forwarding`, the secret `providers`.
//! - Writes rate windows.
//! - Deletes authorization requests.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::oauth_callback::OauthCallback>()
}
