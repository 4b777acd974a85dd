//! Lambda entry point of `authorizer`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<auth::authorizer::Authorizer>()
}
