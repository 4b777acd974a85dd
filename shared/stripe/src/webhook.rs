//! Signatures of webhooks ([verify manually]): HMAC-SHA256 over the time, a dot and the body, with the secret
//! of the endpoint. While a secret is rolled, Stripe signs with the old and the new one, and the platform
//! accepts each of its secrets.
//!
//! [verify manually]: https://docs.stripe.com/webhooks#verify-manually

use domain::{Timestamp, payment::StripeEvent, ports::PaymentError, secret::Secret};
use ring::hmac;

use crate::{
    call::Api,
    error::{ApiAnswer, refused},
    events::EventEnvelope,
};

/// The maximum age of a signature, and how far the clocks may differ, in seconds.
const TOLERANCE: u64 = 300;
/// The maximum number of signatures in a header: verifying each costs a hash of the body.
const MOST_SIGNATURES: usize = 10;

impl<F> Api<'_, F> {
    /// The event in a body. `None`: Stripe did not sign it, or not recently.
    pub fn verified_event(
        &self,
        body: &[u8],
        signature: &str,
        now: Timestamp,
    ) -> ApiAnswer<Option<StripeEvent>> {
        let secrets = &self.credentials.webhook_secrets;
        if secrets.is_empty() {
            return Err(PaymentError::NotConfigured.into());
        }
        let Some(header) = SignatureHeader::parse(signature) else {
            return Ok(None);
        };
        if !header.is_recent(now) || !header.signs(body, secrets) {
            return Ok(None);
        }
        let envelope = serde_json::from_slice::<EventEnvelope>(body).ok();
        envelope.and_then(EventEnvelope::event).map(Some).ok_or_else(|| refused("event"))
    }
}

/// The header `Stripe-Signature`: `t=1800000000,v1=…,v1=…`, in any order. Other schemes than `v1` are of no
/// use: `v0` is for tests.
struct SignatureHeader<'a> {
    /// Unix seconds, as they are signed.
    timestamp: &'a str,
    signatures: Vec<Vec<u8>>,
}

