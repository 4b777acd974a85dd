//! The one description of an endpoint. Routes, the OpenAPI document, the template's functions, their IAM statements and
//! the access matrix all derive from it.

use domain::role::Role;
use tables::Items;

use crate::{grant::Grant, problem::Code};

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "RFC 9110 names them")]
pub enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl Method {
    /// The method as it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; credentials are not looked at.
    Anyone,
    /// A session, even before onboarding.
    Person,
    /// A session of a user with a personal workspace, in which the call acts.
    User,
    /// A session whose user has at least this role in the workspace that `owner=` names (absent: the personal one).
    Member(Role),
    /// The same, or an API key, which acts in its own workspace.
    KeyOr(Role),
}

/// Which of a key's counters a request counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateClass {
    /// Everything without a counter of its own.
    Default,
    /// Uploads.
    Upload,
}

impl RateClass {
    /// Requests a minute.
    pub fn per_minute(self) -> u32 {
        match self {
            Self::Default => 100,
            Self::Upload => 10,
        }
    }

    /// How many requests a container takes out of a minute at once: a tenth, so that containers leave each other some.
    pub fn lease(self) -> u32 {
        self.per_minute().div_ceil(10)
    }

    /// The counter's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Upload => "upload",
        }
    }
}

/// How much memory, and with it processor, a function gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// 256 MB.
    Small,
    /// 1,769 MB: [one full vCPU](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), for password
    /// hashing.
    FullCpu,
}

impl Memory {
    /// Megabytes, as the template says it.
    pub fn megabytes(self) -> u32 {
        match self {
            Self::Small => 256,
            Self::FullCpu => 1_769,
        }
    }
}

/// Which answers are held back, so that they don't tell by time what was found on the way, or in which region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evens {
    /// None.
    Nothing,
    /// Those that refuse.
    Refusals,
    /// All.
    Everything,
}

impl Evens {
    /// Whether an answer with this status is held back.
    pub fn covers(self, status: u16) -> bool {
        match self {
            Self::Nothing => false,
            Self::Refusals => status >= 400,
            Self::Everything => true,
        }
    }
}

/// An endpoint's description.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The function's name and the operation's id.
    pub id: &'static str,
    /// The method it answers to.
    pub method: Method,
    /// A second one that means the same.
    pub also: Option<Method>,
    /// The path, with `{name}` for its parameters.
    pub path: &'static str,
    /// What `{kind}` in the path is to be replaced with, each a path of its own; none if there is no `{kind}`.
    pub kinds: &'static [&'static str],
    /// One sentence on what it does.
    pub summary: &'static str,
    /// Who may call.
    pub access: Access,
    /// What it may do with AWS, beyond what its access needs.
    pub grants: &'static [Grant],
    /// Which counter of a key it counts towards.
    pub class: RateClass,
    /// How much memory it gets.
    pub memory: Memory,
    /// The status of a successful answer.
    pub success: u16,
    /// Whether an `Idempotency-Key` is honoured.
    pub once: bool,
    /// The most bytes that a body may have.
    pub body_limit: usize,
    /// Whether its handler may say that a request is another region's to answer.
    pub roams: bool,
    /// Which of its answers are held back, so that they don't tell by time where they come from.
    pub evens: Evens,
    /// Problems of its own, beyond those that its access, input and dispatch bring.
    pub problems: &'static [Code],
}

/// Starts a description: answers 200, anybody may call, bodies up to 64 KiB.
pub const fn spec(id: &'static str, method: Method, path: &'static str) -> Spec {
    Spec {
        id,
        method,
        also: None,
        path,
        kinds: &[],
        summary: "",
        access: Access::Anyone,
        grants: &[],
        class: RateClass::Default,
        memory: Memory::Small,
        success: 200,
        once: false,
        body_limit: 64 * 1024,
        roams: false,
        evens: Evens::Nothing,
        problems: &[],
    }
}

impl Spec {
    /// Says in one sentence what it does.
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Answers to a second method in the same way.
    pub const fn also(mut self, method: Method) -> Self {
        self.also = Some(method);
        self
    }

