//! Email addresses of an account: verified ones, and added ones that wait for the code that was emailed to them.
//!
//! An address that waits claims nothing: any number of accounts may add it, and the reader of its email verifies it. All
//! addresses of an account that wait form one record, so that one condition enforces the limits under concurrency. The
//! address of the sign-up has no record of its own until another one is verified: it follows from the user.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    id::{AddressId, AttemptId, OfAddress, UserId},
    sign_up::{CODE_VALID, TRIES, WrongCode},
    source::{AGAIN_AFTER, PER_SOURCE, PERIOD},
    throttle::Wait,
    time::after,
    user::{EmailHash, User},
};

/// Maximum number of addresses of an account, verified or not.
pub const MOST: usize = 20;
/// Maximum number of addresses of an account that wait for their code.
pub const MOST_PENDING: usize = 5;
/// Lifetime of an address that is not verified.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of codes per hour that one account has sent, to all addresses together.
pub const CODES_PER_ACCOUNT: usize = 20;
/// Time for which a former primary address is known: until the mail about the change has been sent.
const FORMER_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A verified address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedAddress {
    /// The id. That of the sign-up's address is the user's id with another prefix.
    pub id: AddressId,
    /// The address as typed.
    #[serde(deserialize_with = "crate::email::existing")]
    pub email: EmailAddress,
    /// The hash of the address.
    pub hash: EmailHash,
    /// Time at which the address was added.
    pub added_at: Timestamp,
    /// Time at which the address was verified.
    pub verified_at: Timestamp,
}

/// The verified addresses of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedAddresses {
    /// The user.
    pub user: UserId,
    /// The addresses, oldest first.
    pub addresses: Vec<VerifiedAddress>,
    /// Whether a company address was ever verified. Stays true when the address is removed.
    pub had_company: bool,
    /// Counts changes: every write is conditional on it. 0 if there is no stored record.
    pub version: u64,
}

/// An address that waits for its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAddress {
    /// The id.
    pub id: AddressId,
    /// The address as typed.
    #[serde(deserialize_with = "crate::email::existing")]
    pub email: EmailAddress,
    /// The hash of the address.
    pub hash: EmailHash,
    /// Time at which the address was added.
    pub added_at: Timestamp,
    /// The id that the newest code is derived from.
    pub attempt: AttemptId,
    /// Time at which the newest code was requested.
    pub sent_at: Timestamp,
    /// Number of codes that were entered since.
    pub tries: u8,
}

impl PendingAddress {
    /// Time at which the address is dropped.
    pub fn expires_at(&self) -> Timestamp {
        after(self.added_at, KEPT)
    }

    /// When its code expires.
    pub fn code_expires_at(&self) -> Timestamp {
        after(self.sent_at, CODE_VALID)
    }
}

/// A code that was sent in the last hour. Outlasts the removal of its address, which would otherwise reset the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCode {
    /// The hash of the address.
    pub address: EmailHash,
    /// Time of the request.
    pub at: Timestamp,
}

/// An address that was the primary one, for the mail that tells its owner. The address may be removed right after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerPrimary {
    /// The id.
    pub id: AddressId,
    /// The address as typed.
    #[serde(deserialize_with = "crate::email::existing")]
    pub email: EmailAddress,
    /// Time of the change.
    pub until: Timestamp,
}

/// What an account's record keeps for a limited time: addresses that wait for their code, and what limits and mails need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAddresses {
    /// The user.
    pub user: UserId,
    /// The addresses that wait, oldest first.
    pub addresses: Vec<PendingAddress>,
    /// The codes of the last hour, oldest first.
    pub sent: Vec<SentCode>,
    /// The primary addresses that were replaced in the last day.
    pub former: Vec<FormerPrimary>,
    /// Counts changes: every write is conditional on it. 0 if there is no stored record.
    pub version: u64,
}

impl PendingAddresses {
    /// A record without addresses.
    pub const fn none(user: UserId) -> Self {
        Self { user, addresses: Vec::new(), sent: Vec::new(), former: Vec::new(), version: 0 }
    }

