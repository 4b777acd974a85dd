//! Lambda entry point of `username-check`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::username_check::CheckUsername>()
}
