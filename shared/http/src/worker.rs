//! What workers share: the events that invoke them, handling a message once, and the mail service's answer.

mod delivery;
mod event;
mod once;

pub use delivery::is_accepted;
pub use event::{Envelope, Event};
pub use once::once;
