//! Lambda entry point of `resources-trash`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::trash::Trash>()
}
