//! One request, as its handler sees it: who, when, and the randomness to use.

use std::{net::IpAddr, sync::Arc};

use domain::{
    Timestamp,
    activity::{Action, Actor, Event, ResourceType},
    entropy::Entropy,
    id::{Id, Kind, OfEvent, OfMessage, RequestId, WorkspaceId},
    outbox::{Message, Notice},
    ports::Alongside,
    region::Region,
};
use http::HeaderMap;

use crate::{caller, idempotency::Once, problem::Problem};

/// A request on its way through a handler; `C` is who calls.
pub struct Call<C> {
    /// Who calls.
    pub caller: C,
    /// The request's id, as the answer's `X-Request-Id` says it.
    pub request: RequestId,
    /// When the request came. The only clock that a handler has.
    pub now: Timestamp,
    /// The region that answers.
    pub region: Region,
    /// The network address that the request came from.
    pub network: Option<IpAddr>,
    /// Whether another region sent the request here: then it is answered here.
    pub forwarded: bool,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) once: Once,
    pub(crate) headers: HeaderMap,
}

impl<C> Call<C> {
    /// Randomness for keys and salts.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// A new id.
    pub fn id<K: Kind>(&self) -> Id<K> {
        Id::new(self.now, self.entropy())
    }

    /// What an earlier request with the same `Idempotency-Key` made, if there was one: answer with that again.
    pub fn made_before<T: std::str::FromStr>(&self) -> Option<T> {
        match &self.once {
            Once::Again { reference } => reference.parse().ok(),
            Once::Unkeyed | Once::First { .. } => None,
        }
    }

    /// What goes into the transaction of a change: its line in the history, its message, and, if the request carried an
    /// `Idempotency-Key`, a receipt that names `reference`.
    pub fn alongside(
        &self,
        event: Option<Event>,
        notice: Option<Notice>,
        reference: impl ToString,
    ) -> Alongside {
        let message = notice.map(|notice| Message { id: self.id::<OfMessage>(), at: self.now, notice });
        Alongside { event, message, receipt: self.once.receipt(&reference.to_string(), self.now) }
    }

    /// A line of a workspace's history.
    pub fn event(&self, workspace: WorkspaceId, actor: Actor, action: Action, of: ResourceType) -> Event {
        Event::new(self.id::<OfEvent>(), workspace, actor, action, of)
    }

    /// The refresh token that the browser's cookie holds.
    pub fn refresh_cookie(&self) -> Option<String> {
        caller::cookie(&self.headers, caller::REFRESH_COOKIE)
    }

    /// The CSRF token that came in its header.
    pub fn csrf_header(&self) -> Option<&str> {
        self.headers.get(caller::CSRF_HEADER)?.to_str().ok()
    }

    /// Runs work that keeps a processor busy for long (password hashing) where it holds up no other request.
    pub async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(error.to_string()))
    }

    /// Its entropy, for work that runs elsewhere.
    pub fn shared_entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.entropy)
    }
}
