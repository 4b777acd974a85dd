//! Lambda entry point of `activity-archive`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<activity::archive::Archive>()
}
