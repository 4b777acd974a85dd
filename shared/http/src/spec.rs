//! The one description of an endpoint. Routes, the OpenAPI document, the template's functions, their IAM statements and
//! the access matrix all derive from it.

use domain::{domain_events::DomainEvent, throttle::NetworkLimit};
use tables::{
    Grant, PortMethod,
    grants::{
        address_hashes, api_keys, directory, extras, forwarding_keys, idempotency_records, rate_windows,
        sessions, throttles, workspaces,
    },
};

use crate::{
    access::{Access, CredentialKind, Scope},
    problem::Code,
    rate_limits::RateClass,
};

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
    /// Megabytes, as in the template.
    pub fn megabytes(self) -> u32 {
        match self {
            Self::Small => 256,
            Self::FullCpu => 1_769,
        }
    }
}

/// The answers with a minimum time, which must not leak timing: what was found, or in which region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimingPadding {
    /// None.
    Nothing,
    /// Those that refuse.
    Refusals,
    /// All.
    Everything,
}

impl TimingPadding {
    /// Whether an answer with this status has a minimum time.
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
    /// The values of `{kind}` in the path, each with a path of its own. Empty without `{kind}`.
    pub kinds: &'static [&'static str],
    /// One sentence that describes it.
    pub summary: &'static str,
    /// The callers that it accepts.
    pub access: Access,
    /// The port methods that its handler calls.
    pub uses: &'static [PortMethod],
    /// Which counter of a key it counts towards.
    pub rate_class: RateClass,
    /// The limit on requests from one network.
    pub network_limit: Option<NetworkLimit>,
    /// How much memory it gets.
    pub memory: Memory,
    /// The status of a successful answer.
    pub success: u16,
    /// Whether an `Idempotency-Key` is honoured.
    pub once: bool,
    /// The cookie that keeps the keys of anonymous callers apart, where the body doesn't.
    pub once_per_cookie: Option<&'static str>,
    /// The most bytes that a body may have.
    pub body_limit: usize,
    /// Whether its handler may forward a request to another region.
    pub may_forward: bool,
    /// The answers with a minimum time.
    pub timing_padding: TimingPadding,
    /// Whether it answers a session that ended because it requested the deletion of its account.
    pub answers_deleted: bool,
    /// Whether it answers the members of a team without a paid plan.
    pub open_to_inactive: bool,
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
        access: Access::anyone(),
        uses: &[],
        rate_class: RateClass::Default,
        network_limit: None,
        memory: Memory::Small,
        success: 200,
        once: false,
        once_per_cookie: None,
        body_limit: 64 * 1024,
        may_forward: false,
        timing_padding: TimingPadding::Nothing,
        answers_deleted: false,
        open_to_inactive: false,
        problems: &[],
    }
}

impl Spec {
    /// Sets the sentence that describes it.
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

    /// Sets the callers that it accepts.
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Names the port methods that its handler calls.
    pub const fn uses(mut self, methods: &'static [PortMethod]) -> Self {
        self.uses = methods;
        self
    }

    /// Says which counter of a key it counts towards.
    pub const fn rate_class(mut self, class: RateClass) -> Self {
        self.rate_class = class;
        self
    }

