//! Following.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{extras::TransactionExtras, outcome::Outcome};
use crate::{
    follow::{Follow, FollowedHash, FollowerCount},
    id::UserId,
};

/// The result of following an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The user follows the account, since now or before.
    Yes,
    /// The user follows the most accounts already.
    LimitReached,
}

/// The accounts that users follow, and how many users of this region follow an account. Every read is strongly consistent.
#[async_trait]
pub trait Follows: Send + Sync {
    /// Whether a user follows an account.
    async fn is_followed(&self, user: UserId, account: FollowedHash) -> Outcome<bool>;
    /// Follows an account, unless the user follows [`MOST`](crate::follow::MOST) accounts. If the user follows it already, nothing
    /// is written, and no message.
    async fn follow(
        &self,
        user: UserId,
        account: FollowedHash,
        now: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Followed>;
    /// Unfollows an account. If the user does not follow it, nothing is written, and no message.
    async fn unfollow(&self, user: UserId, account: FollowedHash, extras: TransactionExtras) -> Outcome<()>;
    /// The accounts that a user follows. At most `limit`.
    async fn list(&self, user: UserId, limit: usize) -> Outcome<Vec<Follow>>;
    /// How many users of this region follow an account.
    async fn followers(&self, account: FollowedHash) -> Outcome<FollowerCount>;
}
