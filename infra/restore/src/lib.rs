//! Makes restored tables fit to serve. A point-in-time restore brings back what was erased since: accounts and teams, ended
//! sessions, revoked API keys, replaced passwords.
//!
//! [`Restoration::erase`] works on the restored copies, before they serve. It reads the ledger of erasures, deletes what belongs to
//! erased ids, ends all sessions, and stops before it changes anything if it cannot tell whose an item is. [`settle_names`] makes
//! the directory and the tables agree once they serve. Both can be repeated, and resume after an interruption.

mod erase;
mod error;
mod judge;
mod ledger;
mod names;
mod objects;
mod report;
mod table_group;

pub use erase::Restoration;
pub use error::RestoreError;
pub use ledger::ErasureLedger;
pub use names::{NamesReport, settle_names};
pub use objects::erase_objects;
pub use report::{RestoreAction, RestoreReport};
pub use table_group::TableGroup;

#[cfg(test)]
mod tests {
    use store::tables::Table;

    /// The names in a line like `tables=(identity workspaces)` of the script.
    fn listed(name: &str) -> Vec<&'static str> {
        let script = include_str!("../../restore-region");
        let start = format!("{name}=(");
        let line = script.lines().find_map(|line| line.strip_prefix(start.as_str())).unwrap();
        line.trim_end_matches(')').split(' ').collect()
    }

    #[test]
    fn script_restores_the_tables_with_their_settings() {
        let those = |is: fn(Table) -> bool| {
            let tables = Table::RESTORED.into_iter().filter(|table| is(*table));
            tables.map(Table::as_str).collect::<Vec<_>>()
        };
        assert_eq!(listed("tables"), those(|_| true));
        assert_eq!(listed("expiring"), those(Table::expires));
        assert_eq!(listed("streamed"), those(Table::is_streamed));
    }
}
