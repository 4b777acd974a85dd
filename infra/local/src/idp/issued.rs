//! Random keys, such as codes and access tokens, with the values that they stand for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Timestamp, entropy};
use jiff::SignedDuration;
use lambda::OsEntropy;

/// A random key, in letters that need no escaping.
pub fn random_key() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(entropy::bytes::<32>(&OsEntropy))
}

/// Issued keys with their values, in memory, until they expire.
pub struct Issued<T> {
    prefix: &'static str,
    life: SignedDuration,
    held: Mutex<HashMap<String, (Timestamp, T)>>,
}

impl<T: Clone> Issued<T> {
    /// No keys yet. They will begin with `prefix` and live for `life`.
    pub fn new(prefix: &'static str, life: SignedDuration) -> Self {
        Self { prefix, life, held: Mutex::default() }
    }

    /// Issues a key for a value, and forgets the expired ones.
    pub fn issue(&self, value: T, now: Timestamp) -> String {
        let key = format!("{}{}", self.prefix, random_key());
        let until = now.saturating_add(self.life).unwrap_or(Timestamp::MAX);
        let mut held = self.locked();
        held.retain(|_, (until, _)| *until > now);
        held.insert(key.clone(), (until, value));
        key
    }

    /// The value of a key, which ends with this call.
    pub fn take(&self, key: &str, now: Timestamp) -> Option<T> {
        let (until, value) = self.locked().remove(key)?;
        (until > now).then_some(value)
    }

    /// The value of a key, which stays valid.
    pub fn read(&self, key: &str, now: Timestamp) -> Option<T> {
        let held = self.locked();
        let (until, value) = held.get(key)?;
        (*until > now).then(|| value.clone())
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, T)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn key_is_taken_once_and_read_repeatedly() {
        let issued = Issued::new("k-", SignedDuration::from_secs(60));
        let key = issued.issue(7, at(0));
        assert!(key.starts_with("k-"));
        assert_eq!((issued.read(&key, at(1)), issued.read(&key, at(1))), (Some(7), Some(7)));
        assert_eq!((issued.take(&key, at(1)), issued.take(&key, at(1))), (Some(7), None));
        assert_eq!(issued.take("k-unknown", at(1)), None);
    }

    #[test]
    fn key_expires_at_the_end_of_its_life() {
        let issued = Issued::new("", SignedDuration::from_secs(60));
        let (first, second) = (issued.issue(1, at(0)), issued.issue(2, at(0)));
        assert_eq!(issued.read(&first, at(59)), Some(1));
        assert_eq!((issued.read(&first, at(60)), issued.take(&second, at(60))), (None, None));
        issued.issue(3, at(60));
        assert_eq!(issued.locked().len(), 1, "expired keys are forgotten");
    }
}
