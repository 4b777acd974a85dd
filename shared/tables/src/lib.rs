//! The tables, the kinds of items in them, and the AWS actions of each port method. The store derives its keys from the
//! kinds; the template, the local platform and the functions' roles derive from all three. No SDK is needed to name them.

mod grant;
pub mod grants;
mod items;
mod table;

pub use grant::{Grant, On};
pub use grants::PortMethod;
pub use items::{ExportRule, ItemKind, Owner, Removal, Row};
pub use table::{PARTITION_KEY, SORT_KEY, TTL, Table};
