//! Activity event, mark and inbox.  Table `activity`: PK `WS#<workspace>`  SK `EVT#<event>` (never changed); PK `MARKS#<workspace>`
//! SK `EVT#<event>` (seen or archived) and `INBOX` (watermarks of all).
//! Reads: a page of events (query, newest first); in parallel the watermarks (get) and as many marks as the page has events
//! (query, newest first), both strongly consistent.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    activity::{ActivityEvent, Inbox, Mark, Watermark},
    id::{EventId, WorkspaceId},
    permissions::KeepsInbox,
    ports::{All, Failure, History, Marking, Outcome, Page},
};
use tables::{ItemKind, SORT_KEY};

use crate::{
    client::Store,
    failure::failure,
    item::{Item, Key, from_item, to_item},
    transaction::{Condition, MOST_WRITES},
};

fn event_key(workspace: WorkspaceId, event: EventId) -> Key {
    Key::new(ItemKind::Events, workspace, format!("EVT#{event}"))
}

fn inbox_key(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Marks, workspace, "INBOX")
}

fn mark_key(workspace: WorkspaceId, event: EventId) -> Key {
    Key::new(ItemKind::Marks, workspace, format!("EVT#{event}"))
}

/// The event of a mark.
pub fn marked(item: &Item) -> Outcome<EventId> {
    let id = item.get(SORT_KEY).and_then(|key| key.as_s().ok()?.strip_prefix("EVT#")?.parse().ok());
    id.ok_or_else(|| Failure::Broken("a mark's key that holds no id".to_owned()))
}

pub fn event_item(event: &ActivityEvent) -> Outcome<(Key, Item)> {
    let key = event_key(event.workspace, event.id);
    Ok((key.clone(), to_item(&key, event)?))
}

#[async_trait]
impl History for Store {
    async fn page(
        &self,
        workspace: WorkspaceId,
        newest: EventId,
        oldest: EventId,
        limit: usize,
    ) -> Outcome<Page<ActivityEvent>> {
        if newest < oldest {
            return Ok(Page { items: Vec::new(), more: false });
        }
        let range = (format!("EVT#{oldest}"), format!("EVT#{newest}"));
        let page = self.range(ItemKind::Events, workspace, range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }

    async fn inbox(&self, workspace: WorkspaceId) -> Outcome<Inbox> {
        let found = self.get(inbox_key(workspace)).await?.map(from_item).transpose()?;
        Ok(found.unwrap_or_default())
    }

    async fn marks(
        &self,
        workspace: WorkspaceId,
        newest: EventId,
        limit: usize,
    ) -> Outcome<BTreeMap<EventId, Mark>> {
        let range = ("EVT#".to_owned(), format!("EVT#{newest}"));
        let page = self.range_now(ItemKind::Marks, workspace, range, limit).await?;
        page.items.into_iter().map(|item| Ok((marked(&item)?, from_item(item)?))).collect()
    }

    async fn existing(&self, workspace: WorkspaceId, events: &[EventId]) -> Outcome<Vec<EventId>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Key> = events.iter().map(|event| event_key(workspace, *event)).collect();
        let found = self.get_all(&keys).await?;
        Ok(events.iter().zip(found).filter_map(|(event, item)| item.map(|_| *event)).collect())
    }

    async fn mark(&self, proof: &KeepsInbox, marks: &[(EventId, Marking)]) -> Outcome<()> {
        // Marking is idempotent, so a single mark needs no transaction, which costs twice as much.
        if let [(event, marking)] = marks {
            let (expression, value) = said(*marking)?;
            return self.say(&mark_key(proof.workspace(), *event), expression, value).await;
        }
        for chunk in marks.chunks(MOST_WRITES) {
            let mut transaction = self.transaction();
            for (event, marking) in chunk {
                let (expression, value) = said(*marking)?;
                let key = mark_key(proof.workspace(), *event);
                let values = [(":it".to_owned(), value)];
                transaction = transaction.update("mark", &key, expression, values, Condition::none());
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn mark_all(&self, proof: &KeepsInbox, what: All, watermark: Watermark) -> Outcome<()> {
        let key = inbox_key(proof.workspace());
        let expression = match what {
            All::Seen => "SET seen = :it",
            All::Archived(true) => "SET archived = :it",
            All::Archived(false) => "SET restored = :it",
        };
        let value = serde_dynamo::to_attribute_value(watermark).map_err(broken)?;
        self.say(&key, expression, value).await
    }
}

impl Store {
    async fn say(&self, key: &Key, expression: &str, value: AttributeValue) -> Outcome<()> {
        let request =
            self.client.update_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        let request = request.update_expression(expression).expression_attribute_values(":it", value);
        request.send().await.map_err(failure)?;
        Ok(())
    }
}

/// The update expression of a mark, and its value `:it`.
fn said(marking: Marking) -> Outcome<(&'static str, AttributeValue)> {
    let (expression, value) = match marking {
        Marking::Seen => ("SET seen = :it", serde_dynamo::to_attribute_value(true)),
        Marking::Archived(archived, at) => {
            ("SET archived = :it", serde_dynamo::to_attribute_value((archived, at)))
        }
    };
    Ok((expression, value.map_err(broken)?))
}

fn broken(error: serde_dynamo::Error) -> Failure {
    Failure::Broken(error.to_string())
}
