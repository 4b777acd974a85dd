//! Message in the outbox.  Table `operations`: PK `OUT#<subject>`  SK `<message>`; gone a week later.
//! Reads: none; the table's stream carries new messages to `publish-events`, in order per subject.

use domain::{Timestamp, domain_events::Message, ports::Outcome};
use jiff::SignedDuration;
use tables::ItemKind;

use crate::item::{Item, Key, to_expiring_item};

const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

pub fn message_item(message: &Message) -> Outcome<(Key, Item)> {
    let key = Key::new(ItemKind::Outbox, message.notice.subject(), message.id.to_string());
    let gone_at = message.at.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
    Ok((key.clone(), to_expiring_item(&key, message, gone_at)?))
}