    /// The addresses that have not expired.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &PendingAddress> {
        self.addresses.iter().filter(move |address| now < address.expires_at())
    }

    /// Time at which the record expires.
    pub fn expires_at(&self) -> Timestamp {
        let addresses = self.addresses.iter().map(PendingAddress::expires_at);
        let sent = self.sent.iter().map(|sent| after(sent.at, PERIOD));
        let former = self.former.iter().map(|former| after(former.until, FORMER_KEPT));
        addresses.chain(sent).chain(former).max().unwrap_or(Timestamp::MIN)
    }

    /// The next version, without what has expired.
    fn next(&self, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.addresses.retain(|address| now < address.expires_at());
        next.sent.retain(|sent| now < after(sent.at, PERIOD));
        next.former.retain(|former| now < after(former.until, FORMER_KEPT));
        next.version = next.version.saturating_add(1);
        next
    }

    /// Records that a code is sent to `address`.
    fn send(&mut self, address: EmailHash, now: Timestamp) -> Result<(), Wait> {
        let wait_until = |until: Timestamp| if now < until { Err(Wait::between(now, until)) } else { Ok(()) };
        let own: Vec<Timestamp> =
            self.sent.iter().filter(|sent| sent.address == address).map(|sent| sent.at).collect();
        if let Some(last) = own.last() {
            wait_until(after(*last, AGAIN_AFTER))?;
        }
        if let (Some(oldest), true) = (own.first(), own.len() >= PER_SOURCE) {
            wait_until(after(*oldest, PERIOD))?;
        }
        if let (Some(oldest), true) = (self.sent.first(), self.sent.len() >= CODES_PER_ACCOUNT) {
            wait_until(after(oldest.at, PERIOD))?;
        }
        self.sent.push(SentCode { address, at: now });
        Ok(())
    }
}

/// The stored records about the addresses of an account.
#[derive(Debug, Clone)]
pub struct StoredAddresses {
    /// The user, whose primary address is one of them.
    pub user: User,
    /// The verified addresses. `None` if the sign-up's is the only one.
    pub verified: Option<VerifiedAddresses>,
    /// The addresses that wait.
    pub pending: Option<PendingAddresses>,
}

impl StoredAddresses {
    /// The verified company addresses, oldest first, but for the one that the account was opened with.
    pub fn added_company_addresses(&self) -> impl Iterator<Item = &VerifiedAddress> {
        let first = first_address(self.user.id);
        let all = self.verified.iter().flat_map(|verified| &verified.addresses);
        all.filter(move |address| address.id != first && address.email.is_company())
    }
}

/// All addresses of an account, as they were read.
#[derive(Debug, Clone)]
pub struct AddressBook {
    /// The user, whose primary address is one of the verified ones.
    pub user: User,
    /// The verified addresses.
    pub verified: VerifiedAddresses,
    /// The addresses that wait.
    pub pending: PendingAddresses,
}

/// An address to add.
#[derive(Debug, Clone)]
pub struct NewAddress {
    /// Its id.
    pub id: AddressId,
    /// The address as typed.
    pub email: EmailAddress,
    /// Its hash.
    pub hash: EmailHash,
    /// The id that its code is derived from.
    pub attempt: AttemptId,
}

/// Why an address can't be added, or why no code can be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum CodeRefused {
    /// The account has no such address.
    Missing,
    /// The address is verified already.
    Verified,
    /// The address waits for its code already.
    Pending,
    /// The account has too many addresses.
    TooMany,
    /// Too many addresses of the account wait for their code.
    TooManyPending,
    /// Too many codes were sent.
    TooSoon(Wait),
}

impl From<Wait> for CodeRefused {
    fn from(wait: Wait) -> Self {
        Self::TooSoon(wait)
    }
}

/// The verification of an address.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The address.
    pub address: VerifiedAddress,
    /// The records after it.
    pub verified: VerifiedAddresses,
    /// The addresses that still wait.
    pub pending: PendingAddresses,
    /// Whether it is the account's first company address.
    pub is_first_company: bool,
}

