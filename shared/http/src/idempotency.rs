//! `Idempotency-Key`: a request that is sent again after a lost answer is not carried out again.
//!
//! The receipt is written in the transaction of the change itself, so there is no moment at which one exists without the
//! other. It names what was made, not the answer: the handler makes the answer again from that, so that a receipt holds
//! nothing secret. (The [draft] leaves the storage open and asks for 422 when a key is used for another request.)
//!
//! [draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

use bytes::Bytes;
use domain::{
    Timestamp,
    ports::{Outcome, Receipt, Receipts},
    secret::{Digest256, MacKey},
};
use http::HeaderMap;
use jiff::SignedDuration;

use crate::problem::{Code, Problem};

/// How long a key is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const LONGEST: usize = 255;

/// Whether this request was carried out before.
pub(crate) enum Once {
    /// It carries no key.
    Unkeyed,
    /// It carries a key that was not used yet.
    First { scope: Digest256, fingerprint: Digest256 },
    /// It was carried out before, and made this.
    Again { reference: String },
}

impl Once {
    pub(crate) fn receipt(&self, reference: &str, now: Timestamp) -> Option<Receipt> {
        match self {
            Self::First { scope, fingerprint } => Some(Receipt {
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

/// A request's key, and what it is the key of.
pub(crate) struct Key {
    scope: Digest256,
    fingerprint: Digest256,
}

impl Key {
    /// Reads the header. `caller` and `operation` bound the key: the same text elsewhere is another key. Strangers have no
    /// name (`None`) that could bound it; theirs is bound by the request, so that nobody's key is in another's way.
    pub(crate) fn read(
        headers: &HeaderMap,
        caller: Option<&str>,
        operation: &str,
        query: &str,
        body: &Bytes,
    ) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
        let text = value.to_str().unwrap_or_default();
        let readable =
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !readable {
            return Err(Problem::new(
                Code::BadRequest,
                "An Idempotency-Key has 1 to 255 printable ASCII characters.",
            ));
        }
        // Keyed by the client's own key, which is not stored: a body may hold a password, and a plain hash of it would
        // be a weak one.
        let key = MacKey::of(text);
        let fingerprint = key.derive("request", &[query.as_bytes(), body]);
        let caller = caller.map_or(&fingerprint[..], str::as_bytes);
        let scope = Digest256::from_bytes(key.derive("scope", &[caller, operation.as_bytes()]));
        let fingerprint = Digest256::from_bytes(fingerprint);
        Ok(Some(Self { scope, fingerprint }))
    }

    /// Looks the key up.
    pub(crate) async fn look_up(&self, receipts: &dyn Receipts, now: Timestamp) -> Result<Once, Problem> {
        let found: Outcome<Option<Receipt>> = receipts.find(self.scope).await;
        match found?.filter(|receipt| now < receipt.expires_at) {
            None => Ok(Once::First { scope: self.scope, fingerprint: self.fingerprint }),
            Some(receipt) if receipt.fingerprint.matches(self.fingerprint) => {
                Ok(Once::Again { reference: receipt.reference })
            }
            Some(_) => Err(Problem::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used for another request.",
            )),
        }
    }
}
