//! The trash: listed, restored from, emptied, purged.

mod removed;

kit::functions! {
    endpoint list::ListTrash;
    endpoint restore::Restore;
    endpoint purge::PurgeResource;
    endpoint empty::Empty;
    worker purge_trash::PurgeTrash;
}
