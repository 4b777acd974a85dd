//! Subscriptions (<https://docs.stripe.com/api/subscriptions>).

pub(crate) mod behavior;
pub(crate) mod cancel;
pub(crate) mod change;
pub(crate) mod items;
pub(crate) mod member;
pub(crate) mod object;
pub(crate) mod period;
pub(crate) mod settle;
pub(crate) mod start;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod update;

use serde_json::Value;

pub(crate) use self::{cancel::cancel_now, start::start_from_checkout};
use self::{cancel::is_over, member::text};
use crate::{
    api_error::ApiError,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    routes::{Route, path_id, route},
    work::Work,
};

/// The operations on subscriptions.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/subscriptions", start::create),
    route("GET", "/v1/subscriptions", list),
    route("GET", "/v1/subscriptions/{id}", retrieve),
    route("POST", "/v1/subscriptions/{id}", update::update),
    route("DELETE", "/v1/subscriptions/{id}", cancel::cancel),
];

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("subscription", path_id(ids, 0)).cloned()
}

/// Lists subscriptions. Without a status, those that are over are left out.
fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["customer", "status", "price"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let allowed = [
        "active",
        "all",
        "canceled",
        "ended",
        "incomplete",
        "incomplete_expired",
        "past_due",
        "paused",
        "trialing",
        "unpaid",
    ];
    let status = params.choice("status", &allowed)?;
    let mut subscriptions = work.all("subscription");
    subscriptions.retain(|subscription| {
        let has_status = match status {
            None => text(subscription, "/status") != "canceled",
            Some("all") => true,
            Some("ended") => is_over(subscription),
            Some(status) => text(subscription, "/status") == status,
        };
        let has_price = params.text("price").is_none_or(|price| {
            let items = member::elements(subscription, "/items/data");
            items.iter().any(|item| text(item, "/price/id") == price)
        });
        has_status && has_price && matches(params, subscription, "customer")
    });
    list_answer(params, subscriptions, "/v1/subscriptions")
}
