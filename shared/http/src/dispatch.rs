//! One request from its first byte to its one log line: who, may they, how often, was it done before, the handler, and
//! what it comes to.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{
    Timestamp,
    entropy::Entropy,
    id::{Id, OfRequest, RequestId, WorkspaceId},
    ports::{ApiKeys, Directory, Failure, ForwardingKeys, RateWindows, Receipts, Sessions, Workspaces},
    region::Region,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};

use crate::{
    call::Call,
    caller::{self, Caller, Found, Identified},
    clock::Clock,
    endpoint::{Endpoint, Output},
    forward::{Letter, Regions, Vouched, passed_back},
    idempotency::{Key, Once},
    input::{Input, Raw},
    limits::{Budget, Leases},
    meter::Meter,
    problem::{Code, Problem},
    spec::{Evens, Method, Spec},
    token::Verifier,
};

/// A request is answered within this, however the services behind it fare.
const DEADLINE: Duration = Duration::from_secs(3);
/// A change that meets its own receipt is answered again; so often at the most.
const ROUNDS: usize = 3;

/// What dispatch itself works with, the same for every endpoint.
pub struct Kit {
    /// The region that answers.
    pub region: Region,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Proves access tokens.
    pub tokens: Verifier,
    /// Finds sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Finds workspaces.
    pub workspaces: Arc<dyn Workspaces>,
    /// Finds keys.
    pub keys: Arc<dyn ApiKeys>,
    /// Counts requests.
    pub windows: Arc<dyn RateWindows>,
    /// What this container may still let through.
    pub leases: Leases,
    /// Finds receipts.
    pub receipts: Arc<dyn Receipts>,
    /// Knows whose names are.
    pub directory: Arc<dyn Directory>,
    /// The way to the other regions.
    pub regions: Arc<dyn Regions>,
    /// Signs what is sent there.
    pub forwarding: Arc<dyn ForwardingKeys>,
    /// How long answers are held back that must not tell by time where they come from.
    pub refusals_after: Duration,
}

/// The network address that a request came from, as the gateway saw it (a request extension).
#[derive(Debug, Clone, Copy)]
pub struct NetworkAddress(pub IpAddr);

/// The values of the path's `{name}`s (a request extension).
#[derive(Debug, Clone, Default)]
pub struct PathParams(pub Vec<(String, String)>);

/// Answers one request to `E`.
pub async fn dispatch<E: Endpoint>(kit: &Kit, deps: &E::Deps, request: Request<Bytes>) -> Response<Bytes> {
    let started = Instant::now();
    let id: RequestId = Id::<OfRequest>::new(kit.clock.now(), &*kit.entropy);
    let meter = Meter::new(id.to_string());
    let mut seen = Seen::new(id, started);
    let work = meter.measure(arrive::<E>(kit, deps, &request, &meter, &mut seen));
    let outcome = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(too_late()));
    let (code, inside) = match &outcome {
        Ok(_) if seen.sent_to.is_some() => ("SENT_ON", None),
        Ok(_) => ("OK", None),
        Err(problem) => (problem.code.as_str(), problem.inside.clone()),
    };
    let mut response = outcome.unwrap_or_else(|problem| problem.response(&seen.id.to_string()));
    finish(response.headers_mut(), seen.id, seen.budget);
    if seen.evens.covers(response.status().as_u16()) {
        tokio::time::sleep_until((started + kit.refusals_after).into()).await;
    }
    tracing::info!(
        request = %seen.id,
        endpoint = E::SPEC.id,
        status = response.status().as_u16(),
        code,
        workspace = seen.workspace.map(tracing::field::display),
        sent_to = seen.sent_to.map(tracing::field::display),
        millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        aws_calls = meter.calls(),
        inside,
    );
    response
}

fn too_late() -> Problem {
    let sentence = "This took too long. Please try again in a moment.";
    Problem { retry_after: Some(1), ..Problem::new(Code::Unavailable, sentence) }
}

/// What was found out on the way, whether or not it ended well.
struct Seen {
    id: RequestId,
    started: Instant,
    workspace: Option<WorkspaceId>,
    budget: Option<Budget>,
    sent_to: Option<Region>,
    evens: Evens,
}

impl Seen {
    fn new(id: RequestId, started: Instant) -> Self {
        Self { id, started, workspace: None, budget: None, sent_to: None, evens: Evens::Nothing }
    }
}

fn finish(headers: &mut HeaderMap, id: RequestId, budget: Option<Budget>) {
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(budget) = budget {
        budget.write(headers);
    }
}

/// Reads what another region says of the request, if it comes from one, then answers it or sends it on.
async fn arrive<E: Endpoint>(
    kit: &Kit,
    deps: &E::Deps,
    request: &Request<Bytes>,
    meter: &Meter,
    seen: &mut Seen,
) -> Result<Response<Bytes>, Problem> {
    if request.body().len() > E::SPEC.body_limit {
        let sentence = format!("The body may have {} bytes at the most.", E::SPEC.body_limit);
        return Err(Problem::new(Code::PayloadTooLarge, sentence));
    }
    let letter = Letter::read(&*kit.forwarding, request, kit.region, kit.clock.now()).await?;
    if let Some(letter) = &letter {
        seen.id = letter.request;
        meter.rename(letter.request.to_string());
    }
    let within = letter.as_ref().map_or(DEADLINE, Letter::within);
    let answer = tokio::time::timeout(within, answer::<E>(kit, deps, request, letter.as_ref(), seen));
    match answer.await.unwrap_or_else(|_| Err(too_late()))? {
        Answered::Here(response) => Ok(response),
        Answered::Elsewhere(region, caller) => send(kit, request, letter, seen, region, caller).await,
    }
}

