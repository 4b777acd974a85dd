//! Event, mark and inbox.  Table `activity`: PK `WS#<workspace>`  SK `EVT#<event>` (never changed); PK `MARKS#<workspace>`
//! SK `EVT#<event>` (what was said of an event) and `INBOX` (what was said of all).
//! Reads: a page of events (query, newest first), the inbox (get), the marks of a page (batch get).

use async_trait::async_trait;
use domain::{
    activity::{Event, Inbox, Mark, Watermark},
    id::{EventId, WorkspaceId},
    policy::KeepsInbox,
    ports::{All, Failure, History, Marking, Outcome, Page},
};
use tables::Items;

use crate::{
    Store,
    failure::unavailable,
    item::{Item, Key, from_item, to_item},
};

/// DynamoDB takes at most 100 writes in a transaction.
const TRANSACTION_LIMIT: usize = 100;

fn event_key(workspace: WorkspaceId, event: EventId) -> Key {
    Key::new(Items::Events, workspace, format!("EVT#{event}"))
}

fn inbox_key(workspace: WorkspaceId) -> Key {
    Key::new(Items::Marks, workspace, "INBOX")
}

fn mark_key(workspace: WorkspaceId, event: EventId) -> Key {
    Key::new(Items::Marks, workspace, format!("EVT#{event}"))
}

pub fn event_item(event: &Event) -> Outcome<(Key, Item)> {
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
    ) -> Outcome<Page<Event>> {
        if newest < oldest {
            return Ok(Page { items: Vec::new(), more: false });
        }
        let range = (format!("EVT#{oldest}"), format!("EVT#{newest}"));
        let page = self.range(Items::Events, workspace, range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }

    async fn inbox(&self, workspace: WorkspaceId) -> Outcome<Inbox> {
        let found = self.get(&inbox_key(workspace)).await?.map(from_item).transpose()?;
        Ok(found.unwrap_or_default())
    }

    async fn marks(&self, workspace: WorkspaceId, events: &[EventId]) -> Outcome<Vec<Mark>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Key> = events.iter().map(|event| mark_key(workspace, *event)).collect();
        let items = self.get_all(&keys).await?.into_iter();
        items.map(|item| item.map_or(Ok(Mark::default()), from_item)).collect()
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
        for chunk in marks.chunks(TRANSACTION_LIMIT) {
            let mut transaction = self.transaction();
            for (event, marking) in chunk {
                let key = mark_key(proof.workspace(), *event);
                let (expression, value) = match marking {
                    Marking::Seen => ("SET seen = :it", serde_dynamo::to_attribute_value(true)),
                    Marking::Archived(archived, at) => {
                        ("SET archived = :it", serde_dynamo::to_attribute_value((archived, at)))
                    }
                };
                let value = value.map_err(|error| Failure::Broken(error.to_string()))?;
                transaction = transaction.update(&key, expression, [(":it", value)]);
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
        let value = serde_dynamo::to_attribute_value(watermark)
            .map_err(|error| Failure::Broken(error.to_string()))?;
        let request =
            self.client.update_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
        let request = request.update_expression(expression).expression_attribute_values(":it", value);
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}
