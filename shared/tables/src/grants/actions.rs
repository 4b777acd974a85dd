//! DynamoDB's actions on a kind of items.

use crate::{
    grant::{Grant, On},
    items::ItemKind,
};

/// A get of one item.
pub const fn get(kind: ItemKind) -> Grant {
    Grant::items("GetItem", kind)
}

/// A batch get.
pub const fn batch_get(kind: ItemKind) -> Grant {
    Grant::items("BatchGetItem", kind)
}

/// A query of a partition.
pub const fn query(kind: ItemKind) -> Grant {
    Grant::items("Query", kind)
}

/// A put, alone or in a transaction.
pub const fn put(kind: ItemKind) -> Grant {
    Grant::items("PutItem", kind)
}

/// An update, alone or in a transaction.
pub const fn update(kind: ItemKind) -> Grant {
    Grant::items("UpdateItem", kind)
}

/// A delete, alone or in a transaction.
pub const fn delete(kind: ItemKind) -> Grant {
    Grant::items("DeleteItem", kind)
}

/// A condition in a transaction on an item that the transaction does not change.
pub const fn check(kind: ItemKind) -> Grant {
    Grant::items("ConditionCheckItem", kind)
}

/// Deletes in a batch.
pub const fn batch_write(kind: ItemKind) -> Grant {
    Grant::items("BatchWriteItem", kind)
}

/// The same action on the directory in the authority's region.
pub const fn far(grant: Grant) -> Grant {
    match grant.on {
        On::ItemKind(kind) => Grant::authority(grant.action, kind),
        _ => grant,
    }
}

/// Several lists as one; `N` is the sum of their lengths.
pub const fn concat<const N: usize>(mut lists: &[&[Grant]]) -> [Grant; N] {
    let mut all = [Grant::mail(); N];
    let mut room: &mut [Grant] = &mut all;
    while let [list, others @ ..] = lists {
        room = fill(room, list);
        lists = others;
    }
    all
}

/// Copies `list` to the beginning of `room`; the rest of the room.
const fn fill<'a>(room: &'a mut [Grant], list: &[Grant]) -> &'a mut [Grant] {
    match (room, list) {
        ([place, places @ ..], [grant, grants @ ..]) => {
            *place = *grant;
            fill(places, grants)
        }
        (room, _) => room,
    }
}
