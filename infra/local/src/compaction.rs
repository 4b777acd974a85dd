//! Erases deleted data from the files of the regions. DynamoDB streams keep records for 24 hours, and a database keeps
//! deleted data until the space is reused; compaction erases both immediately, so that tests can inspect the files.

use std::{path::Path, sync::Arc, time::Duration};

use domain::region::Region;

use crate::{region::RunningRegion, stream};

/// How often, and how long each time, compaction waits for readers of the last writes.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Compacts all tables of all regions. Stream records without a reader stay; returns their number if they remain unread
/// for five seconds.
pub async fn compact(data: &Path, regions: &[Arc<RunningRegion>]) -> Result<u64, String> {
    for _ in 0..ATTEMPTS {
        if compact_once(data, regions).await? == 0 {
            return Ok(0);
        }
        tokio::time::sleep(PAUSE).await;
    }
    compact_once(data, regions).await
}

async fn compact_once(data: &Path, regions: &[Arc<RunningRegion>]) -> Result<u64, String> {
    let read = |folder: &Path| stream::read_so_far(&stream::position(folder));
    let replicas = regions.iter().filter(|running| running.region != Region::AUTHORITY);
    let replicas = replicas.map(|running| read(&data.join("directory").join(running.region.as_str())));
    let by_all = replicas.reduce(least).unwrap_or_default();
    let mut left = 0;
    for running in regions {
        // Replicas of the directory have no stream.
        let directory =
            if running.region == Region::AUTHORITY { by_all.clone() } else { aws::StreamPositions::new() };
        left += running.aws.compact(read(&data.join(running.region.as_str())), directory).await?;
    }
    Ok(left)
}

/// The earlier positions of two readers. All sequence numbers have the same length.
fn least(a: aws::StreamPositions, b: aws::StreamPositions) -> aws::StreamPositions {
    let both = a.into_iter().filter_map(|(shard, one)| {
        let other = b.get(&shard)?.clone();
        Some((shard, one.min(other)))
    });
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_unread_by_one_reader_is_unread() {
        let read = |shards: &[(&str, &str)]| -> aws::StreamPositions {
            shards.iter().map(|(shard, last)| ((*shard).to_owned(), (*last).to_owned())).collect()
        };
        let (a, b) = (read(&[("s", "12"), ("t", "10")]), read(&[("s", "11"), ("u", "10")]));
        assert_eq!(least(a, b), read(&[("s", "11")]));
    }
}
