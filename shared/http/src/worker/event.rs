//! The events that invoke workers.

use domain::domain_events::Message;
use serde::Deserialize;

/// An event of the bus, with a message of the outbox.
#[derive(Deserialize)]
pub struct Envelope {
    /// The message.
    pub detail: Message,
}

/// An event of the bus or of the schedule.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// From the bus.
    Message(Envelope),
    /// From the schedule, which carries no data.
    Tick {},
}
