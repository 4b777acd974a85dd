//! Lambda entry point of `purge-trash`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::purge_trash::PurgeTrash>()
}
