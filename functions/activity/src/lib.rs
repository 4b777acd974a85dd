//! A workspace's history: reading it, and keeping its inbox.

kit::functions! {
    endpoint list::List;
    endpoint mark_seen::MarkSeen;
    endpoint archive::Archive;
}
