//! Lambda entry point of `run-export`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::run_export::RunExport>()
}
