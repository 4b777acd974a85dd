//! The statements on items of tables.

use std::collections::{BTreeMap, BTreeSet};

use kit::ItemKind;
use store::tables::Table;

/// The keys that a permission for an item of a transaction is judged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionKeys {
    /// The key of the item.
    Item,
    /// The keys of all items in the transaction.
    All,
}

/// How the template expects transactions to be judged, which AWS does not document. If a deployment denies transactions that
/// change several kinds of items, set [`TransactionKeys::All`] and run `cargo generate`. Statements then allow more: what a
/// function may do to one kind in transactions, it may do to each kind in the same table that it changes in transactions.
pub const TRANSACTION_KEYS: TransactionKeys = TransactionKeys::Item;

/// A call about several items, whose permissions may be judged with the keys of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SharedCall {
    BatchGet,
    BatchWrite,
    Transaction,
}

impl SharedCall {
    fn of(action: &str, keys: TransactionKeys) -> Option<Self> {
        match action.strip_prefix("dynamodb:")? {
            "BatchGetItem" => Some(Self::BatchGet),
            "BatchWriteItem" => Some(Self::BatchWrite),
            "PutItem" | "UpdateItem" | "DeleteItem" | "ConditionCheckItem" => {
                (keys == TransactionKeys::All).then_some(Self::Transaction)
            }
            _ => None,
        }
    }
}

/// The table of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GrantedTable {
    /// A table of the region. For the directory, the local replica.
    Here(Table),
    /// The directory in the authority region.
    Authority,
}

/// The action that reads whole partitions.
const QUERY: &str = "dynamodb:Query";
/// The action that reads one item.
const GET: &str = "dynamodb:GetItem";
/// From this number of tables on, the names of the tables are most of a statement.
const LONG: usize = 4;

/// The tables that a call can combine: the region's own (`None`), or the directory, here or in the authority.
type Group = Option<GrantedTable>;

/// A statement on items of these kinds in these tables.
pub(super) struct ItemStatement {
    pub(super) actions: BTreeSet<String>,
    pub(super) tables: BTreeSet<GrantedTable>,
    pub(super) kinds: BTreeSet<ItemKind>,
}

/// Actions on items, and the kinds that each is granted for.
#[derive(Default)]
pub(super) struct ItemGrants(BTreeMap<(Group, String), BTreeSet<ItemKind>>);

impl ItemGrants {
    pub(super) fn add(&mut self, table: GrantedTable, action: String, kind: ItemKind) {
        let is_own = matches!(table, GrantedTable::Here(own) if own != Table::Directory);
        let group = (!is_own).then_some(table);
        self.0.entry((group, action)).or_default().insert(kind);
    }

    /// The statements that allow the actions. An action has one for all tables of its group: a key prefix stands for a kind of
    /// one table only. A batch over several tables passes, whether each table is judged with its own keys or with all.
    pub(super) fn statements(self, keys: TransactionKeys) -> impl Iterator<Item = ItemStatement> {
        let mut shared: BTreeMap<(Group, SharedCall), BTreeSet<ItemKind>> = BTreeMap::new();
        for ((group, action), kinds) in &self.0 {
            if let Some(call) = SharedCall::of(action, keys) {
                shared.entry((*group, call)).or_default().extend(kinds);
            }
        }
        let queried: BTreeMap<Group, BTreeSet<ItemKind>> = self
            .0
            .iter()
            .filter(|((_, action), _)| action == QUERY)
            .map(|((group, _), kinds)| (*group, kinds.clone()))
            .collect();
        let mut alike: BTreeMap<(BTreeSet<GrantedTable>, BTreeSet<ItemKind>), BTreeSet<String>> =
            BTreeMap::new();
        for ((group, action), kinds) in self.0 {
            let call = SharedCall::of(&action, keys);
            let all = call.and_then(|call| shared.get(&(group, call)));
            // A query reads every item of its partitions already. One statement for all that reads keeps the policy of a deletion short.
            let with_query = queried.get(&group).filter(|queried| {
                (call == Some(SharedCall::BatchGet) || action == GET)
                    && tables(&kinds).len() >= LONG
                    && queried.is_superset(&kinds)
            });
            let kinds = with_query.cloned().unwrap_or(kinds);
            let parts = match all.filter(|_| with_query.is_none()) {
                Some(all) => vec![(kinds, all.clone())],
                None => apart(kinds).into_iter().map(|kinds| (kinds.clone(), kinds)).collect(),
            };
            for (kinds, keys) in parts {
                let tables = group.map_or_else(|| tables(&kinds), |table| BTreeSet::from([table]));
                alike.entry((tables, keys)).or_default().insert(action.clone());
            }
        }
        alike.into_iter().map(|((tables, kinds), actions)| ItemStatement { actions, tables, kinds })
    }
}

fn tables(kinds: &BTreeSet<ItemKind>) -> BTreeSet<GrantedTable> {
    kinds.iter().map(|kind| GrantedTable::Here(kind.table())).collect()
}

