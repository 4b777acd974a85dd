//! Checkout sessions (<https://docs.stripe.com/api/checkout/sessions>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    checkout_session::{self, details_id},
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    routes::{Route, path_id, route},
    setup_intents,
    subscriptions::member::{elements, integer, set, text, update_metadata},
    work::Work,
};

/// The kind of sessions.
pub(crate) const KIND: &str = "checkout.session";

/// The operations on Checkout sessions.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/checkout/sessions", create),
    route("GET", "/v1/checkout/sessions", list),
    route("GET", "/v1/checkout/sessions/{id}", retrieve),
    route("POST", "/v1/checkout/sessions/{id}", update),
    route("POST", "/v1/checkout/sessions/{id}/expire", expire),
    route("GET", "/v1/checkout/sessions/{id}/line_items", line_items),
];

fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    let (session, details) = checkout_session::create(work, params)?;
    work.put(details);
    work.put(session.clone());
    Ok(session)
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get(KIND, path_id(ids, 0)).cloned()
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["metadata"])?;
    let mut session = work.get(KIND, path_id(ids, 0))?.clone();
    update_metadata(&mut session, params)?;
    work.put(session.clone());
    Ok(session)
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    let filters = ["customer", "payment_intent", "subscription", "status"];
    params.only(&[filters.as_slice(), LIST_PARAMS.as_slice()].concat())?;
    params.choice("status", &["complete", "expired", "open"])?;
    let mut sessions = work.all(KIND);
    sessions.retain(|session| filters.iter().all(|filter| matches(params, session, filter)));
    list_answer(params, sessions, "/v1/checkout/sessions")
}

fn line_items(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&LIST_PARAMS)?;
    let id = path_id(ids, 0);
    work.get(KIND, id)?;
    let url = format!("/v1/checkout/sessions/{id}/line_items");
    list_answer(params, lines_of(work, id).iter().collect(), &url)
}

/// The line items of a session, in the order of its creation.
pub(crate) fn lines_of<'a>(work: &'a Work<'_>, session: &str) -> &'a [Value] {
    details(work, session).map(|details| elements(details, "/line_items")).unwrap_or_default()
}

/// The member `line_items` of a session that asks to expand it.
pub(crate) fn lines_list(work: &Work<'_>, session: &str) -> Value {
    let lines = lines_of(work, session);
    let url = format!("/v1/checkout/sessions/{session}/line_items");
    json!({ "object": "list", "data": lines, "has_more": false, "url": url })
}

/// The private details of a session.
pub(crate) fn details<'a>(work: &'a Work<'_>, session: &str) -> Option<&'a Value> {
    work.find(checkout_session::DETAILS_KIND, &details_id(session))
}

fn expire(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let session = work.get(KIND, path_id(ids, 0))?.clone();
    match text(&session, "/status") {
        "open" => Ok(end(work, session)),
        status => {
            let message =
                format!("Only an open Checkout session can be expired. The status of this one is {status}.");
            Err(ApiError::invalid("session", message))
        }
    }
}

/// Expires the open sessions whose time is over.
pub(crate) fn tick(work: &mut Work<'_>) {
    let is_due =
        |session: &&Value| text(session, "/status") == "open" && integer(session, "/expires_at") <= work.now;
    let mut due: Vec<Value> = work.all(KIND).into_iter().filter(is_due).cloned().collect();
    due.sort_by_key(|session| integer(session, "/expires_at"));
    let now = work.now;
    for session in due {
        work.now = integer(&session, "/expires_at");
        end(work, session);
    }
    work.now = now;
}

fn end(work: &mut Work<'_>, mut session: Value) -> Value {
    set(&mut session, "status", "expired");
    set(&mut session, "url", Value::Null);
    work.put(session.clone());
    setup_intents::abandon(work, text(&session, "/setup_intent"));
    work.emit("checkout.session.expired", session.clone(), None);
    session
}

/// Stores a completed session.
pub(crate) fn complete(work: &mut Work<'_>, mut session: Value, payment_status: &str) -> Value {
    set(&mut session, "status", "complete");
    set(&mut session, "payment_status", payment_status);
    set(&mut session, "url", Value::Null);
    work.put(session.clone());
    work.emit("checkout.session.completed", session.clone(), None);
    session
}

/// Tells the session of a payment intent that its delayed payment has ended.
pub(crate) fn settled(work: &mut Work<'_>, payment_intent: &str, succeeds: bool) {
    let sessions = work.all(KIND);
    let session = sessions.into_iter().find(|session| text(session, "/payment_intent") == payment_intent);
    let Some(mut session) = session.cloned() else { return };
    if succeeds {
        set(&mut session, "payment_status", "paid");
        work.put(session.clone());
        work.emit("checkout.session.async_payment_succeeded", session, None);
    } else {
        work.emit("checkout.session.async_payment_failed", session, None);
    }
}

#[cfg(test)]
mod tests;
