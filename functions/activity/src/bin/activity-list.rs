//! Lambda entry point of `activity-list`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<activity::list::List>()
}
