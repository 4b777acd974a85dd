//! The endpoint kit. An endpoint is a [`Spec`], typed input and output, and one function. Everything that all endpoints share
//! is here, once: authentication, access, rate limits, idempotency, problems, forwarding, and one log line a request.

pub mod access;
pub mod attempts;
pub mod authentication;
pub mod call;
pub mod caller;
pub mod caller_assertion;
pub mod clock;
pub mod credentials;
pub mod cursor;
pub mod dispatch;
pub mod endpoint;
pub mod forwarding;
pub mod idempotency;
pub mod input;
mod json;
pub mod mail_allowance;
pub mod meter;
pub mod networks;
pub mod optional_body;
pub mod parameters;
pub mod permitted;
pub mod ports;
pub mod prefetched;
pub mod problem;
pub mod promo_tries;
pub mod rate_counters;
pub mod rate_limits;
pub mod refused_networks;
mod region_call;
pub mod region_client;
pub mod routes;
pub mod services;
pub mod spec;
pub mod stop;
pub mod token;
mod whole;
pub mod worker;

pub use access::Access;
pub use attempts::AttemptError;
pub use call::{Interrupted, RequestContext};
pub use caller::{
    AnyPerson, Anyone, KeyOrMember, NoWorkspace, OtherRegion, Person, PersonOrGuest, PersonOrKey, Service,
    ServiceCaller, TokenIds,
};
pub use caller_assertion::{CallerAssertion, Guest};
pub use clock::Clock;
pub use credentials::CredentialError;
pub use cursor::CursorError;
pub use dispatch::dispatch;
pub use endpoint::{Endpoint, Output, RunContext, Visitor, Worker};
pub use input::{Body, Input, Params};
pub use optional_body::OptionalBody;
pub use permitted::{Editor, Permitted};
pub use ports::Ports;
pub use prefetched::Prefetched;
pub use problem::{Code, FieldError, Problem};
pub use rate_limits::RateClass;
pub use region_client::RegionClient;
pub use services::Services;
pub use spec::{Memory, Spec, Trigger, WorkerSpec, spec, worker};
pub use stop::Stop;
pub use tables::{ExportRule, Grant, ItemKind, On, PortMethod, grants};
pub use whole::Whole;
