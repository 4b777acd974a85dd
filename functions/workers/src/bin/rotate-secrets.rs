//! Lambda entry point of `rotate-secrets`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::rotate_secrets::RotateSecrets>()
}
