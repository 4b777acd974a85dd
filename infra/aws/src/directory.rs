//! The table that all regions share.

use std::path::PathBuf;

/// The table that all regions share. Functions write it in one region, which replicates it to the others; functions
/// read the replica of their own region.
#[derive(Debug, Clone)]
pub struct DirectoryTable {
    /// The name of the table, the same in every region.
    pub table: String,
    /// The AWS region that takes all writes.
    pub authority: String,
    /// The folder of the region's replica. Created if missing.
    pub folder: PathBuf,
}
