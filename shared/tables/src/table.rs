//! The tables, and the attributes that each has.

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Users, addresses, credentials, sessions, pending sign-ups.
    Identity,
    /// Workspaces, handles, members, API keys.
    Workspaces,
    /// Events, marks and inboxes.
    Activity,
    /// Projects, datasets, models, their files, the trash.
    Resources,
    /// Wallets, their postings.
    Billing,
    /// Idempotency records, throttles, rate windows, feedback, outbox, jobs.
    Operations,
    /// The ledger of erasures. Apart from the others, because it must survive a restore of them.
    Erasures,
    /// Data that every region may have: holders of handles and of hashed addresses, public signing keys. One table for all
    /// regions, replicated to each.
    Directory,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Workspaces,
        Self::Activity,
        Self::Resources,
        Self::Billing,
        Self::Operations,
        Self::Erasures,
        Self::Directory,
    ];

    /// The tables that each region has for itself.
    pub const REGIONAL: [Self; 7] = [
        Self::Identity,
        Self::Workspaces,
        Self::Activity,
        Self::Resources,
        Self::Billing,
        Self::Operations,
        Self::Erasures,
    ];

    /// The tables of a region that are restored to an earlier time, all to the same second.
    pub const RESTORED: [Self; 6] =
        [Self::Identity, Self::Workspaces, Self::Activity, Self::Resources, Self::Billing, Self::Operations];

    /// The short name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Workspaces => "workspaces",
            Self::Activity => "activity",
            Self::Resources => "resources",
            Self::Billing => "billing",
            Self::Operations => "operations",
            Self::Erasures => "erasures",
            Self::Directory => "directory",
        }
    }

    /// The full name in a deployment.
    pub fn name(self, prefix: &str) -> String {
        [prefix, self.as_str()].concat()
    }

    /// Whether its items have a time to live (attribute [`TTL`]).
    pub fn expires(self) -> bool {
        matches!(self, Self::Identity | Self::Billing | Self::Operations | Self::Erasures | Self::Directory)
    }

    /// Whether its changes are streamed (new images): the outbox is read from there, and replication needs it.
    pub fn is_streamed(self) -> bool {
        matches!(self, Self::Operations | Self::Directory)
    }
}

/// The partition key's attribute, a string, in every table.
pub const PARTITION_KEY: &str = "pk";
/// The sort key's attribute, a string, in every table.
pub const SORT_KEY: &str = "sk";
/// The attribute that DynamoDB deletes by, in seconds since 1970. Housekeeping only: readers compare times themselves.
pub const TTL: &str = "ttl";

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn every_table_but_ledger_and_directory_is_restored() {
        let apart = [Table::Erasures, Table::Directory];
        let others = Table::ALL.into_iter().filter(|table| !apart.contains(table));
        assert_eq!(others.collect::<Vec<_>>(), Table::RESTORED);
    }
}
