//! The event buses of a region: an event goes to the queue of every rule that it matches, and is lost if there is none.

use std::sync::Arc;

use serde_json::Value;

use crate::config::EventRule;
use crate::sqs::{QueueError, Queues};

/// The rules of the event buses and their queues.
pub(crate) struct EventBuses {
    rules: Vec<EventRule>,
    queues: Arc<Queues>,
}

impl EventBuses {
    pub(crate) fn new(rules: Vec<EventRule>, queues: Arc<Queues>) -> Self {
        Self { rules, queues }
    }

    /// Sends an event, in the envelope that consumers receive, to the queues of the matching rules.
    pub(crate) fn put(&self, event: &Value) -> Result<(), QueueError> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let (source, detail_type) = (text("source"), text("detail-type"));
        let mut matching = self.rules.iter().filter(|rule| {
            rule.source == source && rule.detail_types.iter().any(|wanted| wanted == detail_type)
        });
        matching.try_for_each(|rule| self.queues.send(&rule.queue, event.to_string()).map(drop))
    }
}
