//! The platform's credentials at Stripe, and where Stripe is.

use std::sync::Arc;

use domain::{payment::BillingCycle, secret::Secret};
use providers::safe;
use serde::Deserialize;

/// The maximum number of webhook secrets: of two endpoints, each with an old and a new one, and one more.
const MOST_WEBHOOK_SECRETS: usize = 5;
/// The prefixes of keys of live mode ([keys]).
///
/// [keys]: https://docs.stripe.com/keys
const LIVE: [&str; 2] = ["sk_live_", "rk_live_"];
/// The prefix of webhook secrets. An empty secret would accept signatures that anybody can make.
const WEBHOOK_SECRET: &str = "whsec_";
/// The prefix of ids of prices.
const PRICE: &str = "price_";
/// The address of Stripe's API.
const STRIPE: &str = "https://api.stripe.com";

/// What the secret says. `{}`: the deployment takes no payments.
#[derive(Deserialize)]
#[serde(try_from = "Document")]
pub struct StripeConfig(Option<Arc<StripeCredentials>>);

impl StripeConfig {
    /// The credentials. `None`: there are none.
    pub fn credentials(&self) -> Option<Arc<StripeCredentials>> {
        self.0.clone()
    }
}

/// Credentials that are complete.
pub struct StripeCredentials {
    /// The key of the API.
    pub secret_key: Secret,
    /// The keys of signatures of webhooks, at most five. None: webhooks can't be verified.
    pub webhook_secrets: Vec<Secret>,
    /// The prices of the plan Pro. `None`: nobody can subscribe.
    pub prices: Option<ProPrices>,
    /// The address of the API, without a slash at its end: HTTPS, or this machine.
    pub api_url: String,
}

impl StripeCredentials {
    /// Whether the key is of live mode, with real money.
    pub fn is_live(&self) -> bool {
        LIVE.into_iter().any(|prefix| self.secret_key.expose().starts_with(prefix))
    }
}

/// The ids of the prices of the plan Pro, per seat ([object](https://docs.stripe.com/api/prices)).
pub struct ProPrices {
    monthly: String,
    yearly: String,
}

impl ProPrices {
    fn read(monthly: Option<String>, yearly: Option<String>) -> Result<Option<Self>, &'static str> {
        match (monthly, yearly) {
            (None, None) => Ok(None),
            (Some(monthly), Some(yearly)) if is_price(&monthly) && is_price(&yearly) && monthly != yearly => {
                Ok(Some(Self { monthly, yearly }))
            }
            _ => Err("proMonthlyPrice and proYearlyPrice must be two different ids that begin with price_"),
        }
    }

    /// The id of the price with this billing cycle.
    pub fn of(&self, cycle: BillingCycle) -> &str {
        match cycle {
            BillingCycle::Monthly => &self.monthly,
            BillingCycle::Yearly => &self.yearly,
        }
    }

    /// How often a price is paid. `None`: it is another one.
    pub fn cycle(&self, price: &str) -> Option<BillingCycle> {
        [BillingCycle::Monthly, BillingCycle::Yearly].into_iter().find(|cycle| self.of(*cycle) == price)
    }
}

fn is_price(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.strip_prefix(PRICE).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_allowed))
}

/// The document in the secret.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    secret_key: Option<String>,
    webhook_secrets: Vec<String>,
    pro_monthly_price: Option<String>,
    pro_yearly_price: Option<String>,
    api_url: Option<String>,
}

impl TryFrom<Document> for StripeConfig {
    type Error = &'static str;

