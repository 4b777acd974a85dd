//! Projects, datasets and models; the trash; uploads; permanent removal.

use super::{actions::*, method::PortMethod};
use crate::items::ItemKind::*;

port! {
    /// Projects, datasets and models.
    resources = "Resources" {
        FIND = "find": [get(Projects), get(Datasets), get(Models)];
        FIND_PROJECT = "find": [get(Projects)];
        FIND_WITH_USAGE = "find_with_usage":
            [batch_get(Projects), batch_get(Datasets), batch_get(Models), batch_get(Usage), get(Projects)];
        LIST = "list":
            [query(Projects), query(Datasets), query(Groups), batch_get(Models), batch_get(Projects)];
        LARGEST = "largest": [query(Sizes), batch_get(Datasets), batch_get(Models), batch_get(Projects)];
        USAGE = "usage": [get(Usage)];
        CREATE = "create": [
            put(Projects), put(Datasets), put(Models), put(Groups), put(Slugs), update(Projects), update(Usage),
        ];
        REPLACE = "replace": [
            put(Projects), put(Datasets), put(Models), check(Projects), put(Slugs), delete(Slugs),
        ];
    }
}

port! {
    /// The trash.
    trash = "Trash" {
        PUT = "put": [
            delete(Projects), delete(Datasets), delete(Models), delete(Groups), delete(Slugs), delete(Sizes),
            update(Projects), update(Usage), put(Trash), put(TrashList), put(Due),
        ];
        FIND = "find": [batch_get(Trash), batch_get(Usage)];
        PAGE = "page": [query(TrashList)];
        OVER = "over": [query(TrashList)];
        RESTORE = "restore": [
            delete(Trash), delete(TrashList), delete(Due),
            put(Projects), put(Datasets), put(Models), put(Groups), put(Slugs), put(Sizes),
            update(Projects), update(Usage), get(Usage),
        ];
        REMOVE = "remove":
            [delete(Trash), delete(TrashList), delete(Due), update(Usage), put(Purges), put(Due)];
        EMPTY = "empty": [update(Usage), put(Due)];
    }
}

port! {
    /// Uploads and files.
    uploads = "Uploads" {
        BEGIN = "begin":
            [check(Projects), check(Datasets), check(Models), update(Usage), put(Uploads), put(Due)];
        FIND = "find": [get(Uploads)];
        COMPLETE = "complete": [
            put(Uploads), put(Files), put(Datasets), put(Models), put(Sizes), delete(Sizes), update(Projects),
            update(Usage),
        ];
    }
}

port! {
    /// Permanent removal.
    purges = "Purges" {
        DUE = "due": [query(Due)];
        SETTLE = "settle": [delete(Due)];
        FIND = "find": [get(Purges)];
        FILES = "files": [query(Files)];
        FORGET_FILES = "forget_files": [batch_write(Files)];
        MODELS = "models": [query(Groups)];
        FORGET_MODELS = "forget_models":
            [batch_get(Models), batch_write(Models), batch_write(Groups), batch_write(Slugs), batch_write(Sizes)];
        FINISH = "finish": [delete(Purges), delete(Due)];
        GIVE_UP = "give_up": [get(Uploads), put(Uploads), update(Usage)];
        FORGET_UPLOAD = "forget_upload": [delete(Uploads), delete(Due)];
        GO_ON = "go_on": [put(Outbox)];
    }
}
