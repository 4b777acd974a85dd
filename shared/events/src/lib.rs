//! EventBridge: publishes messages on the event bus of the region
//! ([PutEvents](https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)).

use async_trait::async_trait;
use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use domain::{
    domain_events::OutboxMessage,
    id::MessageId,
    ports::{Bus, Failure, Outcome},
};

/// The source of the platform's events.
pub const SOURCE: &str = "account-platform";
/// The maximum number of entries in a `PutEvents` call.
const MAX_ENTRIES: usize = 10;

/// The event bus of one region.
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    /// The event bus with this name.
    pub fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    fn entry(&self, message: &OutboxMessage) -> Outcome<PutEventsRequestEntry> {
        let detail = serde_json::to_string(message).map_err(|error| Failure::Broken(error.to_string()))?;
        let entry = PutEventsRequestEntry::builder().event_bus_name(&self.bus).source(SOURCE);
        Ok(entry.detail_type(&message.notice.name).detail(detail).build())
    }
}

#[async_trait]
impl Bus for EventBridge {
    async fn publish(&self, messages: &[OutboxMessage]) -> Outcome<Vec<MessageId>> {
        let mut failed = Vec::new();
        for chunk in messages.chunks(MAX_ENTRIES) {
            let entries = chunk.iter().map(|message| self.entry(message)).collect::<Outcome<Vec<_>>>()?;
            let answer = self.client.put_events().set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| aws_errors::failure("eventbridge", &error))?;
            // A message without a result counts as unpublished.
            let mut results = answer.entries().iter();
            let is_published =
                |_: &&OutboxMessage| results.next().is_some_and(|result| result.error_code().is_none());
            let (_, unpublished): (Vec<&OutboxMessage>, Vec<&OutboxMessage>) =
                chunk.iter().partition(is_published);
            failed.extend(unpublished.into_iter().map(|message| message.id));
        }
        Ok(failed)
    }
}