impl<'a> SignatureHeader<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (mut timestamp, mut signatures) = (None, Vec::new());
        for part in text.split(',') {
            match part.trim().split_once('=')? {
                ("t", value) if timestamp.is_none() => timestamp = Some(value),
                ("t", _) => return None,
                ("v1", _) if signatures.len() == MOST_SIGNATURES => return None,
                ("v1", value) => signatures.push(hex::decode(value).ok()?),
                _ => {}
            }
        }
        Some(Self { timestamp: timestamp?, signatures })
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        let is_number = self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let signed_at = self.timestamp.parse::<i64>().ok().filter(|_| is_number);
        signed_at.is_some_and(|signed_at| now.as_second().abs_diff(signed_at) <= TOLERANCE)
    }

    /// Whether one of the secrets made one of the signatures. The comparison takes the same time wherever
    /// they differ.
    fn signs(&self, body: &[u8], secrets: &[Secret]) -> bool {
        let signed = [self.timestamp.as_bytes(), b".", body].concat();
        secrets.iter().any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            self.signatures.iter().any(|signature| hmac::verify(&key, &signed, signature).is_ok())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Script, done, why};

    const AT: i64 = 1_800_000_000;
    /// The secrets of the scripted Stripe.
    const OLD: &str = "whsec_old";
    const NEW: &str = "whsec_new";
    /// The output of `printf '1800000000.{}' | openssl dgst -sha256 -hmac whsec_old`.
    const KNOWN: &str = "v1=0b0a7f96579d6583e5b4034d2c441a0f84ea523b979cc55c72831bd0cf188dcd";

    fn body() -> Vec<u8> {
        let object = json!({ "object": "payment_intent", "id": "pi_1" });
        let event = json!({
            "id": "evt_1", "type": "payment_intent.succeeded", "created": AT, "livemode": false,
            "data": { "object": object },
        });
        event.to_string().into_bytes()
    }

    fn v1(secret: &str, timestamp: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = [timestamp.as_bytes(), b".", body].concat();
        format!("v1={}", hex::encode(hmac::sign(&key, &signed)))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn accepts_at(header: &str, body: &[u8], now: i64) -> bool {
        done(Script::of([]).api().verified_event(body, header, at(now))).is_some()
    }

    fn accepts(header: &str) -> bool {
        accepts_at(header, &body(), AT)
    }

    fn signature(secret: &str) -> String {
        v1(secret, "1800000000", &body())
    }

    #[test]
    fn signature_is_as_computed_by_another_program() {
        assert_eq!(v1(OLD, "1800000000", b"{}"), KNOWN);
    }

    #[test]
    fn event_that_stripe_signed_is_read() {
        let header = format!("t=1800000000,{}", signature(OLD));
        let read = done(Script::of([]).api().verified_event(&body(), &header, at(AT))).unwrap();
        assert_eq!(read.id.as_str(), "evt_1");
        assert_eq!(read.r#type, "payment_intent.succeeded");
    }

    #[test]
    fn each_secret_and_each_signature_is_accepted() {
        let other = signature("whsec_other");
        for secret in [OLD, NEW] {
            let good = signature(secret);
            for header in [
                format!("t=1800000000,{good}"),
                format!("{good},t=1800000000"),
                format!("t=1800000000, {good}"),
                format!("t=1800000000,{other},{good}"),
                format!("t=1800000000,{good},{other}"),
                format!("t=1800000000,{good},v0={}", "a".repeat(64)),
                format!("scheme=x,t=1800000000,{good}"),
                format!("t=1800000000,{},{good}", [other.as_str(); MOST_SIGNATURES - 1].join(",")),
            ] {
                assert!(accepts(&header), "{header}");
            }
        }
    }

    #[test]
    fn wrong_or_incomplete_signature_is_refused() {
        let good = signature(OLD);
        let hex = good.strip_prefix("v1=").unwrap();
        for header in [
            String::new(),
            "t=1800000000".to_owned(),
            good.clone(),
            format!("t=,{good}"),
            "t=1800000000,v1=".to_owned(),
            format!("t=1800000000,{}", signature("whsec_other")),
            format!("t=1800000000,{}", signature("")),
            format!("t=1800000000,v0={hex}"),
            format!("t=1800000000,v1={}", &hex[..62]),
            format!("t=1800000000,v1={hex}00"),
            format!("t=1800000000,v1={}", hex.replace(|digit: char| digit.is_ascii_digit(), "x")),
            format!("t=1800000001,{good}"),
            format!("t=1800000000,t=1800000000,{good}"),
            format!("t=1800000000,{good},t=1"),
            format!("t=1800000000,{good},"),
            format!("t=1800000000 {good}"),
            format!("T=1800000000,{good}"),
            format!("t=1800000000,{},{good}", ["v1=00"; MOST_SIGNATURES].join(",")),
        ] {
            assert!(!accepts(&header), "{header}");
        }
        for timestamp in ["+1800000000", "-1800000000", "1800000000.0", "9999999999999999999"] {
            let header = format!("t={timestamp},{}", v1(OLD, timestamp, &body()));
            assert!(!accepts(&header), "{header}");
        }
    }

    #[test]
    fn signature_is_valid_for_five_minutes_both_ways() {
        let header = format!("t=1800000000,{}", signature(OLD));
        for (now, accepted) in
            [(AT - 301, false), (AT - 300, true), (AT, true), (AT + 300, true), (AT + 301, false), (0, false)]
        {
            assert_eq!(accepts_at(&header, &body(), now), accepted, "{now}");
        }
    }

    #[test]
    fn body_with_one_other_byte_is_refused() {
        let header = format!("t=1800000000,{}", signature(OLD));
        for index in 0..body().len() {
            let mut changed = body();
            changed[index] ^= 1;
            assert!(!accepts_at(&header, &changed, AT), "{index}");
        }
        assert!(!accepts_at(&header, &[&body()[..], b" "].concat(), AT));
        assert!(!accepts_at(&header, b"", AT));
    }

    #[test]
    fn signed_body_that_is_no_event_is_an_error() {
        for body in ["{}", "null", "no JSON"] {
            let header = format!("t=1800000000,{}", v1(OLD, "1800000000", body.as_bytes()));
            let error = why(Script::of([]).api().verified_event(body.as_bytes(), &header, at(AT)));
            assert_eq!(error, PaymentError::Refused("event".to_owned()));
        }
    }
}
