//! Makes restored tables fit to serve. A point-in-time restore brings back what was erased since: accounts and teams, ended
//! sessions, revoked API keys, replaced passwords.
//!
//! [`Restoration::erase`] works on the restored copies, before they serve. It reads the ledger of erasures, deletes what belongs to
//! erased ids, ends all sessions, and stops before it changes anything if it cannot tell whose an item is. [`settle_names`] makes
//! the directory and the tables agree once they serve, and [`settle_followers`] publishes the numbers of followers again. All can be repeated, and resume after an interruption.

mod erase;
mod error;
mod followers;
mod judge;
mod ledger;
mod names;
mod objects;
mod report;
mod table_group;

pub use erase::Restoration;
pub use error::RestoreError;
pub use followers::settle_followers;
pub use ledger::ErasureLedger;
pub use names::{NamesReport, settle_names};
pub use objects::erase_objects;
pub use report::{RestoreAction, RestoreReport};
pub use table_group::TableGroup;
