//! The queues and their messages: one file per message, so that messages survive `kill -9`. Times are those of the local
//! clock.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::config::{QueueConfig, TimeSource};
use crate::durable;
use crate::journal::lock;
use crate::start_error::StandInError;

/// The queues of a region.
pub struct Queues {
    now: TimeSource,
    queues: BTreeMap<String, Queue>,
    changes: watch::Sender<u64>,
}

struct Queue {
    config: QueueConfig,
    folder: PathBuf,
    messages: Mutex<Messages>,
}

#[derive(Default)]
struct Messages {
    /// By sequence number: the oldest first.
    kept: BTreeMap<u64, StoredMessage>,
    last: u64,
}

/// A message as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredMessage {
    id: String,
    body: String,
    sent_at: Timestamp,
    visible_at: Timestamp,
    receives: u32,
    first_received_at: Option<Timestamp>,
    receipt: Option<String>,
    /// The queue that a dead letter comes from.
    source: Option<String>,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The id of the message.
    pub id: String,
    /// The body.
    pub body: String,
    /// Deletes the message, or changes when it is visible again.
    pub receipt: String,
    /// How often the message was received.
    pub receives: u32,
    /// When the message was sent.
    pub sent_at: Timestamp,
    /// When the message was received first.
    pub first_received_at: Timestamp,
    /// The queue that a dead letter comes from.
    pub source: Option<String>,
}

/// The number of messages in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that can be received.
    pub visible: usize,
    /// Messages that were received and are invisible.
    pub in_flight: usize,
}

/// Why an operation on a queue failed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue does not exist.
    #[error("the queue does not exist")]
    Missing,
    /// The receipt handle does not belong to a message of the queue.
    #[error("the receipt handle is invalid")]
    Receipt,
    /// A file could not be written.
    #[error("a message could not be stored: {0}")]
    File(#[from] io::Error),
}

/// The result of moving dead letters to the queues that they come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Redriven {
    pub(super) found: usize,
    pub(super) moved: usize,
}

impl Queues {
    /// Opens the configured queues with the messages that their files in `folder` contain.
    pub fn open(folder: &Path, queues: &[QueueConfig], now: TimeSource) -> Result<Self, StandInError> {
        let open = |queue: &QueueConfig| {
            let folder = folder.join(&queue.name);
            durable::make_folder(&folder)?;
            let messages = Mutex::new(stored(&folder)?);
            Ok((queue.name.clone(), Queue { config: queue.clone(), folder, messages }))
        };
        let queues = queues.iter().map(open).collect::<Result<_, StandInError>>()?;
        Ok(Self { now, queues, changes: watch::Sender::new(0) })
    }

    /// The names of all queues.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// Notifies of messages that can be received.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The configuration of a queue.
    pub(super) fn config(&self, queue: &str) -> Result<&QueueConfig, QueueError> {
        Ok(&self.find(queue)?.config)
    }

    /// The names of the queues whose dead letters go to `queue`.
    pub(super) fn sources(&self, queue: &str) -> Vec<&str> {
        let is_source = |other: &&Queue| other.config.redrive.as_ref().is_some_and(|to| to.queue == queue);
        self.queues.values().filter(is_source).map(|other| other.config.name.as_str()).collect()
    }

    /// Sends a message. Returns its id.
    pub fn send(&self, queue: &str, body: String) -> Result<String, QueueError> {
        let now = (self.now)();
        let id = durable::uuid();
        let message = StoredMessage {
            id: id.clone(),
            body,
            sent_at: now,
            visible_at: now,
            receives: 0,
            first_received_at: None,
            receipt: None,
            source: None,
        };
        self.add(self.find(queue)?, message)?;
        Ok(id)
    }

