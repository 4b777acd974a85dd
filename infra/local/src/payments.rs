//! The stand-in for Stripe, under `/_local/stripe`. One account serves all regions: each has a webhook endpoint with a secret of its own.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use domain::region::Region;
use futures::FutureExt as _;
use kit::Clock;
use lambda::HttpClient;
use stripe_stand_in::{Deliver, StripeOptions, StripeStandIn, StripeStartError, WebhookEndpoint};

/// The platform's key at the stand-in.
const SECRET_KEY: &str = "sk_test_local";

/// What a region's secret contains.
pub fn credentials(region: Region, entry: &str) -> serde_json::Value {
    serde_json::json!({
        "secretKey": SECRET_KEY,
        "webhookSecrets": [webhook_secret(region)],
        "apiUrl": base(entry),
        "proMonthlyPrice": "price_pro_monthly",
        "proYearlyPrice": "price_pro_yearly",
    })
}

fn base(entry: &str) -> String {
    format!("{entry}/_local/stripe")
}

fn webhook_secret(region: Region) -> String {
    format!("whsec_local_{region}")
}

/// Starts the stand-in, with its state in the data folder.
pub fn start(
    entry: &str,
    endpoints: &BTreeMap<Region, String>,
    data: &Path,
    http: &HttpClient,
    clock: Arc<impl Clock + 'static>,
) -> Result<StripeStandIn, StripeStartError> {
    let endpoint = |(region, url): (&Region, &String)| WebhookEndpoint {
        url: format!("{url}/api/webhooks/stripe"),
        secret: webhook_secret(*region),
    };
    let http = http.clone();
    let deliver: Deliver = Arc::new(move |request| {
        let http = http.clone();
        async move {
            let answer = http.send(request).await;
            answer.map(|answer| answer.status().as_u16()).map_err(|error| error.message)
        }
        .boxed()
    });
    StripeStandIn::start(StripeOptions {
        base: base(entry),
        secret_key: SECRET_KEY.to_owned(),
        file: Some(data.join("stripe.jsonl")),
        now: Arc::new(move || clock.now()),
        endpoints: endpoints.iter().map(endpoint).collect(),
        deliver,
    })
}
