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
#[serde(untagged, expecting = "neither a message of the bus nor the empty event of a schedule")]
pub enum Event {
    /// From the bus.
    Message(Envelope),
    /// From the schedule.
    Tick(Tick),
}

/// The event of a schedule, which carries no data. An unreadable message does not match, and fails.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tick {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_message_is_no_tick() {
        let read = |text: &str| serde_json::from_str::<Event>(text);
        assert!(matches!(read("{}"), Ok(Event::Tick(_))));
        for text in [r#"{"detail":{}}"#, r#"{"detail":1}"#, r#"{"x":1}"#, "[{}]", "null"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
