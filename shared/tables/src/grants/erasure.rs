//! What a deletion does to each kind of items, as the kinds' rows say.

use super::actions::*;
use crate::{
    grant::Grant,
    items::{ItemKind, Removal},
    table::Table,
};

/// The records that steps read because they lead to others.
const READS: [Grant; 11] = [
    batch_get(ItemKind::Keys),
    batch_get(ItemKind::Trash),
    batch_get(ItemKind::Purges),
    batch_get(ItemKind::Uploads),
    batch_get(ItemKind::Usage),
    batch_get(ItemKind::Wallets),
    batch_get(ItemKind::Postings),
    batch_get(ItemKind::Workspaces),
    batch_get(ItemKind::Jobs),
    batch_get(ItemKind::Connections),
    query(ItemKind::Files),
];
/// The writes of the step that unfollows: each relation goes in a transaction with the number that it is in.
const UNFOLLOWS: [Grant; 2] = [delete(ItemKind::Follows), update(ItemKind::FollowerCounts)];
/// The writes of the step that ends memberships: each goes in a transaction with the team's number of taken seats.
const LEAVES: [Grant; 2] = [delete(ItemKind::Members), update(ItemKind::Workspaces)];
/// The amounts that stay of deleted postings.
const CLOSES: [Grant; 1] = [batch_write(ItemKind::ClosedPostings)];
/// The deletes of every kind that is erased.
const DELETES: [Grant; count(Pass::Erase)] = collect(Pass::Erase);

/// Going through the partitions of every kind that has a step of its own.
pub const LIST: [Grant; count(Pass::List)] = collect(Pass::List);
/// Erasing every kind.
pub const ERASE: [Grant; READS.len() + UNFOLLOWS.len() + LEAVES.len() + CLOSES.len() + DELETES.len()] =
    concat(&[&READS, &UNFOLLOWS, &LEAVES, &CLOSES, &DELETES]);

/// What a step does.
#[derive(Clone, Copy)]
enum Pass {
    /// It lists what is left.
    List,
    /// It erases that.
    Erase,
}

const fn action(pass: Pass, kind: ItemKind) -> Option<Grant> {
    match (pass, kind.row().removal) {
        (Pass::List, Removal::Partition(_) | Removal::Records(_)) => Some(query(kind)),
        (Pass::Erase, Removal::Partition(_) | Removal::With(_)) => Some(batch_write(kind)),
        (Pass::Erase, Removal::Records(_)) => Some(delete(kind)),
        // What the directory holds goes by a port of its own.
        (Pass::Erase, Removal::InTransaction(_)) => match kind.table() {
            Table::Directory => None,
            _ => Some(delete(kind)),
        },
        _ => None,
    }
}

const fn count(pass: Pass) -> usize {
    let (mut count, mut kinds): (usize, &[ItemKind]) = (0, &ItemKind::ALL);
    while let [kind, others @ ..] = kinds {
        count += action(pass, *kind).is_some() as usize;
        kinds = others;
    }
    count
}

/// The actions on all kinds; `N` is their [`count`].
const fn collect<const N: usize>(pass: Pass) -> [Grant; N] {
    let mut all = [Grant::mail(); N];
    let (mut room, mut kinds): (&mut [Grant], &[ItemKind]) = (&mut all, &ItemKind::ALL);
    while let [kind, others @ ..] = kinds {
        kinds = others;
        let Some(grant) = action(pass, *kind) else { continue };
        let Some((place, places)) = room.split_first_mut() else { break };
        *place = grant;
        room = places;
    }
    all
}