    /// Receives up to `most` visible messages, the oldest first, and makes them invisible for the queue's visibility
    /// timeout or for `seconds`. A message that was received as often as the queue allows becomes a dead letter instead
    /// ([redrive policy]).
    ///
    /// [redrive policy]:
    /// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    pub fn receive(
        &self,
        queue: &str,
        most: usize,
        seconds: Option<u32>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        let queue = self.find(queue)?;
        let now = (self.now)();
        queue.expire(now)?;
        self.bury(queue, now)?;
        let mut messages = lock(&queue.messages);
        let visible_at = later(now, seconds.unwrap_or(queue.config.visibility_seconds));
        let mut received = Vec::new();
        for (n, message) in &mut messages.kept {
            if received.len() == most {
                break;
            }
            if message.visible_at > now {
                continue;
            }
            let receipt = format!("{}.{}", message.id, durable::uuid());
            let first = message.first_received_at.unwrap_or(now);
            message.receives += 1;
            message.visible_at = visible_at;
            message.first_received_at = Some(first);
            message.receipt = Some(receipt.clone());
            queue.store(*n, message)?;
            received.push(ReceivedMessage {
                id: message.id.clone(),
                body: message.body.clone(),
                receipt,
                receives: message.receives,
                sent_at: message.sent_at,
                first_received_at: first,
                source: message.source.clone(),
            });
        }
        Ok(received)
    }

    /// Deletes a received message. Does nothing if the message was received again or deleted.
    pub fn delete(&self, queue: &str, receipt: &str) -> Result<(), QueueError> {
        let queue = self.find(queue)?;
        let mut messages = lock(&queue.messages);
        let found = messages.by_receipt(receipt);
        if let Some(n) = found {
            queue.remove(&mut messages, n)?;
        }
        Ok(())
    }

    /// Makes a received message visible again in so many seconds.
    pub(super) fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        seconds: u32,
    ) -> Result<(), QueueError> {
        let queue = self.find(queue)?;
        let mut messages = lock(&queue.messages);
        let n = messages.by_receipt(receipt).ok_or(QueueError::Receipt)?;
        if let Some(message) = messages.kept.get_mut(&n) {
            message.visible_at = later((self.now)(), seconds);
            queue.store(n, message)?;
        }
        drop(messages);
        self.announce();
        Ok(())
    }

    /// The number of messages.
    pub fn depth(&self, queue: &str) -> Result<QueueDepth, QueueError> {
        let queue = self.find(queue)?;
        let now = (self.now)();
        queue.expire(now)?;
        let messages = lock(&queue.messages);
        let visible = messages.kept.values().filter(|message| message.visible_at <= now).count();
        Ok(QueueDepth { visible, in_flight: messages.kept.len() - visible })
    }

    /// The number of invisible messages whose receipts satisfy `is_held`.
    pub fn held(&self, queue: &str, is_held: impl Fn(&str) -> bool) -> usize {
        let Some(queue) = self.queues.get(queue) else { return 0 };
        let messages = lock(&queue.messages);
        messages
            .kept
            .values()
            .filter_map(|message| message.receipt.as_deref())
            .filter(|it| is_held(it))
            .count()
    }

    /// The time at which the next invisible message is visible again.
    pub fn next_visible(&self, queue: &str) -> Option<Timestamp> {
        let now = (self.now)();
        let messages = lock(&self.queues.get(queue)?.messages);
        messages.kept.values().map(|message| message.visible_at).filter(|at| *at > now).min()
    }

    /// Makes the invisible messages of all queues visible now, except those with these receipts.
    pub fn make_visible(&self, except: impl Fn(&str) -> bool) -> Result<usize, QueueError> {
        let now = (self.now)();
        let mut count = 0;
        for queue in self.queues.values() {
            let mut messages = lock(&queue.messages);
            for (n, message) in &mut messages.kept {
                let is_held = message.receipt.as_deref().is_some_and(&except);
                if message.visible_at > now && !is_held {
                    message.visible_at = now;
                    queue.store(*n, message)?;
                    count += 1;
                }
            }
        }
        self.announce();
        Ok(count)
    }

    /// Sends the visible messages of a dead-letter queue again, to the queue that each comes from. They are new messages
    /// there, with new ids ([redrive]). A message that was sent to this queue directly stays.
    ///
    /// [redrive]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    pub(super) fn redrive(&self, dead_letters: &str) -> Result<Redriven, QueueError> {
        let from = self.find(dead_letters)?;
        let now = (self.now)();
        from.expire(now)?;
        let visible: Vec<(u64, StoredMessage)> = {
            let messages = lock(&from.messages);
            let visible = messages.kept.iter().filter(|(_, message)| message.visible_at <= now);
            visible.map(|(n, message)| (*n, message.clone())).collect()
        };
        let mut redriven = Redriven { found: visible.len(), moved: 0 };
        for (n, message) in visible {
            let Some(source) = message.source.as_deref() else { break };
            self.send(source, message.body)?;
            from.remove(&mut lock(&from.messages), n)?;
            redriven.moved += 1;
        }
        Ok(redriven)
    }

    /// Moves messages that were received as often as the queue allows to its dead-letter queue.
    fn bury(&self, queue: &Queue, now: Timestamp) -> Result<(), QueueError> {
        let Some(redrive) = &queue.config.redrive else { return Ok(()) };
        let graveyard = self.find(&redrive.queue)?;
        let mut messages = lock(&queue.messages);
        let is_dead =
            |message: &StoredMessage| message.visible_at <= now && message.receives >= redrive.max_receives;
        let dead: Vec<u64> =
            messages.kept.iter().filter(|(_, message)| is_dead(message)).map(|(n, _)| *n).collect();
        for n in dead {
            let Some(message) = messages.kept.get(&n).cloned() else { continue };
            let source = Some(queue.config.name.clone());
            self.add(graveyard, StoredMessage { visible_at: now, receipt: None, source, ..message })?;
            queue.remove(&mut messages, n)?;
        }
        Ok(())
    }

    fn add(&self, queue: &Queue, message: StoredMessage) -> Result<(), QueueError> {
        let mut messages = lock(&queue.messages);
        let n = messages.last + 1;
        queue.store(n, &message)?;
        messages.last = n;
        messages.kept.insert(n, message);
        drop(messages);
        self.announce();
        Ok(())
    }

    fn announce(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    fn find(&self, queue: &str) -> Result<&Queue, QueueError> {
        self.queues.get(queue).ok_or(QueueError::Missing)
    }
}

