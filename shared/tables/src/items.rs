//! The kinds of items, one row each. IAM knows of an item no more than its partition key (`dynamodb:LeadingKeys`), so kinds
//! that different functions may touch have partitions of their own, told apart by how their keys begin.

mod row;

use std::fmt::{Display, Write};

pub use row::{ExportRule, Owner, Removal, Row};

use crate::table::Table;

/// The length of most partition keys: a prefix and a SHA-256 in hexadecimal digits.
const KEY_LENGTH: usize = 72;

/// Declares the kinds: `Kind: Table "prefix", Owner, Removal, ExportRule, [sealed attributes];`.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident:
        $table:ident $prefix:literal, $owner:ident, $removal:ident($gone:expr), $export:ident($where:expr),
        $sealed:expr;)*) => {
        /// A kind of items: those whose partition keys begin alike.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ItemKind {
            $($(#[$about])* $kind,)*
        }

        impl ItemKind {
            /// Every kind.
            pub const ALL: [Self; [$($prefix),*].len()] = [$(Self::$kind),*];

            /// The properties of the kind.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$kind => &Row {
                        table: Table::$table,
                        prefix: $prefix,
                        owner: Owner::$owner,
                        removal: Removal::$removal($gone),
                        export: ExportRule::$export($where),
                        sealed: &$sealed,
                    },)*
                }
            }
        }
    };
}

