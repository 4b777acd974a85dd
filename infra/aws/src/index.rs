//! Keeps streams fast: dynoxide 3.2.0 takes a stream's next sequence number from an unindexed `MAX`, and
//! never deletes a record. So does this, on the same file, with the SQLite that dynoxide links. DynamoDB
//! keeps stream records for a day
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>).

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// The expression is the one that dynoxide's queries use: SQLite takes an index only for the very same one.
const CURE: &str = "
    CREATE INDEX IF NOT EXISTS local_stream_sequence
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE INDEX IF NOT EXISTS local_stream_age ON _stream_records (created_at);
";
const TRIM: &str = "DELETE FROM _stream_records WHERE created_at < unixepoch() - 86400;";

/// How much of a file's streams is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// As much as DynamoDB keeps.
    ADay,
    /// All of it.
    Whole,
}

/// Makes the indexes if they are missing, and drops the records that are not kept.
pub(crate) fn cure(file: &Path, kept: Streams) -> rusqlite::Result<()> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch(CURE)?;
    match kept {
        Streams::ADay => connection.execute_batch(TRIM),
        Streams::Whole => Ok(()),
    }
}