impl Queue {
    fn file(&self, n: u64) -> PathBuf {
        self.folder.join(format!("{n:012}.json"))
    }

    /// Writes a message. A crash leaves the previous or the new version.
    fn store(&self, n: u64, message: &StoredMessage) -> io::Result<()> {
        let file = self.file(n);
        let next = file.with_extension("next");
        std::fs::write(&next, serde_json::to_vec(message)?)?;
        std::fs::rename(&next, &file)
    }

    fn remove(&self, messages: &mut Messages, n: u64) -> io::Result<()> {
        std::fs::remove_file(self.file(n))?;
        messages.kept.remove(&n);
        Ok(())
    }

    /// Deletes messages that are older than the queue's retention period.
    fn expire(&self, now: Timestamp) -> io::Result<()> {
        let mut messages = lock(&self.messages);
        let is_old = |message: &StoredMessage| later(message.sent_at, self.config.retention_seconds) <= now;
        let old: Vec<u64> =
            messages.kept.iter().filter(|(_, message)| is_old(message)).map(|(n, _)| *n).collect();
        old.into_iter().try_for_each(|n| self.remove(&mut messages, n))
    }
}

impl Messages {
    fn by_receipt(&self, receipt: &str) -> Option<u64> {
        let mut kept = self.kept.iter();
        kept.find(|(_, message)| message.receipt.as_deref() == Some(receipt)).map(|(n, _)| *n)
    }
}

/// Reads the messages in the folder of a queue.
fn stored(folder: &Path) -> Result<Messages, StandInError> {
    let failed = |source| StandInError::File { path: folder.to_owned(), source };
    let mut messages = Messages::default();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let number = path.file_stem().and_then(|name| name.to_str()?.parse().ok());
        let Some(n) = number.filter(|_| path.extension().is_some_and(|extension| extension == "json")) else {
            continue;
        };
        let bytes = std::fs::read(&path).map_err(failed)?;
        let message = serde_json::from_slice(&bytes)
            .map_err(|error| StandInError::Unreadable { path: path.clone(), reason: error.to_string() })?;
        messages.kept.insert(n, message);
        messages.last = messages.last.max(n);
    }
    Ok(messages)
}

fn later(at: Timestamp, seconds: u32) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}
