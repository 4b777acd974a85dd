//! Maintains dynoxide's SQLite files.
//!
//! Adds indexes on stream records: dynoxide 3.2.0 computes the next sequence number with an unindexed `MAX` and never
//! deletes records. DynamoDB keeps stream records for 24 hours
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>).
//!
//! Erases deleted data: SQLite leaves it in the file until the space is reused
//! (<https://www.sqlite.org/lang_vacuum.html>), and in the write-ahead log.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// SQLite uses an index on an expression only if a query contains exactly the same expression, here dynoxide's.
const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS local_stream_sequence
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE INDEX IF NOT EXISTS local_stream_age ON _stream_records (created_at);
";
const TRIM: &str = "DELETE FROM _stream_records WHERE created_at < unixepoch() - 86400;";

/// The offset that dynoxide adds to sequence numbers, so that they are as long as DynamoDB's.
const SEQUENCE_OFFSET: i128 = 100_000_000_000_000_000_000;
/// Keeps the last record of a shard, without its content, because the next sequence number derives from it.
const ERASE_READ_RECORDS: [&str; 2] = [
    "DELETE FROM _stream_records WHERE shard_id = ?1 AND CAST(sequence_number AS INTEGER) <= ?2 AND id <
     (SELECT MAX(id) FROM _stream_records WHERE shard_id = ?1)",
    "UPDATE _stream_records SET keys_json = '{}', new_image = NULL, old_image = NULL
     WHERE shard_id = ?1 AND CAST(sequence_number AS INTEGER) <= ?2",
];

const COUNT_UNREAD: &str = "SELECT COUNT(*) FROM _stream_records WHERE keys_json <> '{}'";

/// The position up to which streams were read: the sequence number of the last consumed record of each shard.
pub type StreamPositions = BTreeMap<String, String>;

/// How long stream records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamRetention {
    /// For 24 hours, as in DynamoDB.
    OneDay,
    /// Forever.
    Forever,
}

/// Creates missing indexes and deletes records beyond their retention.
pub(crate) fn maintain(file: &Path, kept: StreamRetention) -> rusqlite::Result<()> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch(INDEXES)?;
    match kept {
        StreamRetention::OneDay => connection.execute_batch(TRIM),
        StreamRetention::Forever => Ok(()),
    }
}

/// Erases deleted data and the stream records up to `read` from the file. Returns the number of stream records after
/// `read`.
pub(crate) fn compact(file: &Path, read: &StreamPositions) -> rusqlite::Result<u64> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    for (shard, last) in read {
        let stored = last.parse::<i128>().ok().and_then(|told| i64::try_from(told - SEQUENCE_OFFSET).ok());
        for statement in ERASE_READ_RECORDS {
            connection.execute(statement, (shard, stored))?;
        }
    }
    connection.execute_batch("VACUUM")?;
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        return Err(busy());
    }
    connection.query_row(COUNT_UNREAD, [], |row| row.get(0))
}

/// Another connection held the file for the whole busy timeout.
fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}
