//! Events (<https://docs.stripe.com/api/events>). They are kept for 30 days.

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    deliveries::{Delivery, DeliveryPlan},
    lists::{LIST_PARAMS, list_answer},
    params::Params,
    routes::{Route, path_id, route},
    subscriptions::member::{integer, set, text},
    work::Work,
};

/// The version of the API whose shapes the objects have.
pub(crate) const API_VERSION: &str = "2026-10-28.endive";

/// The operations on events.
pub(crate) const ROUTES: &[Route] =
    &[route("GET", "/v1/events", list), route("GET", "/v1/events/{id}", retrieve)];

/// How long an event is kept, in seconds.
const LIFE: i64 = 30 * 24 * 60 * 60;

/// Makes an event about an object as it is now, and queues it for the webhook endpoints.
pub(crate) fn emit(work: &mut Work<'_>, event_type: &str, object: Value, previous: Option<Value>) {
    let id = work.new_id("evt");
    let request = work.state.request.as_ref();
    let request = json!({
        "id": request.map(|request| request.id.as_str()),
        "idempotency_key": request.and_then(|request| request.idempotency_key.as_deref()),
    });
    let mut data = json!({ "object": object });
    if let Some(previous) = previous {
        set(&mut data, "previous_attributes", previous);
    }
    let endpoints = work.state.endpoints.len();
    let event = json!({
        "id": id, "object": "event", "api_version": API_VERSION, "created": work.now, "data": data,
        "livemode": false, "pending_webhooks": endpoints, "request": request, "type": event_type,
    });
    work.put(event);
    for url in work.state.endpoints.clone() {
        queue(work, &id, &url);
    }
}

/// Queues an event for an endpoint, as the settings decide: once, twice or never, in order or late.
fn queue(work: &mut Work<'_>, event: &str, url: &str) {
    let mut settings = work.state.settings().clone();
    let plan = if settings.is_reliable() {
        DeliveryPlan { times: 1, late: false }
    } else {
        let plan = settings.plan();
        work.state.set_settings(settings);
        plan
    };
    for _ in 0..plan.times {
        let number = work.state.deliveries().next_number();
        let (event, url, now) = (event.to_owned(), url.to_owned(), work.now);
        work.state.queue(Delivery {
            number,
            event,
            url,
            attempts: 0,
            queued: now,
            due: now,
            late: plan.late,
        });
    }
}

/// Removes the events that are too old.
pub(crate) fn prune(work: &mut Work<'_>) {
    loop {
        let oldest = work.state.oldest("event");
        let is_old = |event: &&Value| integer(event, "/created").saturating_add(LIFE) < work.now;
        let Some(id) = oldest.filter(is_old).map(|event| text(event, "/id").to_owned()) else { return };
        work.remove(&id);
    }
}

/// An event as an answer has it: with the number of endpoints that did not get it yet.
pub(crate) fn shown(work: &Work<'_>, event: &Value) -> Value {
    let id = text(event, "/id");
    let pending = work.state.deliveries().all().filter(|delivery| delivery.event == id).count();
    let mut event = event.clone();
    set(&mut event, "pending_webhooks", pending);
    event
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let event = work.get("event", path_id(ids, 0))?;
    Ok(shown(work, event))
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["type", "types"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let one = params.text("type");
    let types = params.list("types");
    if one.is_some() && !types.is_empty() {
        return Err(ApiError::invalid("types", "Provide `type` or `types`, not both."));
    }
    let is_selected = |event: &&Value| {
        let name = text(event, "/type");
        let is_listed = |pattern: &Params| pattern.text("").is_some_and(|pattern| is_type(name, pattern));
        one.is_none_or(|pattern| is_type(name, pattern)) && (types.is_empty() || types.iter().any(is_listed))
    };
    let mut events = work.all("event");
    events.retain(is_selected);
    let mut answer = list_answer(params, events, "/v1/events")?;
    let page = answer.get_mut("data").and_then(Value::as_array_mut);
    page.into_iter().flatten().for_each(|event| *event = shown(work, event));
    Ok(answer)
}

/// Whether a type of events is the wanted one. `charge.*` selects all that begin with `charge.`.
fn is_type(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        deliveries::Settings,
        state::RequestReference,
        testing::{TestBench, id},
    };

    #[test]
    fn event_keeps_the_object_as_it_was() {
        let mut bench = TestBench::new();
        bench.state.request = Some(RequestReference { id: "req_1".to_owned(), idempotency_key: None });
        let customer = bench.customer();
        bench.post(&format!("/v1/customers/{customer}"), "name=Bob");
        let created = bench.get("/v1/events")["data"][1].clone();
        assert_eq!(
            (&created["type"], &created["data"]["object"]["name"]),
            (&json!("customer.created"), &json!("Ada"))
        );
        assert_eq!(created["request"], json!({ "id": "req_1", "idempotency_key": null }));
        assert_eq!(bench.get(&format!("/v1/events/{}", id(&created)))["id"], created["id"]);
    }

    #[test]
    fn events_are_selected_by_type() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        bench.post(&format!("/v1/customers/{customer}"), "name=Bob");
        let mut count =
            |query: &str| bench.call("GET", "/v1/events", query).unwrap()["data"].as_array().unwrap().len();
        assert_eq!(count("type=customer.*"), 2);
        assert_eq!(count("type=customer.updated"), 1);
        assert_eq!(count("types[]=customer.updated&types[]=customer.created"), 2);
        assert_eq!(count("types[]=charge.failed"), 0);
    }

    #[test]
    fn events_are_queued_for_each_endpoint() {
        let mut bench = TestBench::new();
        bench.state.endpoints = vec!["http://localhost/a".to_owned(), "http://localhost/b".to_owned()];
        bench.customer();
        assert_eq!(bench.get("/v1/events")["data"][0]["pending_webhooks"], 2);
        bench.state.set_settings(Settings { lose_percent: 100, ..Settings::default() });
        bench.customer();
        assert_eq!(bench.state.deliveries().all().count(), 2);
    }

    #[test]
    fn old_events_are_removed() {
        let mut bench = TestBench::new();
        bench.customer();
        bench.now += LIFE;
        prune(&mut bench.work());
        assert_eq!(bench.state.all("event").len(), 1);
        bench.now += 1;
        prune(&mut bench.work());
        assert!(bench.state.all("event").is_empty());
    }
}
