//! The traits of endpoints and workers.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    domain_events::{DomainEvent, Message},
    entropy::Entropy,
    id::{Id, OfEvent, OfMessage, WorkspaceId},
    region::Region,
};
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    call::RequestContext,
    caller::{Caller, TokenIds},
    cursor::Cursor,
    input::Input,
    ports::Ports,
    spec::{Spec, WorkerSpec},
    stop::Stop,
};

/// One endpoint, one function.
pub trait Endpoint: Sized + Send + Sync + 'static {
    /// The description.
    const SPEC: Spec;
    /// The type of the caller.
    type Caller: Caller;
    /// The ports that the handler uses.
    type Deps: Send + Sync + 'static;
    /// The input.
    type Input: Input;
    /// The successful answer.
    type Output: Output;
    /// The errors.
    type Error: Into<Stop> + Send;

    /// Picks the ports that the handler uses; only these are linked into its function.
    fn deps(ports: &impl Ports) -> Self::Deps;

    /// Begins to read beside the session check, for an endpoint that only reads: whatever needs nothing but `ids`. Runs once the
    /// access token's signature is verified. When the session check refuses, `input` is dropped with what it read so far.
    ///
    /// Does not run for API keys and for `owner=`, which name no workspace before they are looked up.
    fn prefetch(
        _deps: &Self::Deps,
        _ids: &TokenIds,
        _input: &mut Self::Input,
    ) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Answers a request.
    fn handle(
        deps: &Self::Deps,
        call: &RequestContext<Self::Caller>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// A successful answer: a JSON body, or a text for requests that ask for one, and perhaps headers.
pub trait Output: Serialize + JsonSchema + Send {
    /// The media type of [`Output::text`]. `None`: every body is JSON.
    const TEXT_TYPE: Option<&'static str> = None;

    /// The body as a text of the type [`Output::TEXT_TYPE`]. `None`: the body is JSON.
    fn text(&self) -> Option<&str> {
        None
    }

    /// Additional headers.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }

    /// The cursor of a list's next page, if there is one. The answer then has a `Link` header to that page.
    fn next_page(&self) -> Option<&Cursor> {
        None
    }
}

/// A function without a route: a consumer of events, a scheduled job, an authorizer.
pub trait Worker: Sized + Send + Sync + 'static {
    /// The description.
    const SPEC: WorkerSpec;
    /// The ports that the worker uses.
    type Deps: Send + Sync + 'static;
    /// The event that triggers it.
    type Event: DeserializeOwned + Send;
    /// The result.
    type Result: Serialize + Send;
    /// The errors; the event is then delivered again.
    type Error: std::fmt::Display + Send;

    /// Picks the ports that the worker uses.
    fn deps(ports: &impl Ports) -> Self::Deps;

    /// Handles an event.
    fn handle(
        deps: &Self::Deps,
        job: &RunContext,
        event: Self::Event,
    ) -> impl Future<Output = Result<Self::Result, Self::Error>> + Send;
}

/// One run of a worker.
pub struct RunContext {
    /// When it began.
    pub now: Timestamp,
    /// The region it runs in.
    pub region: Region,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl RunContext {
    /// A message.
    pub fn message(&self, notice: DomainEvent) -> Message {
        Message { id: Id::<OfMessage>::new(self.now, &*self.entropy), at: self.now, notice }
    }

    /// An activity event of a workspace.
    pub fn event(
        &self,
        workspace: WorkspaceId,
        actor: Actor,
        action: Action,
        of: ResourceType,
    ) -> ActivityEvent {
        let id = Id::<OfEvent>::new(self.now, &*self.entropy);
        ActivityEvent::new(id, workspace, actor, action, of)
    }
}

/// Visits the functions of an area: the local platform, the OpenAPI writer, the template writer and the access matrix.
pub trait Visitor {
    /// Visits an endpoint.
    fn endpoint<E: Endpoint>(&mut self);
    /// Visits a worker.
    fn worker<W: Worker>(&mut self);
}

/// The one list of an area's functions: declares their modules and makes `register`, which shows them to a visitor.
#[macro_export]
macro_rules! functions {
    ($(endpoint $module:ident::$endpoint:ident;)* $(worker $worker_module:ident::$worker:ident;)*) => {
        $(pub mod $module;)*
        $(pub mod $worker_module;)*

        /// Shows every function of this area to `visitor`.
        pub fn register(visitor: &mut impl $crate::Visitor) {
            $(visitor.endpoint::<$module::$endpoint>();)*
            $(visitor.worker::<$worker_module::$worker>();)*
        }
    };
}
