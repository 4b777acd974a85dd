//! `Idempotency-Key`: a request that is retried after a lost answer is not carried out again.
//!
//! The idempotency record is written in the transaction of the change, so neither exists without the other. It names the result,
//! not the answer: the handler makes the answer again from the result, so the record holds nothing secret. (The [draft] leaves
//! the storage open and asks for 422 when a key is used for another request.)
//!
//! [draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

use bytes::Bytes;
use domain::{
    Timestamp,
    ports::{IdempotencyRecord, IdempotencyRecords, Outcome},
    secret::{Digest256, MacKey},
};
use http::HeaderMap;
use jiff::SignedDuration;

use crate::{
    problem::{Code, Problem},
    stop::Stop,
};

/// The header with the key.
pub(crate) const HEADER: &str = "idempotency-key";

/// How long a record is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const LONGEST: usize = 255;

/// Whether the request was carried out before.
pub(crate) enum Once {
    /// The request carries no key.
    Unkeyed,
    /// Its key is new.
    First { scope: Digest256, fingerprint: Digest256 },
    /// It was carried out before, with this result.
    Again { reference: String },
}

impl Once {
    /// Whether the key is new.
    pub(crate) const fn is_first(&self) -> bool {
        matches!(self, Self::First { .. })
    }

    pub(crate) fn receipt(&self, reference: &str, now: Timestamp) -> Option<IdempotencyRecord> {
        match self {
            Self::First { scope, fingerprint } => Some(IdempotencyRecord {
                scope: *scope,
                fingerprint: *fingerprint,
                reference: reference.to_owned(),
                made_at: now,
                expires_at: now.saturating_add(KEPT).unwrap_or(Timestamp::MAX),
            }),
            Self::Unkeyed | Self::Again { .. } => None,
        }
    }
}

/// The `Idempotency-Key` of a request.
pub(crate) struct Key {
    scope: Digest256,
    fingerprint: Digest256,
}

impl Key {
    /// Reads the header. `caller` and `operation` scope the key: the same text in another scope is another key. Anonymous
    /// callers have no name (`None`): the request itself scopes their keys, so that no two clients share one.
    pub(crate) fn read(
        headers: &HeaderMap,
        caller: Option<&str>,
        operation: &str,
        query: &str,
        body: &Bytes,
    ) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let text = value.to_str().unwrap_or_default();
        let readable =
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !readable {
            return Err(Problem::new(
                Code::BadRequest,
                "An Idempotency-Key must have 1 to 255 printable ASCII characters.",
            ));
        }
        // Keyed by the client's own key, which is not stored: a body may hold a password, whose plain hash could be guessed.
        let key = MacKey::of(text);
        let fingerprint = key.derive("request", &[query.as_bytes(), body]);
        let caller = caller.map_or(&fingerprint[..], str::as_bytes);
        let scope = Digest256::from_bytes(key.derive("scope", &[caller, operation.as_bytes()]));
        let fingerprint = Digest256::from_bytes(fingerprint);
        Ok(Some(Self { scope, fingerprint }))
    }

    /// Looks the key up.
    pub(crate) async fn look_up(
        &self,
        receipts: &dyn IdempotencyRecords,
        now: Timestamp,
    ) -> Result<Once, Stop> {
        let found: Outcome<Option<IdempotencyRecord>> = receipts.find(self.scope).await;
        match found?.filter(|receipt| now < receipt.expires_at) {
            None => Ok(Once::First { scope: self.scope, fingerprint: self.fingerprint }),
            Some(receipt) if receipt.fingerprint.matches(self.fingerprint) => {
                Ok(Once::Again { reference: receipt.reference })
            }
            Some(_) => {
                let sentence = "This Idempotency-Key was used for another request.";
                Err(Problem::new(Code::IdempotencyKeyReused, sentence).into())
            }
        }
    }
}
