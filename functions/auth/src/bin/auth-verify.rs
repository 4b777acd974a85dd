//! Lambda entry point of `auth-verify`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::verify::Verify>()
}
