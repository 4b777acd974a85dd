//! What an endpoint is.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, Actor, Event, ResourceType},
    blob::{Blobs, Bundles, Presigner},
    entropy::Entropy,
    id::{Id, OfEvent, OfMessage, WorkspaceId},
    outbox::{Message, Notice},
    ports::{
        Accounts, AddressHashes, ApiKeys, Bus, Codes, Consumed, Deletions, Directory, Exports, History,
        Inventory, Mailer, PasswordResets, Purges, Resources, Rotations, Sessions, SignUps, Throttles,
        TokenKeys, Trash, Uploads, Vault, Workspaces,
    },
    region::Region,
};
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    call::Call,
    caller::Caller,
    dispatch::Kit,
    input::Input,
    problem::Problem,
    spec::{Spec, WorkerSpec},
};

/// One endpoint, one function.
pub trait Endpoint: Sized + Send + Sync + 'static {
    /// What it is.
    const SPEC: Spec;
    /// The form in which it wants its caller.
    type Caller: Caller;
    /// What it works with.
    type Deps: Send + Sync + 'static;
    /// What it takes.
    type Input: Input;
    /// What it answers.
    type Output: Output;
    /// What can go wrong.
    type Error: Into<Problem> + Send;

    /// Picks what it works with; only what is picked here is linked into its function.
    fn deps(ports: &impl Ports) -> Self::Deps;

    /// Does it.
    fn handle(
        deps: &Self::Deps,
        call: &Call<Self::Caller>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// A successful answer: a JSON body, and perhaps headers.
pub trait Output: Serialize + JsonSchema + Send {
    /// Headers beside the usual ones.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }
}

/// A function without a route: a consumer of events, a scheduled job, an authorizer.
pub trait Worker: Sized + Send + Sync + 'static {
    /// What it is.
    const SPEC: WorkerSpec;
    /// What it works with.
    type Deps: Send + Sync + 'static;
    /// What sets it off.
    type Event: DeserializeOwned + Send;
    /// What it answers.
    type Result: Serialize + Send;
    /// What can go wrong; the event then comes again.
    type Error: std::fmt::Display + Send;

    /// Picks what it works with.
    fn deps(ports: &impl Ports) -> Self::Deps;

    /// Does it.
    fn handle(
        deps: &Self::Deps,
        job: &Job,
        event: Self::Event,
    ) -> impl Future<Output = Result<Self::Result, Self::Error>> + Send;
}

/// One run of a worker.
pub struct Job {
    /// When it began.
    pub now: Timestamp,
    /// The region it runs in.
    pub region: Region,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Job {
    /// A message.
    pub fn message(&self, notice: Notice) -> Message {
        Message { id: Id::<OfMessage>::new(self.now, &*self.entropy), at: self.now, notice }
    }

    /// A line of a workspace's history.
    pub fn event(&self, workspace: WorkspaceId, actor: Actor, action: Action, of: ResourceType) -> Event {
        let id = Id::<OfEvent>::new(self.now, &*self.entropy);
        Event::new(id, workspace, actor, action, of)
    }
}

/// What functions are built from: one method a port. Lambda's boot implements it over the SDK clients.
pub trait Ports {
    /// What dispatch itself works with.
    fn kit(&self) -> Kit;
    /// Sign-ups that wait for a code.
    fn sign_ups(&self) -> Arc<dyn SignUps>;
    /// Users and credentials.
    fn accounts(&self) -> Arc<dyn Accounts>;
    /// Sessions.
    fn sessions(&self) -> Arc<dyn Sessions>;
    /// Setting a new password by mail.
    fn password_resets(&self) -> Arc<dyn PasswordResets>;
    /// Counters of failed attempts.
    fn throttles(&self) -> Arc<dyn Throttles>;
    /// Workspaces and handles.
    fn workspaces(&self) -> Arc<dyn Workspaces>;
    /// API keys.
    fn api_keys(&self) -> Arc<dyn ApiKeys>;
    /// Histories and inboxes.
    fn history(&self) -> Arc<dyn History>;
    /// Projects, datasets and models.
    fn resources(&self) -> Arc<dyn Resources>;
    /// The trash.
    fn trash(&self) -> Arc<dyn Trash>;
    /// Uploads and files.
    fn uploads(&self) -> Arc<dyn Uploads>;
    /// Removing what is over.
    fn purges(&self) -> Arc<dyn Purges>;
    /// The directory: whose names are, and the public keys.
    fn directory(&self) -> Arc<dyn Directory>;
    /// Envelope encryption.
    fn vault(&self) -> Arc<dyn Vault>;
    /// Token signing.
    fn token_keys(&self) -> Arc<dyn TokenKeys>;
    /// Hashes of addresses.
    fn address_hashes(&self) -> Arc<dyn AddressHashes>;
    /// Mailed codes.
    fn codes(&self) -> Arc<dyn Codes>;
    /// New versions of secrets.
    fn rotations(&self) -> Arc<dyn Rotations>;
    /// Mail.
    fn mailer(&self) -> Arc<dyn Mailer>;
    /// The event bus.
    fn bus(&self) -> Arc<dyn Bus>;
    /// Who acted on which message.
    fn consumed(&self) -> Arc<dyn Consumed>;
    /// Requests to the bucket that others send.
    fn presigner(&self) -> Arc<dyn Presigner>;
    /// What is in the bucket.
    fn blobs(&self) -> Arc<dyn Blobs>;
    /// Writing export bundles.
    fn bundles(&self) -> Arc<dyn Bundles>;
    /// Exports.
    fn exports(&self) -> Arc<dyn Exports>;
    /// All that there is of a workspace and a person.
    fn inventory(&self) -> Arc<dyn Inventory>;
    /// Deletions.
    fn deletions(&self) -> Arc<dyn Deletions>;
}

/// Walks the functions of an area. The local platform, the OpenAPI writer, the template writer and the access sweep are
/// visitors.
pub trait Visitor {
    /// Meets an endpoint.
    fn endpoint<E: Endpoint>(&mut self);
    /// Meets a worker.
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
