//! The trash: listed, restored from, emptied.

kit::functions! {
    endpoint list::List;
    endpoint restore::Restore;
    endpoint purge::Purge;
    endpoint empty::Empty;
}
