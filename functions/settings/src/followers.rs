//! The number of followers of an account, over all regions.

use domain::{
    follow::{FollowedHash, over_all_regions},
    ports::{Directory, Follows, Outcome},
    region::Region,
};

/// Reads the number of followers: this region's own is current, those of the other regions are what they published.
pub async fn follower_count(
    follows: &dyn Follows,
    directory: &dyn Directory,
    here: Region,
    account: FollowedHash,
) -> Outcome<u64> {
    let (own, published) =
        futures::try_join!(follows.followers(account), directory.follower_totals(account))?;
    Ok(over_all_regions(here, own, &published))
}
