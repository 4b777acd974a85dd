//! The kinds of items. IAM knows of an item no more than its partition key (`dynamodb:LeadingKeys`), so kinds that not the
//! same functions may touch have partitions of their own, told apart by how their keys begin.

use std::fmt::{Display, Write};

use crate::Table;

/// So long are most partition keys at the most: a prefix and a SHA-256 in hexadecimal digits.
const KEY_LENGTH: usize = 72;

/// A kind of items: those whose partition keys begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Items {
    /// Who a user is.
    Users,
    /// Hashes of passwords.
    Passwords,
    /// Which mailed token set a user's password last.
    LastResets,
    /// Sessions.
    Sessions,
    /// Whose an address is.
    Addresses,
    /// What waits for an address to be verified.
    SignUps,
    /// Which mails were asked for by whoever forgot a password.
    ResetsAsked,
    /// Workspaces with their profiles and wrapped data keys.
    Workspaces,
    /// Who belongs to a workspace, and as what.
    Members,
    /// Whose a handle is.
    Handles,
    /// API keys, with their sealed values.
    Keys,
    /// Who holds the API key with a hash.
    KeyHolders,
    /// Histories: never changed.
    Events,
    /// What was said of events, one by one and of all.
    Marks,
    /// Receipts of requests that carried an `Idempotency-Key`.
    Receipts,
    /// Counters of failed attempts.
    Throttles,
    /// Counters of requests.
    RateWindows,
    /// Who acted on which message.
    Consumed,
    /// Messages to be published.
    Outbox,
    /// Projects that are not in the trash.
    Projects,
    /// Datasets that are not in the trash.
    Datasets,
    /// Models that are not in the trash; those of projects that are, too.
    Models,
    /// Which models are in which project.
    Groups,
    /// Whose a slug is.
    Slugs,
    /// Datasets and models by size.
    Sizes,
    /// What workspaces use.
    Usage,
    /// What is in the trash.
    Trash,
    /// The same by time.
    TrashList,
    /// Uploads that were begun.
    Uploads,
    /// Files of datasets and models.
    Files,
    /// What is being removed.
    Purges,
    /// What has to be done at a certain time.
    Due,
    /// In which workspaces a user is a member.
    Memberships,
    /// Exports and deletions.
    Jobs,
    /// Exports that somebody has to look after at a certain time.
    ExportsDue,
    /// Deletions that somebody has to look after at a certain time.
    DeletionsDue,
    /// In the directory: whose a handle is.
    HandleClaims,
    /// In the directory: whose an address is.
    AddressClaims,
    /// In the directory: handles that were given up and that nobody gets for a while.
    ReservedHandles,
    /// In the directory: a region's claims that were not confirmed yet.
    PendingClaims,
    /// In the directory: the public keys that access tokens are verified with.
    SigningKeys,
    /// In the directory: those that were, for receipts that they have signed.
    RetiredKeys,
}

impl Items {
    /// Every kind.
    pub const ALL: [Self; 42] = [
        Self::Users,
        Self::Passwords,
        Self::LastResets,
        Self::Sessions,
        Self::Addresses,
        Self::SignUps,
        Self::ResetsAsked,
        Self::Workspaces,
        Self::Members,
        Self::Handles,
        Self::Keys,
        Self::KeyHolders,
        Self::Events,
        Self::Marks,
        Self::Receipts,
        Self::Throttles,
        Self::RateWindows,
        Self::Consumed,
        Self::Outbox,
        Self::Projects,
        Self::Datasets,
        Self::Models,
        Self::Groups,
        Self::Slugs,
        Self::Sizes,
        Self::Usage,
        Self::Trash,
        Self::TrashList,
        Self::Uploads,
        Self::Files,
        Self::Purges,
        Self::Due,
        Self::Memberships,
        Self::Jobs,
        Self::ExportsDue,
        Self::DeletionsDue,
        Self::HandleClaims,
        Self::AddressClaims,
        Self::ReservedHandles,
        Self::PendingClaims,
        Self::SigningKeys,
        Self::RetiredKeys,
    ];

