//! Lambda entry point of `resources-read`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::read::Read>()
}
