//! Email addresses of accounts.

use async_trait::async_trait;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Saved},
};
use crate::{
    id::UserId,
    password_reset::LastReset,
    user_addresses::{AddressRemoval, PendingAddresses, PrimaryChange, StoredAddresses, Verification},
};

/// The result of saving a verified address.
#[derive(Debug, PartialEq, Eq)]
pub enum AddressSaved {
    /// It is saved.
    Yes,
    /// The address belongs to another account.
    Taken,
    /// The records are no longer what was read.
    Stale,
}

/// Email addresses of accounts. Nothing is written about a user that does not exist any more.
#[async_trait]
pub trait UserAddresses: Send + Sync {
    /// The user and all addresses, in one read.
    async fn find(&self, user: UserId) -> Outcome<Option<StoredAddresses>>;
    /// Saves the addresses that wait, if their stored version is one less and that of the verified ones is `verified`: the limit
    /// on addresses counts both.
    async fn save_pending(
        &self,
        pending: &PendingAddresses,
        verified: u64,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Saves a verified address and its uniqueness item.
    async fn verify(&self, verification: &Verification, extras: TransactionExtras) -> Outcome<AddressSaved>;
    /// Makes another address the primary one. Invalidates the reset tokens of earlier mails with `tokens`.
    async fn set_primary(
        &self,
        change: &PrimaryChange,
        tokens: &LastReset,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Removes an address and its uniqueness item. The reset tokens of earlier mails are invalidated with `tokens` if the address
    /// was verified, because they may have been requested with it.
    async fn remove(
        &self,
        removal: &AddressRemoval,
        tokens: &LastReset,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
}
