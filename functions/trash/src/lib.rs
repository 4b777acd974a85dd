//! The trash: listed, restored from, emptied.

mod removed;

kit::functions! {
    endpoint list::List;
    endpoint restore::Restore;
    endpoint purge::Purge;
    endpoint empty::Empty;
}
