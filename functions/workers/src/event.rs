//! What sets workers off that the bus sends messages to.

use domain::outbox::Message;
use serde::Deserialize;

/// A message of the bus.
#[derive(Deserialize)]
pub struct Envelope {
    /// It.
    pub detail: Message,
}

/// A message of the bus, or the schedule, which says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A message.
    Message(Envelope),
    /// The schedule.
    Tick {},
}