/// Another primary address.
#[derive(Debug, Clone)]
pub struct PrimaryChange {
    /// The user before.
    pub before: User,
    /// The user with the new primary address.
    pub after: User,
    /// The address that was the primary one.
    pub former: AddressId,
    /// The records after it.
    pub verified: VerifiedAddresses,
    /// The same.
    pub pending: PendingAddresses,
}

/// The removal of an address.
#[derive(Debug, Clone)]
pub struct AddressRemoval {
    /// The hash of a verified address, which becomes free.
    pub freed: Option<EmailHash>,
    /// The records after it, if the address was verified.
    pub verified: Option<VerifiedAddresses>,
    /// The addresses that still wait.
    pub pending: PendingAddresses,
}

/// Why an address can't be removed or become the primary one.
#[derive(Debug, PartialEq, Eq)]
pub enum ChangeRefused {
    /// The account has no such address.
    Missing,
    /// The address is not verified.
    Unverified,
    /// The address is the primary one.
    IsPrimary,
}

/// The id of the address that an account was opened with.
pub fn first_address(user: UserId) -> AddressId {
    user.cast::<OfAddress>()
}

impl AddressBook {
    /// The addresses of a stored account. `primary` is the hash of its primary address.
    pub fn new(stored: StoredAddresses, primary: EmailHash) -> Self {
        let StoredAddresses { user, verified, pending } = stored;
        let first = || VerifiedAddresses {
            user: user.id,
            addresses: vec![VerifiedAddress {
                id: first_address(user.id),
                email: user.primary_email.clone(),
                hash: primary,
                added_at: user.created_at,
                verified_at: user.created_at,
            }],
            had_company: user.primary_email.is_company(),
            version: 0,
        };
        let verified = verified.unwrap_or_else(first);
        let pending = pending.unwrap_or_else(|| PendingAddresses::none(user.id));
        Self { user, verified, pending }
    }

    /// Whether this is the primary address.
    pub fn is_primary(&self, address: &VerifiedAddress) -> bool {
        address.email.canonical() == self.user.primary_email.canonical()
    }

    /// Finds a verified address.
    pub fn verified(&self, id: AddressId) -> Option<&VerifiedAddress> {
        self.verified.addresses.iter().find(|address| address.id == id)
    }

    /// Finds an address that waits for its code.
    pub fn pending(&self, id: AddressId, now: Timestamp) -> Option<&PendingAddress> {
        self.pending.live(now).find(|address| address.id == id)
    }

    /// Adds an address and sends its first code.
    ///
    /// # Errors
    ///
    /// If the account has the address already, or a limit is reached.
    pub fn add(&self, new: NewAddress, now: Timestamp) -> Result<PendingAddresses, CodeRefused> {
        if self.verified.addresses.iter().any(|address| address.hash == new.hash) {
            return Err(CodeRefused::Verified);
        }
        let mut next = self.pending.next(now);
        if next.addresses.iter().any(|address| address.hash == new.hash) {
            return Err(CodeRefused::Pending);
        }
        if next.addresses.len() >= MOST_PENDING {
            return Err(CodeRefused::TooManyPending);
        }
        if self.verified.addresses.len().saturating_add(next.addresses.len()) >= MOST {
            return Err(CodeRefused::TooMany);
        }
        next.send(new.hash, now)?;
        let NewAddress { id, email, hash, attempt } = new;
        next.addresses.push(PendingAddress {
            id,
            email,
            hash,
            added_at: now,
            attempt,
            sent_at: now,
            tries: 0,
        });
        Ok(next)
    }

