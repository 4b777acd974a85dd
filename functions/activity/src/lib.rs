//! Activity of a workspace: history and inbox.

kit::functions! {
    endpoint list::ListEvents;
    endpoint mark_seen::MarkSeen;
    endpoint archive::ArchiveEvents;
}
