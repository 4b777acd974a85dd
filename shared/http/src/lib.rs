//! The endpoint kit. An endpoint is a [`Spec`], typed input and output, and one function; everything that is the same for
//! all of them (who calls, may they, how often, was this done before, what goes wrong, one log line) is here, once.

pub mod call;
pub mod caller;
pub mod clock;
pub mod cursor;
pub mod dispatch;
pub mod endpoint;
pub mod forward;
pub mod grant;
pub mod idempotency;
pub mod input;
pub mod limits;
pub mod meter;
pub mod problem;
pub mod routes;
pub mod spec;
pub mod token;

pub use call::Call;
pub use caller::{Anyone, KeyOrMember, Person};
pub use clock::Clock;
pub use dispatch::{Kit, dispatch};
pub use endpoint::{Endpoint, Job, Output, Ports, Visitor, Worker};
pub use grant::{Grant, On};
pub use input::{Body, Input, Params};
pub use problem::{Code, FieldError, Problem};
pub use spec::{Access, Memory, RateClass, Spec, Trigger, WorkerSpec, spec, worker};
pub use tables::Items;
