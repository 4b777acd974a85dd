//! Lambda entry point of `trash-purge`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::purge::Purge>()
}
