//! Lambda entry point of `trash-restore`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::restore::Restore>()
}
