//! Lambda entry point of `resources-list`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::list::List>()
}
