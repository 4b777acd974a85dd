//! What dynoxide leaves to others to do to its files.
//!
//! Keeps streams fast: dynoxide 3.2.0 takes a stream's next sequence number from an unindexed `MAX`, and
//! never deletes a record. So does this, on the same file, with the SQLite that dynoxide links. DynamoDB
//! keeps stream records for a day
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>).
//!
//! Has a file forget: SQLite leaves what was deleted where it was until the place is needed
//! (<https://www.sqlite.org/lang_vacuum.html>), and in the log beside the file.

use std::collections::BTreeMap;
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

/// dynoxide tells a sequence number with this added, so that it is as long as DynamoDB's.
const ADDED: i128 = 100_000_000_000_000_000_000;
/// The last record of a shard stays, without content: the next one's number follows from it.
const FORGET: [&str; 2] = [
    "DELETE FROM _stream_records WHERE shard_id = ?1 AND CAST(sequence_number AS INTEGER) <= ?2 AND id <
     (SELECT MAX(id) FROM _stream_records WHERE shard_id = ?1)",
    "UPDATE _stream_records SET keys_json = '{}', new_image = NULL, old_image = NULL
     WHERE shard_id = ?1 AND CAST(sequence_number AS INTEGER) <= ?2",
];

const UNREAD: &str = "SELECT COUNT(*) FROM _stream_records WHERE keys_json <> '{}'";

/// How far streams were read: of each shard, the sequence number of the last record that nobody needs any more.
pub type Read = BTreeMap<String, String>;

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

/// Leaves nothing in the file of what was deleted from it, nor of what its streams told up to where they were read: how
/// much they have told beyond that.
pub(crate) fn compact(file: &Path, read: &Read) -> rusqlite::Result<u64> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    for (shard, last) in read {
        let stored = last.parse::<i128>().ok().and_then(|told| i64::try_from(told - ADDED).ok());
        for statement in FORGET {
            connection.execute(statement, (shard, stored))?;
        }
    }
    connection.execute_batch("VACUUM")?;
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        return Err(busy());
    }
    connection.query_row(UNREAD, [], |row| row.get(0))
}

/// Somebody read on for all the time that was waited.
fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}
