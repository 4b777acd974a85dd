//! One request from its first byte to its one log line: who, may they, how often, was it done before, the handler, and
//! what it comes to.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    Timestamp,
    entropy::Entropy,
    id::{Id, OfRequest, RequestId, WorkspaceId},
    ports::{ApiKeys, Failure, RateWindows, Receipts, Sessions, Workspaces},
    region::Region,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};

use crate::{
    call::Call,
    caller::{self, Caller, Identified},
    clock::Clock,
    endpoint::{Endpoint, Output},
    idempotency::{Key, Once},
    input::{Input, Raw},
    limits::{Budget, Leases},
    meter::Meter,
    problem::{Code, Problem},
    spec::{Method, Spec},
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
}

/// The network address that a request came from, as the gateway saw it (a request extension).
#[derive(Debug, Clone, Copy)]
pub struct NetworkAddress(pub IpAddr);

/// The values of the path's `{name}`s (a request extension).
#[derive(Debug, Clone, Default)]
pub struct PathParams(pub Vec<(String, String)>);

/// Answers one request to `E`.
pub async fn dispatch<E: Endpoint>(kit: &Kit, deps: &E::Deps, request: Request<Bytes>) -> Response<Bytes> {
    let started = std::time::Instant::now();
    let id: RequestId = Id::<OfRequest>::new(kit.clock.now(), &*kit.entropy);
    let meter = Meter::new(id.to_string());
    let mut seen = Seen::default();
    let work = meter.measure(answer::<E>(kit, deps, id, &request, &mut seen));
    let outcome = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(too_late()));
    let (code, inside) = match &outcome {
        Ok(_) => ("OK", None),
        Err(problem) => (problem.code.as_str(), problem.inside.clone()),
    };
    let mut response = outcome.unwrap_or_else(|problem| problem.response(&id.to_string()));
    finish(response.headers_mut(), id, seen.budget);
    tracing::info!(
        request = %id,
        endpoint = E::SPEC.id,
        status = response.status().as_u16(),
        code,
        workspace = seen.workspace.map(tracing::field::display),
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
#[derive(Default)]
struct Seen {
    workspace: Option<WorkspaceId>,
    budget: Option<Budget>,
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

async fn answer<E: Endpoint>(
    kit: &Kit,
    deps: &E::Deps,
    id: RequestId,
    request: &Request<Bytes>,
    seen: &mut Seen,
) -> Result<Response<Bytes>, Problem> {
    let (spec, headers) = (&E::SPEC, request.headers());
    if request.body().len() > spec.body_limit {
        let sentence = format!("The body may have {} bytes at the most.", spec.body_limit);
        return Err(Problem::new(Code::PayloadTooLarge, sentence));
    }
    let now = kit.clock.now();
    let query = request.uri().query().unwrap_or_default();
    let (owner, pairs) = split_query(spec, query)?;
    let method = if request.method() == http::Method::GET { Method::Get } else { spec.method };
    let who = caller::identify(kit, spec, method, headers, owner.as_deref(), now).await?;
    seen.workspace = who.workspace();
    spend(kit, spec, &who, now, seen).await?;
    let path = request.extensions().get::<PathParams>().cloned().unwrap_or_default();
    let raw = Raw { path: &path.0, query: pairs, headers, body: request.body() };
    let first_input = E::Input::read(&raw)?;
    let operation = format!("{} {}", spec.id, request.uri().path());
    let key = match spec.once {
        true => Key::read(headers, who.scope().as_deref(), &operation, query, request.body())?,
        false => None,
    };
    let mismatch = || Problem::internal(format!("{} wants another form of caller", spec.id));
    let mut call = Call {
        caller: E::Caller::from_identified(who).ok_or_else(mismatch)?,
        request: id,
        now,
        region: kit.region,
        network: request.extensions().get::<NetworkAddress>().map(|address| address.0),
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
            Ok(output) => return success(spec, &output),
            // The same request got there first: its receipt says what it made.
            Err(problem) if problem.already_done => input = E::Input::read(&raw)?,
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
