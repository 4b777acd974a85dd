//! Lambda entry point of `purge-trash`. Its grants (written by `cargo generate`):
//!
//! - Reads due, files, groups, models, purges, trash, trash list, uploads, usage.
//! - Writes due, events, files, groups, models, outbox, purges, sizes, slugs, uploads, usage.
//! - Deletes due, files, groups, models, purges, sizes, slugs, trash, trash list, uploads.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<trash::purge_trash::PurgeTrash>()
}
