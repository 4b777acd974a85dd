//! Leaves nothing in the regions' files of what was deleted. DynamoDB's streams tell for a day what happened, and a database
//! keeps what was deleted until it needs the place; here both can end at once, for whoever looks into the files.

use std::{path::Path, sync::Arc, time::Duration};

use domain::region::Region;

use crate::{region::RunningRegion, stream};

/// What was written last is read a moment later: that is waited for so often, and so long each time.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Compacts every table in every region. What readers of streams have yet to read stays: so many records, if they don't come
/// to it within five seconds.
pub async fn compact(data: &Path, regions: &[Arc<RunningRegion>]) -> Result<u64, String> {
    for _ in 0..LOOKS {
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
        // Nobody reads what happens in a replica: it has no stream.
        let directory = if running.region == Region::AUTHORITY { by_all.clone() } else { aws::Read::new() };
        left += running.aws.compact(read(&data.join(running.region.as_str())), directory).await?;
    }
    Ok(left)
}

/// How far two readers both are. Sequence numbers are all of the same length.
fn least(a: aws::Read, b: aws::Read) -> aws::Read {
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
    fn what_one_has_yet_to_read_is_not_read() {
        let read = |shards: &[(&str, &str)]| -> aws::Read {
            shards.iter().map(|(shard, last)| ((*shard).to_owned(), (*last).to_owned())).collect()
        };
        let (a, b) = (read(&[("s", "12"), ("t", "10")]), read(&[("s", "11"), ("u", "10")]));
        assert_eq!(least(a, b), read(&[("s", "11")]));
    }
}
