//! Lambda entry point of `rotate-secrets`. Its grants (written by `cargo generate`):
//!
//! - Reads signing keys, signing keys (in the authority), the secret `addresses`, the secret `codes`, the
//!   secret `forwarding`, the secret `tokens`.
//! - Writes retired keys (in the authority), signing keys (in the authority), the secret `addresses`, the
//!   secret `codes`, the secret `forwarding`, the secret `tokens`.
//! - Deletes signing keys (in the authority).

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::rotate_secrets::RotateSecrets>()
}
