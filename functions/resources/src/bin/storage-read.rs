//! Lambda entry point of `storage-read`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::storage::Storage>()
}
