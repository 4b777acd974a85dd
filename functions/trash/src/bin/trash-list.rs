//! Lambda entry point of `trash-list`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::list::List>()
}