kinds! {
    /// Users.
    Users: Identity "USER#", User, Partition("person"), Section(&["account"]), [];
    /// Hashes of passwords.
    Passwords: Identity "PASSWORD#", User, Partition("person"), Omitted("a hash of a secret"), [];
    /// The mailed token that set a user's password last.
    LastResets: Identity "LASTRESET#", User, Partition("resets"), Omitted("the id of a used token"), [];
    /// Sessions.
    Sessions: Identity "SESSIONS#", User, Partition("sessions"), Section(&["account"]), ["client"];
    /// The user of an address.
    Addresses: Identity "EMAIL#", User, InTransaction("person"), Omitted("an index of users"), [];
    /// Providers' identities that users sign in with.
    Connections: Identity "CONNECTIONS#", User, Partition("person"), Section(&["account"]), [];
    /// Providers that a user disconnected: an address alone connects none of them again.
    Disconnections: Identity "DISCONNECTED#", User, Partition("person"), Omitted("in the history, too"), [];
    /// The user of a provider's identity.
    Identities: Identity "IDENTITY#", User, InTransaction("person"), Omitted("an index of users"), [];
    /// The addresses of an account, if there are more than the first.
    UserAddresses: Identity "ADDRESSES#", User, Partition("person"), Section(&["account"]), [];
    /// Sign-ups whose address is not verified yet.
    SignUps: Identity "SIGNUP#", Region, Expires("a day after the last attempt"),
        Omitted("of no account yet"), [];
    /// Password resets that were requested with an address.
    ResetsAsked: Identity "RESETS#", Region, Expires("an hour after the last request"),
        Omitted("requests of anybody who knows an address"), [];
    /// Addresses that get no mail for a week.
    MailBlocks: Identity "NOMAIL#", User, InTransaction("person"),
        Omitted("a hash of the address, for a week"), [];
    /// Workspaces with their profiles and wrapped data keys.
    Workspaces: Workspaces "WS#", Workspace, Partition("workspace"), Section(&["account"]), ["dataKey"];
    /// Members of workspaces, with their roles.
    Members: Workspaces "MEMBERS#", Workspace, Partition("members"), Omitted("an index of memberships"), [];
    /// Pending invitations to teams, and their ids by address.
    Invitations: Workspaces "INVITE#", Workspace, Partition("invitations"),
        Omitted("addresses of others, who did not accept"), [];
    /// The workspace of a handle.
    Handles: Workspaces "HANDLE#", Workspace, InTransaction("workspace"), Omitted("an index of workspaces"), [];
    /// API keys.
    Keys: Workspaces "KEYS#", Workspace, Partition("api-keys"), Section(&["apiKeys"]), ["sealed"];
    /// The holder of the API key with a hash.
    KeyHolders: Workspaces "KEYHASH#", Workspace, With(&["api-keys"]), Omitted("an index of API keys"), [];
    /// The accounts that a user follows, by hashes of their ids, and their number.
    Follows: Workspaces "FOLLOWS#", User, Partition("follows"), Section(&["account"]), [];
    /// How many users of the region follow an account, by the hash of its id.
    FollowerCounts: Workspaces "FOLLOWED#", Region, Kept("numbers under hashes of ids"),
        Omitted("numbers under hashes of ids"), [];
    /// Histories: never changed.
    Events: Activity "WS#", Workspace, Partition("events"), Section(&["activity"]), [];
    /// Seen and archived events, one by one and all at once.
    Marks: Activity "MARKS#", Workspace, Partition("marks"), Section(&["activity"]), [];
    /// Records of requests that carried an `Idempotency-Key`.
    IdempotencyRecords: Operations "RECEIPT#", Region, Expires("a day after the request"),
        Omitted("hashes of requests"), [];
    /// Counters of failed attempts.
    Throttles: Operations "THROTTLE#", Region, Expires("when the counter is forgotten"),
        Omitted("counters under hashed names"), [];
    /// Counters of requests.
    RateWindows: Operations "RATE#", Region, Expires("a minute after the window's end"),
        Omitted("counters under hashed names"), [];
    /// Leases on messages.
    Consumed: Operations "DONE#", Region, Expires("when the message can't come again"),
        Omitted("ids of messages"), [];
    /// Authorizations at providers that were begun.
    AuthorizationRequests: Operations "AUTHORIZATION#", Region, Expires("ten minutes after the start"),
        Omitted("hashes of random numbers"), [];
    /// Feedback that waits to be mailed.
    Feedback: Operations "FEEDBACK#", Region, Expires("a week later, if it was not mailed before"),
        Omitted("of no account"), [];
    /// Messages to be published.
    Outbox: Operations "OUT#", Workspace, Partition("messages"), Omitted("ids of what is in other sections"), [];
    /// Projects that are not in the trash.
    Projects: Resources "PROJECTS#", Workspace, Partition("projects"), Section(&["projects"]), [];
    /// Datasets that are not in the trash.
    Datasets: Resources "DATASETS#", Workspace, Partition("datasets"), Section(&["datasets"]), [];
    /// Models that are not in the trash themselves. The project of one may be.
    Models: Resources "MODELS#", Workspace, Partition("models"), Section(&["models"]), [];
    /// Models by project.
    Groups: Resources "GROUPED#", Workspace, Partition("groups"), Omitted("an index of models"), [];
    /// The resource of a slug.
    Slugs: Resources "SLUGS#", Workspace, Partition("slugs"), Omitted("an index of resources"), [];
    /// Datasets and models by size.
    Sizes: Resources "SIZES#", Workspace, Partition("sizes"), Omitted("an index of resources"), [];
    /// The counters of what a workspace uses.
    Usage: Resources "USAGE#", Workspace, Partition("usage"), Section(&["account"]), [];
    /// Resources in the trash.
    Trash: Resources "TRASH#", Workspace, Partition("trash"), Section(&["projects", "datasets", "models"]), [];
    /// The trash by time.
    TrashList: Resources "TRASHLIST#", Workspace, Partition("trash-list"), Omitted("an index of the trash"), [];
    /// Uploads.
    Uploads: Resources "UPLOADS#", Workspace, Partition("uploads"), Section(&["uploads"]), [];
    /// Files of datasets and models.
    Files: Resources "FILES#", Workspace, With(&["datasets", "models", "trash", "purges"]),
        Section(&["files"]), [];
    /// Resources that are being permanently removed.
    Purges: Resources "PURGES#", Workspace, Partition("purges"), Omitted("ids of what is being removed"), [];
    /// Work on resources by the time at which it is due.
    Due: Resources "DUE#", Workspace, With(&["trash", "purges", "uploads", "usage"]),
        Omitted("an index of work to do"), [];
    /// Wallets.
    Wallets: Billing "WALLET#", Workspace, Partition("wallet"), Section(&["account"]), [];
    /// Postings of wallets: never changed.
    Postings: Billing "POSTINGS#", Workspace, Partition("postings"), Section(&["transactions"]), [];
    /// The posting about a cause.
    Causes: Billing "CAUSES#", Workspace, Partition("wallet"), Omitted("an index of postings"), [];
    /// Work on wallets by the time at which it is due.
    WalletsDue: Billing "WALLETSDUE#", Workspace, With(&["wallet"]), Omitted("an index of work to do"), [];
    /// How far wallets were recomputed from their postings.
    Verifications: Billing "VERIFIED#", Workspace, Partition("wallet"), Omitted("sums of postings"), [];
    /// Customers at Stripe.
    Customers: Billing "CUSTOMER#", Workspace, Partition("payments"), Section(&["account"]), [];
    /// Payments, and how much of each is in the wallet.
    Payments: Billing "PAYMENTS#", Workspace, Partition("payments"), Omitted("their amounts are transactions"), [];
    /// Referrals of friends whose accounts were deleted, by hashes of their ids: a refund takes a reward back.
    FormerReferrals: Billing "FORMER#", Region, Expires("180 days after the deletion"),
        Omitted("kept under hashes of ids of what was deleted"), [];
    /// Events of Stripe that were received.
    StripeEvents: Billing "STRIPEEVENT#", Region, Expires("60 days after it was received"),
        Omitted("ids of objects at Stripe"), [];
    /// How far events and payments at Stripe were compared.
    Reconciliations: Billing "RECONCILED", Region, Kept("a position"), Omitted("a position"), [];
    /// The amounts of postings whose workspaces were deleted.
    ClosedPostings: Billing "CLOSED#", Region, Kept("amounts of nobody"), Omitted("amounts of nobody"), [];
    /// Promo codes.
    Promotions: Billing "PROMO#", Region, Kept("codes of operators"), Omitted("codes of operators"), [];
    /// Workspaces in which a user is a member.
    Memberships: Workspaces "MEMBERSHIPS#", User, Partition("memberships"), Section(&["account"]), [];
    /// The ids of the teams that a user owns.
    OwnedTeams: Workspaces "OWNED#", User, Done("when the account is closed, which requires that it owns no team"),
        Omitted("an index of memberships"), [];
    /// Exports and deletions.
    Jobs: Operations "JOBS#", User, Records("exports"), Omitted("the export itself, and deletions"), [];
    /// Exports by the time at which they are due.
    ExportsDue: Operations "EXPORTSDUE", User, InTransaction("exports"), Omitted("an index of exports"), [];
    /// Deletions by the time at which they are due.
    DeletionsDue: Operations "DELETIONSDUE", User, Done("with the deletion"), Omitted("an index of deletions"), [];
    /// Erased accounts and teams, by hashes of their ids: a restored backup must forget them again.
    Erasures: Erasures "ERASED#", Region, Expires("when no backup is older than the erasure"),
        Omitted("hashes of ids of what was deleted"), [];
    /// In the directory: the workspace of a handle.
    HandleClaims: Directory "HANDLE#", Workspace, InTransaction("names"), Omitted("an index of workspaces"), [];
    /// In the directory: the user of a hashed address.
    AddressClaims: Directory "ADDRESS#", User, InTransaction("names"), Omitted("an index of users"), [];
    /// In the directory: the user of a provider's identity.
    IdentityClaims: Directory "IDENTITY#", User, InTransaction("names"), Omitted("an index of users"), [];
    /// In the directory: handles that were given up and that nobody gets for a while.
    ReservedHandles: Directory "RESERVED#", Region, Expires("when the handle is free again"),
        Omitted("hashes of handles that nobody has"), [];
    /// In the directory: a region's claims that are not confirmed yet.
    PendingClaims: Directory "PENDING#", Region, InTransaction("names"), Omitted("an index of claims"), [];
    /// In the directory: how many users of each region follow an account, by the hash of its id.
    FollowerTotals: Directory "FOLLOWERS#", Region, Kept("numbers under hashes of ids"),
        Omitted("numbers under hashes of ids"), [];
    /// In the directory: the free credit of mailboxes, by hashes of them.
    FreeCredits: Directory "CREDIT#", Region, Kept("hashes, so that nobody gets it again after a deletion"),
        Omitted("hashes of mailboxes and ids"), [];
    /// In the directory: how much free credit a network and an organization got in a day.
    CreditDays: Directory "CREDITDAY#", Region, Expires("at the end of the day"),
        Omitted("counters under hashed names"), [];
    /// In the directory: the public keys that access tokens are verified with.
    SigningKeys: Directory "SIGNING-KEYS", Region, Kept("public keys name nobody"),
        Omitted("public keys of the platform"), [];
    /// In the directory: the public keys of earlier receipts.
    RetiredKeys: Directory "RETIRED-KEYS", Region, Kept("receipts are verified with them"),
        Omitted("public keys of the platform"), [];
}

