//! One request's access to the state, under its lock. Objects are JSON as the API returns them.

use serde_json::Value;

use crate::{api_error::ApiError, events, random::random_text, state::State};

/// The access of one request, or of one step of time, to the state.
pub(crate) struct Work<'a> {
    /// The state.
    pub state: &'a mut State,
    /// The time, in Unix seconds.
    pub now: i64,
    /// The URL of the stand-in, without a slash at the end.
    pub base: &'a str,
}

impl Work<'_> {
    /// A new id: the prefix (`cus` or `cus_`), and 24 random letters and digits.
    pub fn new_id(&mut self, prefix: &str) -> String {
        format!("{}_{}", prefix.trim_end_matches('_'), random_text(24))
    }

    /// The object with this id, whose member `object` must be `kind`.
    ///
    /// # Errors
    ///
    /// 404 `resource_missing`.
    pub fn get(&self, kind: &str, id: &str) -> Result<&Value, ApiError> {
        self.find(kind, id).ok_or_else(|| ApiError::missing(kind, id))
    }

    /// The object with this id, if its member `object` is `kind`.
    pub fn find(&self, kind: &str, id: &str) -> Option<&Value> {
        self.state.object(id).filter(|object| object.get("object").and_then(Value::as_str) == Some(kind))
    }

    /// Stores an object under its member `id`. Replaces the object with this id, which keeps its place in
    /// lists.
    pub fn put(&mut self, object: Value) {
        self.state.put(object);
    }

    /// Removes an object.
    pub fn remove(&mut self, id: &str) {
        self.state.remove(id);
    }

    /// All objects of a kind, newest first.
    pub fn all(&self, kind: &str) -> Vec<&Value> {
        self.state.all(kind)
    }

    /// Makes an event about an object, and queues it for the webhook endpoints. `previous` holds the earlier
    /// values of the members that changed.
    pub fn emit(&mut self, event_type: &str, object: Value, previous: Option<Value>) {
        events::emit(self, event_type, object, previous);
    }
}