    /// Limits the requests from one network, over all regions that they go to.
    pub const fn limits_network(mut self, limit: NetworkLimit) -> Self {
        self.network_limit = Some(limit);
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

    /// Honours an `Idempotency-Key`, which means something else with another value of this cookie: the body of an anonymous
    /// caller may be the same for everybody.
    pub const fn once_per_cookie(mut self, name: &'static str) -> Self {
        self.once = true;
        self.once_per_cookie = Some(name);
        self
    }

    /// Takes bodies of up to this many bytes.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Lets its handler forward a request to the region that it belongs to (`Stop::elsewhere`).
    pub const fn may_forward(mut self) -> Self {
        self.may_forward = true;
        self
    }

    /// Gives all refusals the same minimum time.
    pub const fn pads_refusals(mut self) -> Self {
        self.timing_padding = TimingPadding::Refusals;
        self
    }

    /// Gives all answers the same minimum time: for an endpoint whose answer is always the same.
    pub const fn pads_answers(mut self) -> Self {
        self.timing_padding = TimingPadding::Everything;
        self
    }

    /// Answers a session that ended because it requested the deletion of its account: its caller is an `AnyPerson`.
    pub const fn answers_deleted(mut self) -> Self {
        self.answers_deleted = true;
        self
    }

    /// Answers the members of a team without a paid plan, which otherwise only its owner can open.
    pub const fn open_to_inactive(mut self) -> Self {
        self.open_to_inactive = true;
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

    /// Whether it reads credentials.
    pub fn is_private(&self) -> bool {
        !self.access.credentials.is_empty()
    }

    /// Whether other services of the platform call it, and nobody else.
    pub fn is_for_services(&self) -> bool {
        self.access.takes(CredentialKind::Service)
    }

    /// Whether the other regions call it, and nobody else.
    pub fn is_for_regions(&self) -> bool {
        self.access.takes(CredentialKind::Region)
    }

    /// Whether a request may belong to another region: by its credential, or because the endpoint says so.
    pub fn sends_on(&self) -> bool {
        (self.is_private() && !self.is_for_services()) || self.may_forward
    }

    /// Whether `owner=` says in which workspace it acts.
    pub fn takes_owner(&self) -> bool {
        matches!(self.access.scope, Scope::Workspace(_))
    }

    /// Whether an API key may call it.
    pub fn takes_key(&self) -> bool {
        self.access.takes(CredentialKind::ApiKey)
    }

    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        self.method != Method::Get
    }

    /// The port methods that dispatch calls for it: for its access, its limits and its idempotency records.
    pub fn used_by_dispatch(&self) -> Vec<PortMethod> {
        let mut methods = Vec::new();
        if self.sends_on() {
            methods.push(forwarding_keys::FORWARDING_KEY);
        }
        for kind in self.access.credentials {
            match kind {
                CredentialKind::Session => methods.extend([directory::SIGNING_KEYS, sessions::CONTEXT]),
                CredentialKind::ApiKey => {
                    methods.extend([api_keys::HOLDER, workspaces::OWNER, rate_windows::TAKE]);
                }
                // The gateway verifies the one, and the forwarding key the other.
                CredentialKind::Service | CredentialKind::Region => {}
            }
        }
        if self.takes_owner() {
            methods.extend([
                workspaces::BY_HANDLE,
                directory::FIND_HANDLE,
                sessions::CONTEXT_IN_TEAM,
                workspaces::MEMBERSHIP,
            ]);
        }
        if let Some(limit) = self.network_limit {
            methods.push(address_hashes::NETWORK_HASH);
            match limit.per_window() {
                Some(_) => methods.push(rate_windows::TAKE),
                None => methods.push(throttles::RESERVE),
            }
        }
        if self.once {
            methods.extend([idempotency_records::FIND, extras::IDEMPOTENCY_RECORD]);
        }
        if self.answers_deleted {
            methods.push(sessions::DELETION_BY);
        }
        methods
    }

    /// What its function may do with AWS.
    pub fn grants(&self) -> Vec<Grant> {
        grants_of(self.uses.iter().copied().chain(self.used_by_dispatch()))
    }
}

/// What the adapters of these port methods do with AWS.
fn grants_of(methods: impl Iterator<Item = PortMethod>) -> Vec<Grant> {
    let mut grants: Vec<Grant> = methods.flat_map(|method| method.grants).copied().collect();
    grants.sort();
    grants.dedup();
    grants
}

/// The trigger of a function without a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// New records in the outbox, from the stream of its table.
    OutboxStream,
    /// The events on the bus that the function consumes ([`DomainEvent::TYPES`]).
    Bus,
    /// What becomes of mails that SES accepted: bounces and complaints, from the default bus.
    MailFeedback,
    /// API Gateway asks it to authenticate the callers of other services.
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
    /// One sentence that describes it.
    pub summary: &'static str,
    /// The trigger.
    pub trigger: Trigger,
    /// A second trigger.
    pub also: Option<Trigger>,
    /// The port methods that it calls.
    pub uses: &'static [PortMethod],
}

/// Describes a function without a route.
pub const fn worker(
    id: &'static str,
    trigger: Trigger,
    summary: &'static str,
    uses: &'static [PortMethod],
) -> WorkerSpec {
    WorkerSpec { id, summary, trigger, also: None, uses }
}

impl WorkerSpec {
    /// All AWS actions of the port methods that it calls.
    pub fn grants(&self) -> Vec<Grant> {
        grants_of(self.uses.iter().copied())
    }

    /// Adds a second trigger, as in a schedule and the events that continue its work. Its `Event` then deserializes the events of
    /// both; a schedule sends `{}`.
    pub const fn also(mut self, trigger: Trigger) -> Self {
        self.also = Some(trigger);
        self
    }

    /// Its triggers.
    pub fn triggers(&self) -> impl Iterator<Item = Trigger> + use<> {
        std::iter::once(self.trigger).chain(self.also)
    }

    /// The types of the events on the bus that invoke it.
    pub fn events(&self) -> Vec<&'static str> {
        if self.has(Trigger::Bus) { DomainEvent::consumed_by(self.id).collect() } else { Vec::new() }
    }

    /// How often it is scheduled, if it is.
    pub fn schedule(&self) -> Option<Every> {
        self.triggers().find_map(|trigger| match trigger {
            Trigger::Schedule(every) => Some(every),
            Trigger::OutboxStream
            | Trigger::Bus
            | Trigger::MailFeedback
            | Trigger::Authorizer
            | Trigger::Rotation => None,
        })
    }

    /// Whether its events wait in a queue ([SQS]), which invokes it with batches of messages.
    ///
    /// [SQS]: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    pub fn reads_queue(&self) -> bool {
        self.has(Trigger::Bus) || self.has(Trigger::MailFeedback)
    }

    /// Whether it has this trigger.
    pub fn has(&self, trigger: Trigger) -> bool {
        self.triggers().any(|own| own == trigger)
    }
}
