//! Lambda entry point of `trash-empty`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::empty::Empty>()
}
