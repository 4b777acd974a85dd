//! Decides what becomes of an item.

use aws_sdk_dynamodb::types::AttributeValue;
use kit::ItemKind;
use store::tables::{PARTITION_KEY, SORT_KEY};

use crate::{
    error::RestoreError,
    ledger::{ErasureLedger, names_somebody},
    table_group::{StoredItem, text},
};

/// How items of a kind are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Goes with its owner. Stays otherwise.
    Owned,
    /// As [`Treatment::Owned`], and replaced by the item that serves, if there is one.
    Newest,
    /// As [`Treatment::Owned`], and goes if no such item serves.
    Revocable,
    /// Goes. It was valid only at the time of the copy: sessions, because some were ended since; pending sign-ups and requests,
    /// and blocks of a week, which hold addresses or their hashes and nobody's id; feedback, which was mailed since; messages, which no stream carries any more; records of requests, which refer to
    /// things that may be erased.
    Momentary,
    /// Stays, as a number of the relations that stay: it names nobody.
    Counted,
    /// Stays: it names nobody.
    Kept,
    /// Goes if it names an erased id anywhere. Expires by itself.
    Bookkeeping,
    /// Is in no table that is restored.
    Apart,
}

/// The treatment of a kind. Without a wildcard, so that a new kind gets one.
#[expect(clippy::too_many_lines, reason = "one line for each kind")]
pub const fn treatment(kind: ItemKind) -> Treatment {
    match kind {
        ItemKind::Users
        | ItemKind::LastResets
        | ItemKind::Addresses
        | ItemKind::UserAddresses
        | ItemKind::Workspaces
        | ItemKind::Disconnections
        | ItemKind::Members
        | ItemKind::Handles
        | ItemKind::Invitations
        | ItemKind::Memberships
        | ItemKind::OwnedTeams
        | ItemKind::Follows
        | ItemKind::Events
        | ItemKind::Marks
        | ItemKind::Projects
        | ItemKind::Datasets
        | ItemKind::Models
        | ItemKind::Groups
        | ItemKind::Slugs
        | ItemKind::Sizes
        | ItemKind::Usage
        | ItemKind::Wallets
        | ItemKind::Postings
        | ItemKind::Causes
        | ItemKind::WalletsDue
        | ItemKind::Verifications
        | ItemKind::Customers
        | ItemKind::Payments
        | ItemKind::Trash
        | ItemKind::TrashList
        | ItemKind::Uploads
        | ItemKind::Files
        | ItemKind::Purges
        | ItemKind::Due
        | ItemKind::Jobs
        | ItemKind::ExportsDue
        | ItemKind::DeletionsDue => Treatment::Owned,
        ItemKind::Passwords => Treatment::Newest,
        // A provider's identity may have been disconnected because it was stolen.
        ItemKind::Keys | ItemKind::KeyHolders | ItemKind::Connections | ItemKind::Identities => {
            Treatment::Revocable
        }
        ItemKind::Sessions
        | ItemKind::SignUps
        | ItemKind::ResetsAsked
        | ItemKind::MailBlocks
        | ItemKind::AuthorizationRequests
        | ItemKind::Feedback
        | ItemKind::IdempotencyRecords
        | ItemKind::Outbox => Treatment::Momentary,
        ItemKind::FollowerCounts => Treatment::Counted,
        // What came after the restored time is found again: the position is restored, too.
        ItemKind::ClosedPostings
        | ItemKind::FormerReferrals
        | ItemKind::Promotions
        | ItemKind::StripeEvents
        | ItemKind::Reconciliations => Treatment::Kept,
        ItemKind::Throttles | ItemKind::RateWindows | ItemKind::Consumed => Treatment::Bookkeeping,
        ItemKind::Erasures
        | ItemKind::HandleClaims
        | ItemKind::AddressClaims
        | ItemKind::IdentityClaims
        | ItemKind::ReservedHandles
        | ItemKind::PendingClaims
        | ItemKind::FollowerTotals
        | ItemKind::FreeCredits
        | ItemKind::CreditDays
        | ItemKind::SigningKeys
        | ItemKind::RetiredKeys => Treatment::Apart,
    }
}

/// Whether an item belongs to an erased account or team.
///
/// Its keys decide if they name an erased id. Otherwise its partition key names the owner; failing that, its attributes `user` and
/// `workspace`; failing that, its sort key.
pub fn is_of_erased(ledger: &ErasureLedger, kind: ItemKind, item: &StoredItem) -> Result<bool, RestoreError> {
    let (partition, sort) = (text(item, PARTITION_KEY), text(item, SORT_KEY));
    if ledger.is_named_in(partition) || ledger.is_named_in(sort) {
        return Ok(true);
    }
    let owners = ["user", "workspace"].map(|attribute| text(item, attribute));
    if !names_somebody(partition) && owners.into_iter().any(|owner| ledger.is_named_in(owner)) {
        return Ok(true);
    }
    let is_somebodys = [partition, sort].into_iter().chain(owners).any(names_somebody);
    if is_somebodys { Ok(false) } else { Err(RestoreError::NoOwner(kind)) }
}

/// Whether an item names an erased id anywhere.
pub fn mentions_erased(ledger: &ErasureLedger, item: &StoredItem) -> bool {
    item.iter().any(|(name, value)| ledger.is_named_in(name) || is_in_value(ledger, value))
}

fn is_in_value(ledger: &ErasureLedger, value: &AttributeValue) -> bool {
    match value {
        AttributeValue::S(text) => ledger.is_named_in(text),
        AttributeValue::Ss(texts) => texts.iter().any(|text| ledger.is_named_in(text)),
        AttributeValue::L(values) => values.iter().any(|value| is_in_value(ledger, value)),
        AttributeValue::M(members) => mentions_erased(ledger, members),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use store::tables::{Owner, Removal, Table};

    use super::*;

    #[test]
    fn treatment_agrees_with_the_kinds_row() {
        for kind in ItemKind::ALL {
            let row = kind.row();
            let is_restored = Table::RESTORED.contains(&row.table);
            let treatment = treatment(kind);
            assert_eq!(treatment == Treatment::Apart, !is_restored, "{kind:?}");
            // What belongs to nobody is not searched for an owner, and must expire.
            let is_owned = matches!(treatment, Treatment::Owned | Treatment::Newest | Treatment::Revocable);
            assert!(!is_owned || row.owner != Owner::Region, "{kind:?}");
            let expires = matches!(row.removal, Removal::Expires(_));
            assert!(treatment != Treatment::Bookkeeping || expires, "{kind:?}");
            // A kind with encrypted values is owned: its key is its workspace's. Or it goes.
            let goes = treatment == Treatment::Momentary;
            assert!(row.sealed.is_empty() || is_owned || goes, "{kind:?}");
        }
    }
}
