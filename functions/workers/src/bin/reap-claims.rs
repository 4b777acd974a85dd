//! Lambda entry point of `reap-claims`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::reap_claims::ReapClaims>()
}
