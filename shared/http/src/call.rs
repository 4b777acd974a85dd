//! One request, as its handler sees it: the caller, the time, and the randomness to use.

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    domain_events::{DomainEvent, Message},
    entropy::Entropy,
    id::{Id, IdKind, OfEvent, OfMessage, RequestId, WorkspaceId},
    ports::{Throttles, TransactionExtras},
    region::Region,
    throttle::Wait,
    workspace::Workspace,
};
use http::HeaderMap;
use tokio::sync::Semaphore;

use crate::{
    attempts::CountedAttempt,
    credentials::{self, Credential, CredentialError},
    cursor::Cursors,
    idempotency::Once,
    problem::Problem,
};

/// The slots for work that keeps a processor busy, one for each processor of the machine: a password hash takes 19 MiB, and more
/// hashes at once than processors take memory and end no sooner.
static PROCESSORS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, std::num::NonZero::get)));

/// The part of a request's time that is reserved for settling its attempt.
const SETTLING: Duration = Duration::from_millis(400);

/// Why work did not end.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// There was no time left.
    #[error("the time was over")]
    TooLate,
    /// The thread that did it is gone.
    #[error("{0}")]
    Lost(String),
}

impl From<Interrupted> for Problem {
    fn from(error: Interrupted) -> Self {
        match error {
            Interrupted::TooLate => Self::too_late(),
            Interrupted::Lost(inside) => Self::internal(inside),
        }
    }
}

/// A request on its way through a handler; `C` is the type of its caller.
pub struct RequestContext<C> {
    /// The caller.
    pub caller: C,
    /// The request's id, as in the answer's `X-Request-Id`.
    pub request: RequestId,
    /// When the request came: the only clock of a handler.
    pub now: Timestamp,
    /// The region that answers.
    pub region: Region,
    /// The network address that the request came from.
    pub network: Option<IpAddr>,
    /// The time that the network has to wait, if its limit is used up and the handler may still accept the request.
    pub network_wait: Option<Wait>,
    /// Whether another region forwarded the request: then this region answers it.
    pub forwarded: bool,
    /// Whether the caller follows the account that the request names, if the region that forwarded the request read its credentials
    /// for an endpoint for anyone.
    pub follows: Option<bool>,
    /// When the request must be answered.
    pub(crate) deadline: Instant,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) once: Once,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
}

impl<C> RequestContext<C> {
    /// Randomness for keys and salts.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// A new id.
    pub fn id<K: IdKind>(&self) -> Id<K> {
        Id::new(self.now, self.entropy())
    }

    /// The reference to the result of an earlier request with the same `Idempotency-Key`, if there was one: answer with that.
    pub fn made_before<T: std::str::FromStr>(&self) -> Option<T> {
        match &self.once {
            Once::Again { reference } => reference.parse().ok(),
            Once::Unkeyed | Once::First { .. } => None,
        }
    }

    /// The extra writes of a change's transaction: its activity event, its domain event, and, if the request carried an
    /// `Idempotency-Key`, an idempotency record that names `reference`.
    pub fn extras(
        &self,
        event: Option<ActivityEvent>,
        notice: Option<DomainEvent>,
        reference: impl ToString,
    ) -> TransactionExtras {
        let messages = notice.map(|notice| self.message(notice)).into_iter().collect();
        TransactionExtras { event, messages, receipt: self.once.receipt(&reference.to_string(), self.now) }
    }

    /// A message.
    pub fn message(&self, notice: DomainEvent) -> Message {
        Message { id: self.id::<OfMessage>(), at: self.now, notice }
    }

    /// An activity event of a workspace.
    pub fn event(
        &self,
        workspace: WorkspaceId,
        actor: Actor,
        action: Action,
        of: ResourceType,
    ) -> ActivityEvent {
        ActivityEvent::new(self.id::<OfEvent>(), workspace, actor, action, of)
    }