    /// Puts it on several paths, one for each kind: [`Spec::routes`].
    pub const fn kinds(mut self, kinds: &'static [&'static str]) -> Self {
        self.kinds = kinds;
        self
    }

    /// Says who may call.
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Says what it may do with AWS.
    pub const fn grants(mut self, grants: &'static [Grant]) -> Self {
        self.grants = grants;
        self
    }

    /// Says which counter of a key it counts towards.
    pub const fn class(mut self, class: RateClass) -> Self {
        self.class = class;
        self
    }

    /// Gives it a full processor.
    pub const fn full_cpu(mut self) -> Self {
        self.memory = Memory::FullCpu;
        self
    }

    /// Says the status of success.
    pub const fn answers(mut self, status: u16) -> Self {
        self.success = status;
        self
    }

    /// Honours an `Idempotency-Key`.
    pub const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Lets its handler say that a request is another region's to answer ([`Problem::elsewhere`]).
    ///
    /// [`Problem::elsewhere`]: crate::problem::Problem::elsewhere
    pub const fn roams(mut self) -> Self {
        self.roams = true;
        self
    }

    /// Holds its refusals back, so that all take the same time.
    pub const fn evens_refusals(mut self) -> Self {
        self.evens = Evens::Refusals;
        self
    }

    /// Holds all its answers back, so that all take the same time: for an endpoint that always says the same.
    pub const fn evens_answers(mut self) -> Self {
        self.evens = Evens::Everything;
        self
    }

    /// Names problems of its own.
    pub const fn problems(mut self, problems: &'static [Code]) -> Self {
        self.problems = problems;
        self
    }

    /// The methods it answers to.
    pub fn methods(&self) -> impl Iterator<Item = Method> + use<> {
        std::iter::once(self.method).chain(self.also)
    }

    /// Whether it looks at credentials.
    pub fn is_private(&self) -> bool {
        self.access != Access::Anyone
    }

    /// Whether a request may be another region's to answer: by its credential, or because the endpoint says so.
    pub fn sends_on(&self) -> bool {
        self.is_private() || self.roams
    }

    /// Whether `owner=` says in which workspace it acts.
    pub fn takes_owner(&self) -> bool {
        matches!(self.access, Access::Member(_) | Access::KeyOr(_))
    }

    /// Whether an API key may call it.
    pub fn takes_key(&self) -> bool {
        matches!(self.access, Access::KeyOr(_))
    }

    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        self.method != Method::Get
    }

    /// What it may do with AWS in all: what its access, its limits and its receipts need, and its own grants.
    pub fn all_grants(&self) -> Vec<Grant> {
        let mut grants = Vec::from(self.grants);
        if self.sends_on() {
            grants.push(Grant::secret("forwarding"));
        }
        if self.is_private() {
            grants.extend([
                Grant::items("Query", Items::SigningKeys),
                Grant::items("BatchGetItem", Items::Sessions),
                Grant::items("BatchGetItem", Items::Workspaces),
            ]);
        }
        if self.takes_owner() {
            grants.extend([
                Grant::items("GetItem", Items::Handles),
                Grant::items("GetItem", Items::HandleClaims),
                Grant::items("BatchGetItem", Items::Members),
            ]);
        }
        if self.takes_key() {
            grants.push(Grant::items("GetItem", Items::KeyHolders));
            grants.push(Grant::items("UpdateItem", Items::RateWindows));
        }
        if self.once {
            grants.push(Grant::items("GetItem", Items::Receipts));
        }
        grants.sort();
        grants.dedup();
        grants
    }
}

/// What sets a function off that has no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// New records in the outbox, from the stream of its table.
    OutboxStream,
    /// Events on the bus with one of these types.
    Bus(&'static [&'static str]),
    /// API Gateway asks it who calls another service.
    Authorizer,
    /// EventBridge Scheduler, again and again.
    Schedule(Every),
    /// Secrets Manager, in four steps, whenever a secret is rotated.
    Rotation,
}

/// How often something is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it themselves")]
pub enum Every {
    Minutes(u32),
    Hours(u32),
    Days(u32),
}

impl Every {
    /// The time in between, in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minutes(minutes) => 60 * i64::from(minutes),
            Self::Hours(hours) => 3_600 * i64::from(hours),
            Self::Days(days) => 86_400 * i64::from(days),
        }
    }
}

/// The description of a function without a route.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSpec {
    /// The function's name.
    pub id: &'static str,
    /// One sentence on what it does.
    pub summary: &'static str,
    /// What sets it off.
    pub trigger: Trigger,
    /// A second thing that does.
    pub also: Option<Trigger>,
    /// What it may do with AWS.
    pub grants: &'static [Grant],
}

/// Describes a function without a route.
pub const fn worker(
    id: &'static str,
    trigger: Trigger,
    summary: &'static str,
    grants: &'static [Grant],
) -> WorkerSpec {
    WorkerSpec { id, summary, trigger, also: None, grants }
}

impl WorkerSpec {
    /// Has something of another sort set it off too: a schedule, say, and the events by which it goes on where it stopped. Its
    /// `Event` then reads what either of them sends; the schedule sends `{}`.
    pub const fn also(mut self, trigger: Trigger) -> Self {
        self.also = Some(trigger);
        self
    }

    /// What sets it off.
    pub fn triggers(&self) -> impl Iterator<Item = Trigger> + use<> {
        std::iter::once(self.trigger).chain(self.also)
    }

    /// How often it is scheduled, if it is.
    pub fn schedule(&self) -> Option<Every> {
        self.triggers().find_map(|trigger| match trigger {
            Trigger::Schedule(every) => Some(every),
            Trigger::OutboxStream | Trigger::Bus(_) | Trigger::Authorizer | Trigger::Rotation => None,
        })
    }

    /// Whether this sets it off.
    pub fn has(&self, trigger: Trigger) -> bool {
        self.triggers().any(|own| own == trigger)
    }
}
