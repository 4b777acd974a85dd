//! The networks that a container refuses without asking the shared counter.

use std::{collections::HashMap, sync::Mutex};

use domain::{Timestamp, throttle::Wait};

/// The most networks that a container remembers as refused.
const MOST: usize = 1_000;

/// Networks that used up a limit, and until when.
#[derive(Default)]
pub struct RefusedNetworks(Mutex<HashMap<String, Timestamp>>);

impl RefusedNetworks {
    /// The time that the network of this counter still has to wait.
    pub(crate) fn wait(&self, counter: &str, now: Timestamp) -> Option<Wait> {
        let until = self.0.lock().ok()?.get(counter).copied()?;
        (now < until).then(|| Wait::between(now, until))
    }

    /// Remembers that the network of this counter has to wait.
    pub(crate) fn remember(&self, counter: &str, wait: Wait, now: Timestamp) {
        let Ok(mut refused) = self.0.lock() else { return };
        if refused.len() >= MOST {
            refused.retain(|_, until| now < *until);
        }
        if refused.len() < MOST {
            let seconds = i64::try_from(wait.seconds).unwrap_or(i64::MAX);
            let until = now.saturating_add(jiff::SignedDuration::from_secs(seconds));
            refused.insert(counter.to_owned(), until.unwrap_or(Timestamp::MAX));
        }
    }
}
