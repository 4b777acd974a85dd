//! A person's data: exports and deletions.

use super::{actions::*, erasure, method::PortMethod};
use crate::items::ItemKind::*;

port! {
    /// Exports.
    exports = "Exports" {
        START = "start": [put(Jobs), put(ExportsDue), get(Jobs)];
        FIND = "find": [get(Jobs)];
        OF = "of": [query(Jobs)];
        REPLACE = "replace": [put(Jobs), delete(Jobs), put(ExportsDue), delete(ExportsDue)];
        FORGET = "forget": [delete(Jobs), delete(ExportsDue)];
        DUE = "due": [query(ExportsDue)];
    }
}

port! {
    /// Everything that an account and its workspace hold.
    inventory = "Inventory" {
        RESOURCES = "resources": [query(Projects), query(Datasets), query(Models)];
        TRASHED = "trashed": [query(Trash)];
        FILES = "files": [query(Files)];
        UPLOADS = "uploads": [query(Uploads)];
        EVENTS = "events": [query(Events)];
        MARKS = "marks": [query(Marks)];
        SESSIONS = "sessions": [query(Sessions)];
        HAS_OTHERS = "has_others": [query(Members)];
    }
}

port! {
    /// Deletions. `_ACCESS`: of API keys and sessions only.
    deletions = "Deletions" {
        CLOSE = "close": [
            put(Jobs), put(DeletionsDue), put(Erasures), get(Jobs), delete(Users), delete(Passwords), delete(Addresses), delete(MailBlocks),
            delete(Workspaces), delete(Handles), check(Workspaces), update(OwnedTeams), delete(OwnedTeams),
        ];
        FIND = "find": [get(Jobs)];
        RUNNING = "running": [get(Jobs)];
        REPLACE = "replace": [put(Jobs), put(DeletionsDue), delete(DeletionsDue)];
        FORGET = "forget": [query(Jobs), put(Jobs), delete(Jobs), delete(DeletionsDue), check(Users)];
        DUE = "due": [query(DeletionsDue)];
        LEFT = "left": erasure::LIST;
        LEFT_ACCESS = "left": [query(Keys), query(Sessions)];
        ERASE = "erase": erasure::ERASE;
        VERIFIED_ADDRESSES = "verified_addresses": [get(UserAddresses)];
        ERASE_ACCESS = "erase":
            [batch_get(Keys), batch_write(Keys), batch_write(KeyHolders), batch_write(Sessions)];
    }
}
