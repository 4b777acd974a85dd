//! Lambda entry point of `run-deletion`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::run_deletion::RunDeletion>()
}