/// The kinds of one statement, or those of one statement per table, if a prefix would allow a kind of another table, too.
fn apart(kinds: BTreeSet<ItemKind>) -> Vec<BTreeSet<ItemKind>> {
    let tables = tables(&kinds);
    let is_too_many = |other: &ItemKind| {
        !kinds.contains(other)
            && tables.contains(&GrantedTable::Here(other.table()))
            && kinds.iter().any(|kind| kind.prefix() == other.prefix())
    };
    if !ItemKind::ALL.iter().any(is_too_many) {
        return vec![kinds];
    }
    let mut by_table: BTreeMap<Table, BTreeSet<ItemKind>> = BTreeMap::new();
    for kind in kinds {
        by_table.entry(kind.table()).or_default().insert(kind);
    }
    by_table.into_values().collect()
}

#[cfg(test)]
mod tests {
    use kit::{Grant, On};

    use super::*;
    use crate::{
        conditions::{Context, Deployment},
        statements::{IamResource, Statement, for_transactions},
    };

    const BATCHES: [&str; 2] = ["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"];
    const SINGLE: [&str; 6] = [
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ];

    fn allow(statements: &[Statement], action: &str, resource: IamResource, keys: &[String]) -> bool {
        let deployment = Deployment { region: "eu".to_owned(), sender: String::new() };
        let context = Context::from([("dynamodb:LeadingKeys".to_owned(), keys.iter().cloned().collect())]);
        statements.iter().any(|statement| {
            statement.resources.contains(&resource) && statement.allows(action, &context, &deployment)
        })
    }

    fn key(kind: ItemKind) -> String {
        kind.partition(if kind.are_by_region() { "eu" } else { "x" })
    }

    /// The kinds of items that a function may act on without a grant.
    fn excess(grants: &[Grant], keys: TransactionKeys) -> BTreeSet<String> {
        let statements = for_transactions(grants, keys);
        let mut excess = BTreeSet::new();
        for kind in ItemKind::ALL {
            for action in BATCHES.into_iter().chain(SINGLE) {
                let resource = IamResource::Table(kind.table());
                let is_granted =
                    grants.iter().any(|grant| grant.on == On::ItemKind(kind) && grant.iam_action() == action);
                let is_allowed = allow(&statements, action, resource, &[key(kind)]);
                assert!(is_allowed || !is_granted, "{action} on {kind:?} is granted and not allowed");
                // A query of the kind reads as much.
                let is_read =
                    [BATCHES[0], GET].contains(&action) && grants.contains(&Grant::items("Query", kind));
                if is_allowed && !is_granted && !is_read {
                    excess.insert(format!("{action} on {kind:?}"));
                }
            }
        }
        excess
    }

    #[test]
    fn statements_allow_no_kind_of_items_beyond_the_grants() {
        let excess = |(id, grants): (&str, Vec<Grant>)| {
            excess(&grants, TransactionKeys::Item)
                .into_iter()
                .map(move |it| format!("{id}: {it}"))
                .collect::<Vec<_>>()
        };
        let all: Vec<String> = crate::grants().into_iter().flat_map(excess).collect();
        assert_eq!(all, Vec::<String>::new());
    }

    #[test]
    fn batch_over_all_granted_tables_is_allowed_under_both_readings() {
        for (id, grants) in crate::grants() {
            let statements = for_transactions(&grants, TransactionKeys::Item);
            for action in BATCHES {
                let kind = |grant: &Grant| match grant.on {
                    On::ItemKind(kind) if grant.iam_action() == action => Some(kind),
                    _ => None,
                };
                let kinds: BTreeSet<ItemKind> = grants.iter().filter_map(kind).collect();
                let (directory, own): (Vec<ItemKind>, Vec<ItemKind>) =
                    kinds.into_iter().partition(|kind| kind.table() == Table::Directory);
                for kinds in [directory, own] {
                    let all: Vec<String> = kinds.iter().map(|kind| key(*kind)).collect();
                    for kind in kinds {
                        let resource = IamResource::Table(kind.table());
                        assert!(
                            allow(&statements, action, resource, &all),
                            "{id}: {action} on {kind:?} with all"
                        );
                        assert!(
                            allow(&statements, action, resource, &[key(kind)]),
                            "{id}: {action} on {kind:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn transaction_is_allowed_with_all_its_keys_only_by_the_switch() {
        let grants = [Grant::items("PutItem", ItemKind::Users), Grant::items("DeleteItem", ItemKind::Keys)];
        let all = [key(ItemKind::Users), key(ItemKind::Keys)];
        for (keys, expected) in [(TransactionKeys::Item, false), (TransactionKeys::All, true)] {
            let statements = for_transactions(&grants, keys);
            let allows =
                |action: &str, table: Table| allow(&statements, action, IamResource::Table(table), &all);
            assert_eq!(allows("dynamodb:PutItem", Table::Identity), expected);
            assert_eq!(allows("dynamodb:DeleteItem", Table::Workspaces), expected);
            assert!(!allows("dynamodb:DeleteItem", Table::Identity), "no action gets another table");
        }
    }

    #[test]
    fn kinds_of_two_tables_with_one_prefix_have_statements_of_their_own() {
        let grants =
            [Grant::items("DeleteItem", ItemKind::Workspaces), Grant::items("DeleteItem", ItemKind::Marks)];
        assert_eq!(ItemKind::Workspaces.prefix(), ItemKind::Events.prefix());
        assert_eq!(for_transactions(&grants, TransactionKeys::Item).len(), 2);
        assert_eq!(excess(&grants, TransactionKeys::Item), BTreeSet::new());
    }
}
