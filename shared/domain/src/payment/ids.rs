//! Ids of Stripe's objects ([object ids]). Only their prefix has a meaning.
//!
//! [object ids]: https://docs.stripe.com/api

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// The maximum length. Stripe's ids have up to 255 characters.
const MOST: usize = 255;

fn is_id(text: &str, prefix: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    !rest.is_empty() && text.len() <= MOST && rest.bytes().all(is_allowed)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $id:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $id(String);

        impl $id {
            /// Reads an id. `None`: the text is the id of another kind of object, or of none.
            pub fn parse(text: &str) -> Option<Self> {
                is_id(text, $prefix).then(|| Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("no id ", $prefix, "…")))
            }
        }
    )*};
}

ids! {
    /// A customer.
    CustomerId "cus_";
    /// A payment intent: one payment, with its attempts.
    PaymentIntentId "pi_";
    /// A Checkout session.
    CheckoutId "cs_";
    /// A saved payment method.
    PaymentMethodId "pm_";
    /// A subscription.
    SubscriptionId "sub_";
    /// An invoice.
    InvoiceId "in_";
    /// An event.
    StripeEventId "evt_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_with_another_prefix_or_character_is_refused() {
        for text in ["pi_3Nq", "pi_3Nq_secret", "pi_1"] {
            assert_eq!(PaymentIntentId::parse(text).unwrap().as_str(), text);
        }
        let long = format!("pi_{}", "a".repeat(253));
        for text in ["", "pi_", "cus_1", "pi-1", "PI_1", "pi_1/../x", "pi_1 ", "pi_é", "pi_1?x", &long] {
            assert_eq!(PaymentIntentId::parse(text), None, "{text}");
        }
    }
}