/// Where a request is answered.
enum Answered {
    Here(Response<Bytes>),
    Elsewhere(Region, Option<Vouched>),
}

/// Sends a request on to its home.
async fn send(
    kit: &Kit,
    request: &Request<Bytes>,
    letter: Option<Letter>,
    seen: &mut Seen,
    region: Region,
    caller: Option<Vouched>,
) -> Result<Response<Bytes>, Problem> {
    // From one region to the next only to vouch for the caller there: nothing can go round in circles.
    if letter.as_ref().is_some_and(|letter| letter.caller.is_some() || caller.is_none()) {
        return Err(Problem::elsewhere(region));
    }
    let network = network(request, letter.as_ref());
    let left = DEADLINE.saturating_sub(seen.started.elapsed());
    let next = Letter::new(region, kit.clock.now(), seen.id, network, left).vouching_for(caller);
    let sent = next.attach(&*kit.forwarding, request).await?;
    seen.sent_to = Some(region);
    Ok(passed_back(kit.regions.send(region, sent, next.within()).await?))
}

/// The client's address: as the gateway saw it, or as the region that sent the request here did.
fn network(request: &Request<Bytes>, letter: Option<&Letter>) -> Option<IpAddr> {
    match letter {
        Some(letter) => letter.network,
        None => request.extensions().get::<NetworkAddress>().map(|address| address.0),
    }
}

async fn answer<E: Endpoint>(
    kit: &Kit,
    deps: &E::Deps,
    request: &Request<Bytes>,
    letter: Option<&Letter>,
    seen: &mut Seen,
) -> Result<Answered, Problem> {
    let (spec, headers) = (&E::SPEC, request.headers());
    let now = kit.clock.now();
    let query = request.uri().query().unwrap_or_default();
    let (owner, pairs) = split_query(spec, query)?;
    let method = if request.method() == http::Method::GET { Method::Get } else { spec.method };
    let found = caller::identify(kit, spec, method, headers, owner.as_deref(), (letter, now)).await?;
    let who = match found {
        Found::Here(who) => who,
        Found::Elsewhere(region, caller) => return Ok(Answered::Elsewhere(region, caller)),
    };
    seen.workspace = who.workspace();
    spend(kit, spec, &who, now, seen).await?;
    let path = spec.path_params(request);
    let raw = Raw { path: &path, query: pairs, headers, body: request.body() };
    let first_input = E::Input::read(&raw)?;
    seen.evens = if letter.is_none() { spec.evens } else { Evens::Nothing };
    let operation = format!("{} {}", spec.id, request.uri().path());
    let key = match spec.once {
        true => Key::read(headers, who.scope().as_deref(), &operation, query, request.body())?,
        false => None,
    };
    let mismatch = || Problem::internal(format!("{} wants another form of caller", spec.id));
    let mut call = Call {
        caller: E::Caller::from_identified(who).ok_or_else(mismatch)?,
        request: seen.id,
        now,
        region: kit.region,
        network: network(request, letter),
        forwarded: letter.is_some(),
        entropy: Arc::clone(&kit.entropy),
        once: Once::Unkeyed,
        headers: headers.clone(),
    };
    let mut input = first_input;
    for _ in 0..ROUNDS {
        if let Some(key) = &key {
            call.once = key.look_up(&*kit.receipts, now).await?;
        }
        match E::handle(deps, &call, input).await.map_err(Into::into) {
            Ok(output) => return success(spec, &output).map(Answered::Here),
            // The same request got there first: its receipt says what it made.
            Err(problem) if problem.already_done => input = E::Input::read(&raw)?,
            Err(Problem { elsewhere: Some(region), .. }) => return Ok(Answered::Elsewhere(region, None)),
            Err(problem) => return Err(problem),
        }
    }
    Err(Failure::Raced.into())
}

/// Counts a key's request against its limit.
async fn spend(
    kit: &Kit,
    spec: &Spec,
    who: &Identified,
    now: Timestamp,
    seen: &mut Seen,
) -> Result<(), Problem> {
    let Identified::Key(holder) = who else { return Ok(()) };
    let (budget, refused) =
        match kit.leases.spend(&*kit.windows, &holder.key.to_string(), spec.class, now).await {
            Ok(budget) => (budget, Ok(())),
            Err((problem, budget)) => (budget, Err(problem)),
        };
    seen.budget = Some(budget);
    refused
}

fn success(spec: &Spec, output: &impl Output) -> Result<Response<Bytes>, Problem> {
    let body = serde_json::to_vec(output).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(spec.success).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in output.headers() {
        headers.append(name, value);
    }
    Ok(response)
}

/// A query's parameters.
type Pairs = Vec<(String, String)>;

/// Takes `owner` out of the query where it says in which workspace the call acts.
fn split_query(spec: &Spec, query: &str) -> Result<(Option<String>, Pairs), Problem> {
    let unreadable = |_| Problem::new(Code::BadRequest, "The query can't be read.");
    let pairs: Pairs = serde_urlencoded::from_str(query).map_err(unreadable)?;
    if !spec.takes_owner() {
        return Ok((None, pairs));
    }
    let (owners, rest): (Pairs, Pairs) = pairs.into_iter().partition(|(name, _)| name == "owner");
    if owners.len() > 1 {
        return Err(Problem::new(Code::BadRequest, "Name one owner, not several."));
    }
    Ok((owners.into_iter().next().map(|(_, owner)| owner), rest))
}
