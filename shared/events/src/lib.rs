//! EventBridge: publishes messages on the region's bus
//! ([PutEvents](https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)).

use async_trait::async_trait;
use aws_sdk_eventbridge::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::PutEventsRequestEntry,
};
use domain::{
    id::MessageId,
    outbox::Message,
    ports::{Bus, Failure, Outcome},
};

/// What the platform's events name as their source.
pub const SOURCE: &str = "account-platform";
/// `PutEvents` takes at most this many at once.
const ENTRIES: usize = 10;

/// The bus of one region.
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    /// The bus with this name.
    pub fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    fn entry(&self, message: &Message) -> Outcome<PutEventsRequestEntry> {
        let detail = serde_json::to_string(message).map_err(|error| Failure::Broken(error.to_string()))?;
        let entry = PutEventsRequestEntry::builder().event_bus_name(&self.bus).source(SOURCE);
        Ok(entry.detail_type(message.notice.name()).detail(detail).build())
    }
}

#[async_trait]
impl Bus for EventBridge {
    async fn publish(&self, messages: &[Message]) -> Outcome<Vec<MessageId>> {
        let mut failed = Vec::new();
        for chunk in messages.chunks(ENTRIES) {
            let entries = chunk.iter().map(|message| self.entry(message)).collect::<Outcome<Vec<_>>>()?;
            let answer = self.client.put_events().set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|error| unavailable(&error))?;
            let results = answer.entries().iter().zip(chunk);
            failed.extend(
                results.filter(|(result, _)| result.error_code().is_some()).map(|(_, message)| message.id),
            );
        }
        Ok(failed)
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Failure {
    let detail = match error {
        SdkError::ServiceError(context) => context.err().code().unwrap_or("unknown").to_owned(),
        _ => "no answer".to_owned(),
    };
    Failure::Unavailable { service: "eventbridge", detail }
}
