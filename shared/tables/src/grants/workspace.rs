//! Workspaces, their API keys and their histories.

use super::{actions::*, method::PortMethod};
use crate::items::ItemKind::*;

port! {
    /// Workspaces and handles.
    workspaces = "Workspaces" {
        OPEN = "open": [put(Workspaces), put(Handles)];
        FIND = "find": [get(Workspaces)];
        PROFILE = "profile": [batch_get(Workspaces)];
        OWNER = "owner": [batch_get(Workspaces)];
        BY_HANDLE = "by_handle": [get(Handles)];
        MEMBERSHIP = "membership": [batch_get(Workspaces), batch_get(Members)];
        SAVE_PROFILE = "save_profile": [batch_get(Workspaces), put(Workspaces), update(Workspaces)];
    }
}

port! {
    /// API keys.
    api_keys = "ApiKeys" {
        HOLDER = "holder": [get(KeyHolders)];
        LIST = "list": [query(Keys)];
        FIND = "find": [get(Keys)];
        CREATE = "create": [check(Workspaces), put(Keys), put(KeyHolders)];
        REVOKE = "revoke": [delete(Keys), delete(KeyHolders)];
    }
}

port! {
    /// The accounts that users follow, and the region's numbers of followers.
    follows = "Follows" {
        IS_FOLLOWED = "is_followed": [get(Follows)];
        FOLLOW = "follow": [put(Follows), update(Follows), update(FollowerCounts)];
        UNFOLLOW = "unfollow": [delete(Follows), update(Follows), update(FollowerCounts)];
        LIST = "list": [query(Follows)];
        FOLLOWERS = "followers": [get(FollowerCounts)];
    }
}

port! {
    /// Histories and inboxes.
    history = "History" {
        PAGE = "page": [query(Events)];
        INBOX = "inbox": [get(Marks)];
        MARKS = "marks": [query(Marks)];
        EXISTING = "existing": [batch_get(Events)];
        MARK = "mark": [update(Marks)];
        MARK_ALL = "mark_all": [update(Marks)];
    }
}