    /// The refresh token that the browser's cookie holds.
    pub fn refresh_cookie(&self) -> Result<Option<String>, CredentialError> {
        credentials::cookie(&self.headers, credentials::REFRESH_COOKIE)
    }

    /// The token of a sign-up that the browser's cookie holds.
    pub fn sign_up_cookie(&self) -> Option<String> {
        credentials::cookie(&self.headers, credentials::SIGN_UP_COOKIE).ok().flatten()
    }

    /// The secret that binds authorizations at providers to the browser.
    pub fn oauth_cookie(&self) -> Result<Option<String>, CredentialError> {
        credentials::cookie(&self.headers, credentials::OAUTH_COOKIE)
    }

    /// The sealed identity ticket that the browser's cookie holds.
    pub fn identity_cookie(&self) -> Result<Option<String>, CredentialError> {
        credentials::cookie(&self.headers, credentials::IDENTITY_COOKIE)
    }

    /// The host that the client called. Anything, if the client says so.
    pub fn host(&self) -> Option<&str> {
        self.headers.get(http::header::HOST)?.to_str().ok()
    }

    /// The `User-Agent` header.
    pub fn user_agent(&self) -> Option<&str> {
        self.headers.get(http::header::USER_AGENT)?.to_str().ok()
    }

    /// The device token that the browser's cookie holds.
    pub fn device_cookie(&self) -> Option<String> {
        credentials::cookie(&self.headers, credentials::DEVICE_COOKIE).ok().flatten()
    }

    /// The cursors of a list in a workspace, for the filters of this request.
    pub fn cursors(&self, workspace: &Workspace, list: &'static str) -> Cursors {
        Cursors::new(workspace, list, &self.query)
    }

    /// The credential, at an endpoint that anybody may call: dispatch has not read it.
    pub fn credential(&self) -> Result<Option<Credential>, CredentialError> {
        credentials::credential(&self.headers)
    }

    /// Whether a page of another origin has the browser send this request. A region that forwards a request has checked it.
    pub fn is_from_another_origin(&self) -> bool {
        credentials::is_from_another_origin(&self.headers)
    }

    /// The CSRF token that came in its header.
    pub fn csrf_header(&self) -> Option<&str> {
        self.headers.get(credentials::CSRF_HEADER)?.to_str().ok()
    }

    /// Logs a defect in a stored record that the answer works around, for an alarm that counts such lines. `id` names the
    /// record; `detail` must contain nothing secret or personal.
    pub fn report_defect(&self, defect: &'static str, id: &dyn std::fmt::Display, detail: &str) {
        tracing::error!(request = %self.request, defect, id = %id, detail);
    }

    /// This request as an attempt that may fail.
    pub fn attempt<'a>(&'a self, throttles: &'a dyn Throttles) -> CountedAttempt<'a> {
        let until = self.judged_by();
        CountedAttempt { throttles, entropy: self.entropy(), request: self.request, now: self.now, until }
    }

    /// Judges an attempt while there is time left to settle it.
    pub async fn in_time<T>(&self, judge: impl Future<Output = T>) -> Result<T, Interrupted> {
        let judged = tokio::time::timeout_at(self.judged_by().into(), judge).await;
        judged.map_err(|_| Interrupted::TooLate)
    }

    fn judged_by(&self) -> Instant {
        self.deadline.checked_sub(SETTLING).unwrap_or(self.deadline)
    }

    /// Runs work that keeps a processor busy (password hashing) on a thread where it delays no other request. Waits until a
    /// processor is free. The work of a request that was given up meanwhile does not begin.
    pub async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Interrupted> {
        let place = PROCESSORS.acquire().await.map_err(|error| Interrupted::Lost(error.to_string()))?;
        let work = move || {
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Interrupted::Lost(error.to_string()))
    }

    /// The request's entropy, for work on another thread.
    pub fn shared_entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.entropy)
    }
}