    /// The table that they are in, and what their partition keys begin with.
    const fn place(self) -> (Table, &'static str) {
        match self {
            Self::Users => (Table::Identity, "USER#"),
            Self::Passwords => (Table::Identity, "PASSWORD#"),
            Self::LastResets => (Table::Identity, "LASTRESET#"),
            Self::Sessions => (Table::Identity, "SESSIONS#"),
            Self::Addresses => (Table::Identity, "EMAIL#"),
            Self::SignUps => (Table::Identity, "SIGNUP#"),
            Self::ResetsAsked => (Table::Identity, "RESETS#"),
            Self::Workspaces => (Table::Workspaces, "WS#"),
            Self::Members => (Table::Workspaces, "MEMBERS#"),
            Self::Handles => (Table::Workspaces, "HANDLE#"),
            Self::Keys => (Table::Workspaces, "KEYS#"),
            Self::KeyHolders => (Table::Workspaces, "KEYHASH#"),
            Self::Events => (Table::Activity, "WS#"),
            Self::Marks => (Table::Activity, "MARKS#"),
            Self::Receipts => (Table::Operations, "RECEIPT#"),
            Self::Throttles => (Table::Operations, "THROTTLE#"),
            Self::RateWindows => (Table::Operations, "RATE#"),
            Self::Consumed => (Table::Operations, "DONE#"),
            Self::Outbox => (Table::Operations, "OUT#"),
            Self::Projects => (Table::Resources, "PROJECTS#"),
            Self::Datasets => (Table::Resources, "DATASETS#"),
            Self::Models => (Table::Resources, "MODELS#"),
            Self::Groups => (Table::Resources, "GROUPED#"),
            Self::Slugs => (Table::Resources, "SLUGS#"),
            Self::Sizes => (Table::Resources, "SIZES#"),
            Self::Usage => (Table::Resources, "USAGE#"),
            Self::Trash => (Table::Resources, "TRASH#"),
            Self::TrashList => (Table::Resources, "TRASHLIST#"),
            Self::Uploads => (Table::Resources, "UPLOADS#"),
            Self::Files => (Table::Resources, "FILES#"),
            Self::Purges => (Table::Resources, "PURGES#"),
            Self::Due => (Table::Resources, "DUE#"),
            Self::Memberships => (Table::Workspaces, "MEMBERSHIPS#"),
            Self::Jobs => (Table::Operations, "JOBS#"),
            Self::ExportsDue => (Table::Operations, "EXPORTSDUE"),
            Self::DeletionsDue => (Table::Operations, "DELETIONSDUE"),
            Self::HandleClaims => (Table::Directory, "HANDLE#"),
            Self::AddressClaims => (Table::Directory, "ADDRESS#"),
            Self::ReservedHandles => (Table::Directory, "RESERVED#"),
            Self::PendingClaims => (Table::Directory, "PENDING#"),
            Self::SigningKeys => (Table::Directory, "SIGNING-KEYS"),
            Self::RetiredKeys => (Table::Directory, "RETIRED-KEYS"),
        }
    }

    /// The table that they are in.
    pub const fn table(self) -> Table {
        self.place().0
    }

    /// What their partition keys begin with.
    pub const fn prefix(self) -> &'static str {
        self.place().1
    }

    /// The partition key of those that are about `subject`.
    pub fn partition(self, subject: impl Display) -> String {
        let mut key = String::with_capacity(KEY_LENGTH);
        key.push_str(self.prefix());
        // A string takes everything.
        let _ = write!(key, "{subject}");
        key
    }

    /// Whether their partitions are the regions', so that a region's functions may touch no other's.
    pub const fn are_by_region(self) -> bool {
        matches!(self, Self::PendingClaims)
    }

    /// The kind of the items of a table with this partition key.
    pub fn of(table: Table, partition: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.table() == table && partition.starts_with(kind.prefix()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kinds_partition_key_is_taken_for_another_kinds() {
        for (n, kind) in Items::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, n, "{kind:?} is out of order, or another is missing");
            assert_eq!(Items::of(kind.table(), &kind.partition("x")), Some(kind));
            let same_table = Items::ALL.into_iter().filter(|other| other.table() == kind.table());
            let alike = same_table.filter(|other| other.prefix().starts_with(kind.prefix()));
            assert_eq!(alike.collect::<Vec<_>>(), [kind]);
        }
    }
}
