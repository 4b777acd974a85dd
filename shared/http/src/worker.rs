//! What workers share: the events and batches that invoke them, handling a message once, and the mail service's answer.

mod batch;
mod delivery;
mod event;
mod feedback;
mod once;

pub use batch::{BatchResponse, ItemFailure, MessageBatch, handle_batch};
pub use delivery::is_accepted;
pub use event::{Envelope, Event, Tick};
pub use feedback::{FEEDBACK_SOURCE, FEEDBACK_TYPES};
pub use once::once;
