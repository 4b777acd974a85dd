//! EventBridge: the envelope of events, and failures per entry.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::json;

use crate::support::{Local, code};

pub fn entry(detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .source("account")
        .detail_type("key.created")
        .detail(detail)
        .event_bus_name("app")
        .build()
}

#[tokio::test]
async fn event_is_delivered_in_its_envelope() {
    let local = Local::start().await;
    let answer =
        local.events("publish-events").put_events().entries(entry(r#"{"id":1}"#)).send().await.unwrap();
    let event = local.events_on_bus().remove(0);
    assert_eq!(event["id"].as_str(), answer.entries()[0].event_id());
    assert_eq!(
        json!([
            event["version"],
            event["source"],
            event["detail-type"],
            event["account"],
            event["region"],
            event["detail"],
            event["resources"]
        ]),
        json!(["0", "account", "key.created", "000000000000", "eu-central-1", { "id": 1 }, []])
    );
    assert_eq!(event["time"].as_str().map(str::len), Some("2026-01-01T00:00:00Z".len()));
}

#[tokio::test]
async fn invalid_entry_fails_without_affecting_others() {
    let local = Local::start().await;
    let events = local.events("f");
    let none = PutEventsRequestEntry::builder().source("account").detail("{}").build();
    let sent = events
        .put_events()
        .entries(entry("{}"))
        .entries(entry("not json"))
        .entries(entry("[1]"))
        .entries(none);
    let answer = sent.send().await.unwrap();
    assert_eq!(answer.failed_entry_count, 3);
    let codes: Vec<_> = answer.entries().iter().map(|entry| entry.error_code()).collect();
    assert_eq!(codes, [None, Some("MalformedDetail"), Some("MalformedDetail"), Some("InvalidArgument")]);
    assert_eq!(local.events_on_bus().len(), 1);
}

#[tokio::test]
async fn call_with_too_many_or_too_large_entries_is_refused() {
    let local = Local::start().await;
    let events = local.events("f");
    assert_eq!(code(events.put_events().set_entries(Some(vec![])).send().await), "ValidationException");
    let eleven = events.put_events().set_entries(Some(vec![entry("{}"); 11])).send().await;
    assert_eq!(code(eleven), "ValidationException");
    let large = entry(&format!("\"{}\"", "x".repeat(256 * 1024)));
    assert_eq!(code(events.put_events().entries(large).send().await), "ValidationException");
    assert!(local.events_on_bus().is_empty());
}
