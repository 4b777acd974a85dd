//! Lambda entry point of `confirm-claims`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::confirm_claims::ConfirmClaims>()
}
