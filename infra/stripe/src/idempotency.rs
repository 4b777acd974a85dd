//! Idempotency keys (<https://docs.stripe.com/api/idempotent_requests>): the first answer of a key is kept
//! for 24 hours.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{api_error::ApiError, params::Params};

/// How long an answer is kept, in seconds.
const LIFE: i64 = 24 * 60 * 60;

/// The longest key, in characters.
const KEY_LIMIT: usize = 255;

/// A kept answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IdempotencyRecord {
    /// The key.
    pub key: String,
    /// A hash of the operation and its parameters.
    pub fingerprint: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// The id of the first request.
    pub request_id: String,
    /// When the answer was made, in Unix seconds.
    pub created: i64,
}

/// The kept answers, and the keys whose first request still runs.
#[derive(Default)]
pub(crate) struct IdempotencyRecords {
    records: BTreeMap<String, IdempotencyRecord>,
    running: BTreeSet<String>,
}

impl IdempotencyRecords {
    /// Begins a request with a key. Returns the kept answer, if the key has one. Otherwise the key counts as
    /// running until [`Self::end`].
    ///
    /// # Errors
    ///
    /// 400, if the key is too long or had other parameters; 409, if its first request still runs.
    pub fn begin(
        &mut self,
        key: &str,
        fingerprint: &str,
        now: i64,
    ) -> Result<Option<IdempotencyRecord>, ApiError> {
        if key.chars().count() > KEY_LIMIT {
            let message = "Use an idempotency key of at most 255 characters.";
            return Err(ApiError::idempotency(400, None, message));
        }
        if self.running.contains(key) {
            let message = "Another request with this idempotency key still runs. Repeat the request later.";
            return Err(ApiError::idempotency(409, Some("idempotency_key_in_use"), message));
        }
        match self.records.get(key).filter(|record| is_alive(record, now)) {
            Some(record) if record.fingerprint == fingerprint => Ok(Some(record.clone())),
            Some(_) => {
                let message = format!(
                    "The idempotency key '{key}' was first used with another operation or other parameters. \
                     Repeat the first request, or use another key."
                );
                Err(ApiError::idempotency(400, None, message))
            }
            None => {
                self.running.insert(key.to_owned());
                Ok(None)
            }
        }
    }

    /// Ends the first request of a key.
    pub fn end(&mut self, key: &str) {
        self.running.remove(key);
    }

    /// Keeps an answer.
    pub fn keep(&mut self, record: IdempotencyRecord) {
        let now = record.created;
        self.records.insert(record.key.clone(), record);
        // Now and then is enough: expired answers are not returned.
        if self.records.len().is_multiple_of(256) {
            self.records.retain(|_, record| is_alive(record, now));
        }
    }

    /// All kept answers.
    pub fn all(&self) -> impl Iterator<Item = &IdempotencyRecord> {
        self.records.values()
    }
}

fn is_alive(record: &IdempotencyRecord, now: i64) -> bool {
    now.saturating_sub(record.created) < LIFE
}

/// The hash of an operation and its parameters. The order of parameters does not count.
pub(crate) fn fingerprint(method: &str, path: &str, params: &Params) -> String {
    hex::encode(Sha256::digest(format!("{method} {path}\n{}", params.0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(created: i64) -> IdempotencyRecord {
        let body = json!({ "id": "cus_1" });
        let (key, fingerprint, request_id) = ("k".to_owned(), "f".to_owned(), "req_1".to_owned());
        IdempotencyRecord { key, fingerprint, status: 200, body, request_id, created }
    }

    #[test]
    fn same_request_gets_the_kept_answer_for_a_day() {
        let mut records = IdempotencyRecords::default();
        assert!(records.begin("k", "f", 0).unwrap().is_none());
        records.keep(record(0));
        records.end("k");
        assert_eq!(records.begin("k", "f", LIFE - 1).unwrap().unwrap().body["id"], "cus_1");
        assert!(records.begin("k", "f", LIFE).unwrap().is_none());
    }

    #[test]
    fn other_parameters_are_refused() {
        let mut records = IdempotencyRecords::default();
        records.keep(record(0));
        let error = records.begin("k", "g", 1).unwrap_err();
        assert_eq!((error.status, error.r#type), (400, "idempotency_error"));
    }

    #[test]
    fn running_key_is_refused_until_its_request_ends() {
        let mut records = IdempotencyRecords::default();
        assert!(records.begin("k", "f", 0).unwrap().is_none());
        let error = records.begin("k", "f", 0).unwrap_err();
        assert_eq!((error.status, error.code), (409, Some("idempotency_key_in_use")));
        records.end("k");
        assert!(records.begin("k", "f", 0).unwrap().is_none());
    }

    #[test]
    fn key_longer_than_the_limit_is_refused() {
        let mut records = IdempotencyRecords::default();
        assert!(records.begin(&"ä".repeat(255), "f", 0).is_ok());
        assert_eq!(records.begin(&"k".repeat(256), "f", 0).unwrap_err().status, 400);
    }

    #[test]
    fn fingerprint_ignores_the_order_of_parameters() {
        let of = |text| fingerprint("POST", "/v1/customers", &Params::parse(text).unwrap());
        assert_eq!(of("name=a&email=b"), of("email=b&name=a"));
        assert_ne!(of("name=a"), of("name=b"));
        assert_ne!(of("name=a"), fingerprint("POST", "/v1/prices", &Params::parse("name=a").unwrap()));
    }
}