impl ItemKind {
    /// The table that the kind is in.
    pub const fn table(self) -> Table {
        self.row().table
    }

    /// The beginning of the kind's partition keys.
    pub const fn prefix(self) -> &'static str {
        self.row().prefix
    }

    /// The partition key of the items about `subject`.
    pub fn partition(self, subject: impl Display) -> String {
        let mut key = String::with_capacity(KEY_LENGTH);
        key.push_str(self.prefix());
        // A string takes everything.
        let _ = write!(key, "{subject}");
        key
    }

    /// Whether each region has partitions of its own, so that a region's functions may touch no other's.
    pub const fn are_by_region(self) -> bool {
        matches!(self, Self::PendingClaims)
    }

    /// The kind of the items of a table with this partition key.
    pub fn of(table: Table, partition: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.table() == table && partition.starts_with(kind.prefix()))
    }

    /// The kinds whose partitions the step with this name empties, in their order.
    pub fn emptied_by(step: &str) -> impl Iterator<Item = Self> {
        let is_emptied = move |kind: &Self| kind.row().removal.empties(step);
        Self::ALL.into_iter().filter(is_emptied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_key_belongs_to_one_kind() {
        for kind in ItemKind::ALL {
            assert_eq!(ItemKind::of(kind.table(), &kind.partition("x")), Some(kind));
            let same_table = ItemKind::ALL.into_iter().filter(|other| other.table() == kind.table());
            let alike = same_table.filter(|other| other.prefix().starts_with(kind.prefix()));
            assert_eq!(alike.collect::<Vec<_>>(), [kind]);
        }
    }

    #[test]
    fn expiring_kind_is_in_a_table_with_a_time_to_live() {
        for kind in ItemKind::ALL {
            let expires = matches!(kind.row().removal, Removal::Expires(_));
            assert!(!expires || kind.table().expires(), "{kind:?}");
        }
    }

    #[test]
    fn directory_has_no_personal_data_but_claims() {
        let is_personal = |kind: &ItemKind| kind.row().owner != Owner::Region;
        let replicated = ItemKind::ALL.into_iter().filter(|kind| kind.table() == Table::Directory);
        // Every region gets a copy of these.
        let reviewed = [ItemKind::HandleClaims, ItemKind::AddressClaims, ItemKind::IdentityClaims];
        assert_eq!(replicated.filter(is_personal).collect::<Vec<_>>(), reviewed);
    }

    #[test]
    fn personal_kind_is_erased() {
        for kind in ItemKind::ALL {
            let Row { owner, removal, .. } = *kind.row();
            let stays = matches!(removal, Removal::Expires(_) | Removal::Kept(_));
            assert!(owner == Owner::Region || !stays, "{kind:?} belongs to a {owner:?} and is not erased");
        }
    }
}
