//! Following: a user follows the account of another user or of a team.
//!
//! The relation is stored in the follower's home region, under the hash of the followed account's id: a deleted account leaves no
//! readable id in the records of others. Each region counts its followers of an account, and publishes that number to the others.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{id::WorkspaceId, region::Region, secret::Digest256};

/// The most accounts that a user follows.
pub const MOST: usize = 5_000;

/// SHA-256 of the id of a followed account's workspace. The same in every region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FollowedHash(pub Digest256);

impl FollowedHash {
    /// The hash of an account.
    pub fn of(account: WorkspaceId) -> Self {
        Self(Digest256::of(account.to_string()))
    }
}

impl std::fmt::Display for FollowedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

/// An account that a user follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The account.
    pub account: FollowedHash,
    /// Since when.
    pub followed_at: Timestamp,
}

/// How many users of a region follow an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerCount {
    /// The number.
    pub followers: i64,
    /// Counts changes: a later number has a higher one.
    pub version: u64,
}

/// The number of followers that a region published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionalCount {
    /// The region.
    pub region: Region,
    /// Its number.
    pub count: FollowerCount,
}

/// The number of followers over all regions, as `here` knows it: its own number, and what the others published.
pub fn over_all_regions(here: Region, own: FollowerCount, published: &[RegionalCount]) -> u64 {
    let others = published.iter().filter(|other| other.region != here).map(|other| other.count);
    let numbers = others.chain([own]).map(|count| u64::try_from(count.followers).unwrap_or_default());
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "ws_01m858qy4a1ar9by88nhafn40x";

    fn count(followers: i64) -> FollowerCount {
        FollowerCount { followers, version: 1 }
    }

    #[test]
    fn hash_does_not_contain_the_id() {
        let hash = FollowedHash::of(ACCOUNT.parse().unwrap()).to_string();
        assert_eq!(hash.len(), 43);
        assert!(!hash.contains("01m858qy4a1ar9by88nhafn40x"));
        let other = "ws_01m858qy4a1ar9by88nhafn40y".parse().unwrap();
        assert_ne!(hash, FollowedHash::of(other).to_string());
    }

    #[test]
    fn own_number_replaces_the_published_one() {
        let published = [(Region::Us, 2), (Region::Eu, 30), (Region::Ap, 400)];
        let published = published.map(|(region, number)| RegionalCount { region, count: count(number) });
        assert_eq!(over_all_regions(Region::Eu, count(31), &published), 433);
        assert_eq!(over_all_regions(Region::Eu, FollowerCount::default(), &[]), 0);
    }

    #[test]
    fn number_below_zero_counts_as_zero() {
        let published = [RegionalCount { region: Region::Us, count: count(-1) }];
        assert_eq!(over_all_regions(Region::Eu, count(3), &published), 3);
    }
}