    fn try_from(document: Document) -> Result<Self, Self::Error> {
        let Some(key) = document.secret_key else {
            return Ok(Self(None));
        };
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("secretKey has characters that a key doesn't have");
        }
        let is_secret =
            |text: &String| text.strip_prefix(WEBHOOK_SECRET).is_some_and(|rest| !rest.is_empty());
        if document.webhook_secrets.len() > MOST_WEBHOOK_SECRETS
            || !document.webhook_secrets.iter().all(is_secret)
        {
            return Err("webhookSecrets must be at most five texts that begin with whsec_");
        }
        let url = document.api_url.as_deref().unwrap_or(STRIPE);
        let url = safe(url).ok().filter(|url| !url.contains(['?', '#']));
        Ok(Self(Some(Arc::new(StripeCredentials {
            secret_key: Secret::new(key),
            webhook_secrets: document.webhook_secrets.into_iter().map(Secret::new).collect(),
            prices: ProPrices::read(document.pro_monthly_price, document.pro_yearly_price)?,
            api_url: url.ok_or("apiUrl must be HTTPS or this machine")?.trim_end_matches('/').to_owned(),
        }))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(document: Value) -> Option<StripeConfig> {
        serde_json::from_value(document).ok()
    }

    fn credentials(document: Value) -> Arc<StripeCredentials> {
        read(document).unwrap().credentials().unwrap()
    }

    #[test]
    fn document_without_key_is_not_configured() {
        for document in
            [json!({}), json!({ "secretKey": null }), json!({ "apiUrl": "https://stripe.example" })]
        {
            assert!(read(document.clone()).unwrap().credentials().is_none(), "{document}");
        }
    }

    #[test]
    fn members_have_their_defaults() {
        let read = credentials(json!({ "secretKey": "sk_test_1", "unknown": 1 }));
        assert_eq!(read.api_url, "https://api.stripe.com");
        assert!(read.webhook_secrets.is_empty());
        assert!(read.prices.is_none());
        let read = credentials(json!({
            "secretKey": "sk_test_1",
            "webhookSecrets": ["whsec_1", "whsec_2"],
            "apiUrl": "http://127.0.0.1:4000/x/",
        }));
        assert_eq!(read.api_url, "http://127.0.0.1:4000/x");
        assert_eq!(read.webhook_secrets.len(), 2);
    }

    #[test]
    fn live_mode_is_in_the_prefix_of_the_key() {
        for (key, is_live) in [
            ("sk_live_1", true),
            ("rk_live_1", true),
            ("sk_test_1", false),
            ("rk_test_1", false),
            ("pk_live_1", false),
            ("sk_test_sk_live_1", false),
        ] {
            assert_eq!(credentials(json!({ "secretKey": key })).is_live(), is_live, "{key}");
        }
    }

    #[test]
    fn prices_have_their_billing_cycles() {
        let read = credentials(json!({
            "secretKey": "sk_test_1", "proMonthlyPrice": "price_1", "proYearlyPrice": "price_2",
        }));
        let prices = read.prices.as_ref().unwrap();
        for (cycle, price) in [(BillingCycle::Monthly, "price_1"), (BillingCycle::Yearly, "price_2")] {
            assert_eq!(prices.of(cycle), price);
            assert_eq!(prices.cycle(price), Some(cycle));
        }
        assert_eq!(prices.cycle("price_3"), None);
    }

    #[test]
    fn one_price_or_another_id_is_refused() {
        for (monthly, yearly) in [
            (json!("price_1"), json!(null)),
            (json!(null), json!("price_2")),
            (json!("price_1"), json!("price_1")),
            (json!(""), json!("")),
            (json!("price_1"), json!("price_")),
            (json!("prod_1"), json!("price_2")),
            (json!("price_1"), json!("price_2&x=1")),
        ] {
            let document = json!({
                "secretKey": "sk_test_1", "proMonthlyPrice": monthly, "proYearlyPrice": yearly,
            });
            assert!(read(document.clone()).is_none(), "{document}");
        }
    }

    #[test]
    fn unsafe_document_is_refused() {
        for (member, value) in [
            ("secretKey", json!("")),
            ("secretKey", json!("sk_test_1\n")),
            ("secretKey", json!("sk test")),
            ("secretKey", json!(1)),
            ("webhookSecrets", json!([""])),
            ("webhookSecrets", json!(["whsec_"])),
            ("webhookSecrets", json!(["whsec_1", "sk_test_1"])),
            ("webhookSecrets", json!(["whsec_1", "whsec_2", "whsec_3", "whsec_4", "whsec_5", "whsec_6"])),
            ("webhookSecrets", json!("whsec_1")),
            ("apiUrl", json!("http://stripe.example")),
            ("apiUrl", json!("https://somebody@stripe.example")),
            ("apiUrl", json!("https://stripe.example/?to=")),
            ("apiUrl", json!("")),
        ] {
            let mut document = json!({ "secretKey": "sk_test_1" });
            document[member] = value;
            assert!(read(document.clone()).is_none(), "{document}");
        }
    }
}