    /// Sends another code, which replaces the last one.
    ///
    /// # Errors
    ///
    /// If the address does not wait for a code, or a limit is reached.
    pub fn resend(
        &self,
        id: AddressId,
        attempt: AttemptId,
        now: Timestamp,
    ) -> Result<PendingAddresses, CodeRefused> {
        let mut next = self.pending.next(now);
        let Some(address) = next.addresses.iter_mut().find(|address| address.id == id) else {
            let is_verified = self.verified(id).is_some();
            return Err(if is_verified { CodeRefused::Verified } else { CodeRefused::Missing });
        };
        (address.attempt, address.sent_at, address.tries) = (attempt, now, 0);
        let hash = address.hash;
        next.send(hash, now)?;
        Ok(next)
    }

    /// Counts a try before the code is checked, so that parallel guesses cannot share a try. `None` if there is no such address.
    ///
    /// # Errors
    ///
    /// If the code expired or was tried too often.
    pub fn count_try(
        &self,
        id: AddressId,
        now: Timestamp,
    ) -> Option<Result<(PendingAddresses, AttemptId), WrongCode>> {
        let mut next = self.pending.next(now);
        let address = next.addresses.iter_mut().find(|address| address.id == id)?;
        if address.tries >= TRIES || now >= address.code_expires_at() {
            return Some(Err(WrongCode));
        }
        address.tries = address.tries.saturating_add(1);
        let attempt = address.attempt;
        Some(Ok((next, attempt)))
    }

    /// Verifies the address whose code was derived from `attempt`. `None` if another code was sent since, or the address is gone.
    pub fn verify(&self, id: AddressId, attempt: AttemptId, now: Timestamp) -> Option<Verification> {
        let mut pending = self.pending.next(now);
        let is_it = |address: &PendingAddress| address.id == id && address.attempt == attempt;
        let place = pending.addresses.iter().position(is_it)?;
        let PendingAddress { email, hash, added_at, .. } = pending.addresses.remove(place);
        let is_first_company = email.is_company() && !self.verified.had_company;
        let address = VerifiedAddress { id, email, hash, added_at, verified_at: now };
        let mut verified = self.verified.next();
        verified.addresses.push(address.clone());
        verified.had_company |= address.email.is_company();
        Some(Verification { address, verified, pending, is_first_company })
    }

    /// Makes a verified address the primary one. `None` if it is.
    ///
    /// # Errors
    ///
    /// If the account has no such verified address.
    pub fn set_primary(&self, id: AddressId, now: Timestamp) -> Result<Option<PrimaryChange>, ChangeRefused> {
        let missing = || match self.pending(id, now) {
            Some(_) => ChangeRefused::Unverified,
            None => ChangeRefused::Missing,
        };
        let chosen = self.verified(id).ok_or_else(missing)?;
        if self.is_primary(chosen) {
            return Ok(None);
        }
        let primary = self.verified.addresses.iter().find(|address| self.is_primary(address));
        let former = primary.map_or_else(|| first_address(self.user.id), |primary| primary.id);
        let mut pending = self.pending.next(now);
        pending.former.retain(|other| other.id != former);
        let email = self.user.primary_email.clone();
        pending.former.push(FormerPrimary { id: former, email, until: now });
        Ok(Some(PrimaryChange {
            before: self.user.clone(),
            after: User { primary_email: chosen.email.clone(), ..self.user.clone() },
            former,
            verified: self.verified.next(),
            pending,
        }))
    }

    /// Removes an address.
    ///
    /// # Errors
    ///
    /// If the account has no such address, or it is the primary one.
    pub fn remove(&self, id: AddressId, now: Timestamp) -> Result<AddressRemoval, ChangeRefused> {
        let mut pending = self.pending.next(now);
        if let Some(place) = pending.addresses.iter().position(|address| address.id == id) {
            pending.addresses.remove(place);
            return Ok(AddressRemoval { freed: None, verified: None, pending });
        }
        let address = self.verified(id).ok_or(ChangeRefused::Missing)?;
        if self.is_primary(address) {
            return Err(ChangeRefused::IsPrimary);
        }
        let mut verified = self.verified.next();
        verified.addresses.retain(|other| other.id != id);
        Ok(AddressRemoval { freed: Some(address.hash), verified: Some(verified), pending })
    }
}

impl VerifiedAddresses {
    /// The next version.
    fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
