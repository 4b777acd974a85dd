//! Takes a request from its arrival to its answer and its one log line: authentication, access, limits, idempotency, the
//! handler.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{
    Timestamp,
    handle::Handle,
    id::{Id, OfRequest, RequestId, WorkspaceId},
    ports::Rounds,
    region::Region,
    throttle::Wait,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};

use crate::{
    authentication::{Presented, authenticate, identify},
    call::RequestContext,
    caller::{Caller, Identified},
    caller_assertion::CallerAssertion,
    credentials,
    endpoint::{Endpoint, Output},
    forwarding::{self, ForwardedRequest, passed_back},
    idempotency::{self, Key, Once},
    input::{Input, Raw},
    meter::Meter,
    networks::{self, Admission},
    problem::{Code, Problem},
    rate_counters::Budget,
    services::Services,
    spec::{Method, Spec, TimingPadding},
    stop::Stop,
};

/// A request is answered within this time, however the services behind it fare.
const DEADLINE: Duration = Duration::from_secs(3);

/// The network address that a request came from, as the gateway saw it (a request extension).
#[derive(Debug, Clone, Copy)]
pub struct NetworkAddress(pub IpAddr);

/// Answers one request to `E`.
pub async fn dispatch<E: Endpoint>(
    services: &Services,
    deps: &E::Deps,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let started = Instant::now();
    let id: RequestId = Id::<OfRequest>::new(services.clock.now(), &*services.entropy);
    let meter = Meter::new(id.to_string());
    let mut trace = RequestTrace::new(id, started);
    let work = meter.measure(arrive::<E>(services, deps, &request, &meter, &mut trace));
    let outcome = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(Problem::too_late()));
    let admission = std::mem::take(&mut trace.admission);
    meter.measure(networks::settle(services, admission, trace.id, is_wrong_password(&outcome))).await;
    let (code, inside) = match &outcome {
        Ok(_) if trace.sent_to.is_some() => ("SENT_ON", None),
        Ok(_) => ("OK", None),
        Err(problem) => (problem.code.as_str(), problem.inside.clone()),
    };
    let mut response = outcome.unwrap_or_else(|problem| problem.response(&trace.id.to_string()));
    finish(response.headers_mut(), trace.id, trace.budget);
    if trace.timing_padding.covers(response.status().as_u16()) {
        tokio::time::sleep_until((started + services.refusals_after).into()).await;
    }
    tracing::info!(
        request = %trace.id,
        endpoint = E::SPEC.id,
        status = response.status().as_u16(),
        code,
        workspace = trace.workspace.map(tracing::field::display),
        service = trace.service,
        sent_to = trace.sent_to.map(tracing::field::display),
        millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        aws_calls = meter.calls(),
        inside,
    );
    response
}

/// Whether a password was wrong, here or in the region that answered.
fn is_wrong_password(outcome: &Result<Response<Bytes>, Problem>) -> bool {
    #[derive(serde::Deserialize)]
    struct Refusal {
        code: String,
    }
    let wrong = Code::InvalidCredentials;
    match outcome {
        Err(problem) => problem.code == wrong,
        Ok(response) if response.status().as_u16() == wrong.status() => {
            serde_json::from_slice::<Refusal>(response.body()).is_ok_and(|body| body.code == wrong.as_str())
        }
        Ok(_) => false,
    }
}

/// What dispatch notes about a request for its log line and headers, whatever the answer is.
struct RequestTrace {
    id: RequestId,
    started: Instant,
    /// When the request must be answered.
    deadline: Instant,
    workspace: Option<WorkspaceId>,
    /// The name of the calling service's role.
    service: Option<String>,
    budget: Option<Budget>,
    sent_to: Option<Region>,
    timing_padding: TimingPadding,
    admission: Admission,
}

impl RequestTrace {
    fn new(id: RequestId, started: Instant) -> Self {
        let (timing_padding, admission) = (TimingPadding::Nothing, Admission::default());
        let deadline = started + DEADLINE;
        Self {
            id,
            started,
            deadline,
            workspace: None,
            service: None,
            budget: None,
            sent_to: None,
            timing_padding,
            admission,
        }
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

/// Reads the forwarding header, if there is one, then answers the request or forwards it.
async fn arrive<E: Endpoint>(
    services: &Services,
    deps: &E::Deps,
    request: &Request<Bytes>,
    meter: &Meter,
    trace: &mut RequestTrace,
) -> Result<Response<Bytes>, Problem> {
    if request.body().len() > E::SPEC.body_limit {
        let sentence = format!("The body must not exceed {} bytes.", E::SPEC.body_limit);
        return Err(Problem::new(Code::PayloadTooLarge, sentence));
    }
    // The function of an endpoint that never forwards has no key to verify the header with.
    if !E::SPEC.sends_on() && request.headers().contains_key(forwarding::HEADER) {
        let sentence = "Requests to this endpoint are not forwarded. Call the region directly.";
        return Err(Problem::new(Code::BadRequest, sentence));
    }
    let now = services.clock.now();
    let forwarded = ForwardedRequest::read(&*services.forwarding, request, services.region, now);
    let forwarded = forwarded.await.map_err(Stop::into_problem)?;
    if let Some(forwarded) = &forwarded {
        trace.id = forwarded.request;
        meter.rename(forwarded.request.to_string());
    }
    let within = forwarded.as_ref().map_or(DEADLINE, ForwardedRequest::within);
    trace.deadline = trace.deadline.min(Instant::now() + within);
    let arrival = Arrival { services, deps, request, forwarded: forwarded.as_ref(), now };
    let answer = tokio::time::timeout(within, answer::<E>(arrival, trace));
    match answer.await.unwrap_or_else(|_| Err(Problem::too_late().into())) {
        Err(Stop::Forward(region, assertion)) => {
            let sent = forward(services, &E::SPEC, (request, forwarded), trace, region, *assertion);
            sent.await.map_err(Stop::into_problem)
        }
        answer => answer.map_err(Stop::into_problem),
    }
}

/// Forwards a request to the region that it belongs to.
async fn forward(
    services: &Services,
    spec: &Spec,
    (request, forwarded): (&Request<Bytes>, Option<ForwardedRequest>),
    trace: &mut RequestTrace,
    region: Region,
    assertion: CallerAssertion,
) -> Result<Response<Bytes>, Stop> {
    // A forwarded request goes on only after its credentials were read, and only once: never in circles.
    if forwarded.as_ref().is_some_and(|forwarded| forwarded.is_settled() || assertion.is_nothing()) {
        return Err(Stop::elsewhere(region));
    }
    let network = network(request, forwarded.as_ref());
    let left = DEADLINE.saturating_sub(trace.started.elapsed());
    let next = ForwardedRequest::new(region, services.clock.now(), trace.id, network, left);
    let next = next.asserting(assertion).refusing(trace.admission.wait());
    let sent = next.attach(&*services.forwarding, request).await?;
    trace.sent_to = Some(region);
    let answer = services.regions.send(region, sent, is_repeatable(spec, request), next.within()).await?;
    Ok(passed_back(answer))
}

/// Whether a request may arrive twice: it only reads, or its `Idempotency-Key` lets it make a change once.
fn is_repeatable(spec: &Spec, request: &Request<Bytes>) -> bool {
    !spec.changes() || (spec.once && request.headers().contains_key(idempotency::HEADER))
}

/// The client's address: as the gateway saw it, or as the forwarding region did.
fn network(request: &Request<Bytes>, forwarded: Option<&ForwardedRequest>) -> Option<IpAddr> {
    match forwarded {
        Some(forwarded) => forwarded.network,
        None => request.extensions().get::<NetworkAddress>().map(|address| address.0),
    }
}

/// A request to be answered in this region, if its home is here.
struct Arrival<'a, D> {
    services: &'a Services,
    deps: &'a D,
    request: &'a Request<Bytes>,
    forwarded: Option<&'a ForwardedRequest>,
    now: Timestamp,
}

async fn answer<E: Endpoint>(
    arrival: Arrival<'_, E::Deps>,
    trace: &mut RequestTrace,
) -> Result<Response<Bytes>, Stop> {
    let Arrival { services, request, forwarded, now, .. } = arrival;
    let (spec, headers) = (&E::SPEC, request.headers());
    let (owner, pairs) = split_query(spec, request.uri().query().unwrap_or_default())?;
    let method = if request.method() == http::Method::GET { Method::Get } else { spec.method };
    let presented = authenticate(services, spec, method, request, forwarded, now).await?;
    refuse_spent(services, spec, &presented, now, trace)?;
    let path = spec.path_params(request);
    let raw = Raw { path: &path, query: pairs, headers, body: request.body() };
    let (who, early) = identify_and_prefetch::<E>(&arrival, &presented, owner.as_deref(), &raw).await?;
    (trace.workspace, trace.service) = (who.workspace(), who.service().map(str::to_owned));
    spend(services, spec, (&who, &presented), now, trace).await?;
    let input = early.unwrap_or_else(|| E::Input::read(&raw))?;
    let network = network(request, forwarded);
    let network_wait = admit(services, spec, forwarded, network, now, trace).await?;
    trace.timing_padding = if forwarded.is_none() { spec.timing_padding } else { TimingPadding::Nothing };
    let key = idempotency_key(spec, request, &who)?;
    let once = look_up(services, key.as_ref(), now).await?;
    who.check_step_up(spec.access, now)?;
    let call = RequestContext {
        caller: E::Caller::from_identified(who)?,
        request: trace.id,
        now,
        region: services.region,
        network,
        network_wait,
        forwarded: forwarded.is_some(),
        follows: forwarded.and_then(|forwarded| forwarded.assertion.follows),
        deadline: trace.deadline,
        entropy: Arc::clone(&services.entropy),
        once,
        query: raw.query.clone(),
        headers: headers.clone(),
    };
    handle::<E>(&arrival, call, key, input, &raw).await
}

/// Identifies the caller. Beside that, if the access token is genuine, the endpoint begins to read.
async fn identify_and_prefetch<E: Endpoint>(
    arrival: &Arrival<'_, E::Deps>,
    presented: &Presented<'_>,
    owner: Option<&str>,
    raw: &Raw<'_>,
) -> Result<(Identified, Option<Result<E::Input, Problem>>), Stop> {
    let spec = &E::SPEC;
    let identify = identify(arrival.services, spec, presented, owner, arrival.now);
    let Some(ids) = presented.token_ids(owner, arrival.now).filter(|_| !spec.changes()) else {
        return Ok((identify.await?, None));
    };
    let mut input = E::Input::read(raw);
    let prefetch = async {
        if let Ok(input) = &mut input {
            E::prefetch(arrival.deps, &ids, input).await;
        }
        Ok::<(), Stop>(())
    };
    // Ends as soon as the caller is refused, so that the answer's time tells nothing about the records.
    let (who, ()) = tokio::try_join!(identify, prefetch)?;
    Ok((who, Some(input)))
}

/// Runs the handler, and again when another request with the same `Idempotency-Key` turns out to have made the change: its record
/// then says what it made. A request that was sent at the same time may have made it after the first look for a record, so that
/// this one is refused because of the change; so a refusal looks again.
async fn handle<E: Endpoint>(
    arrival: &Arrival<'_, E::Deps>,
    mut call: RequestContext<E::Caller>,
    key: Option<Key>,
    mut input: E::Input,
    raw: &Raw<'_>,
) -> Result<Response<Bytes>, Stop> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let stop = match E::handle(arrival.deps, &call, input).await.map_err(Into::into) {
            Ok(output) => return Ok(success(&E::SPEC, arrival.request.uri(), &output)?),
            Err(stop) => stop,
        };
        let looks_again = match stop {
            Stop::Replay => true,
            Stop::Problem(_) => call.once.is_first(),
            Stop::Forward(..) => false,
        };
        if !looks_again {
            return Err(stop);
        }
        let once = look_up(arrival.services, key.as_ref(), arrival.now).await;
        call.once = match (once, stop) {
            (once, Stop::Replay) => once?,
            (Ok(again @ Once::Again { .. }), _) => again,
            (_, refused) => return Err(refused),
        };
        input = E::Input::read(raw)?;
    }
}

/// The request's `Idempotency-Key`, where the endpoint honours one.
fn idempotency_key(spec: &Spec, request: &Request<Bytes>, who: &Identified) -> Result<Option<Key>, Problem> {
    if !spec.once {
        return Ok(None);
    }
    let operation = format!("{} {}", spec.id, request.uri().path());
    let query = request.uri().query().unwrap_or_default();
    let cookie = |name| credentials::cookie_scope(request.headers(), name);
    let scope = who.scope().or_else(|| spec.once_per_cookie.and_then(cookie));
    Key::read(request.headers(), scope.as_deref(), &operation, query, request.body())
}

/// Whether an earlier request with this key was carried out.
async fn look_up(services: &Services, key: Option<&Key>, now: Timestamp) -> Result<Once, Stop> {
    match key {
        Some(key) => key.look_up(&*services.receipts, now).await,
        None => Ok(Once::Unkeyed),
    }
}

/// Counts a request on the client's network, once: in the region that the client talks to. Returns the wait of a network whose
/// limit is used up, if the handler may still accept the request.
async fn admit(
    services: &Services,
    spec: &Spec,
    forwarded: Option<&ForwardedRequest>,
    network: Option<IpAddr>,
    now: Timestamp,
    trace: &mut RequestTrace,
) -> Result<Option<Wait>, Stop> {
    match (spec.network_limit, forwarded) {
        (_, Some(forwarded)) => Ok(forwarded.network_wait()),
        (None, None) => Ok(None),
        (Some(limit), None) => {
            trace.admission =
                networks::admit(services, limit, network, (trace.id, now, trace.deadline)).await?;
            Ok(trace.admission.wait())
        }
    }
}

/// Refuses a key whose minute is used up, as far as this container knows.
fn refuse_spent(
    services: &Services,
    spec: &Spec,
    presented: &Presented<'_>,
    now: Timestamp,
    trace: &mut RequestTrace,
) -> Result<(), Problem> {
    let Presented::Key(key) = presented else { return Ok(()) };
    trace.budget = services.leases.spent(key.hash, spec.rate_class, now);
    trace.budget.map_or(Ok(()), |budget| Err(budget.exceeded()))
}

/// Counts a key's request against its limit.
async fn spend(
    services: &Services,
    spec: &Spec,
    (who, presented): (&Identified, &Presented<'_>),
    now: Timestamp,
    trace: &mut RequestTrace,
) -> Result<(), Stop> {
    let (Identified::Key(client), Presented::Key(key)) = (who, presented) else { return Ok(()) };
    let (name, class) = (client.holder.key.to_string(), spec.rate_class);
    let spent = services.leases.spend(&*services.windows, &name, class, now).await;
    let (budget, refused) = match spent {
        Ok(budget) => (budget, Ok(())),
        Err((stop, budget)) => (budget, Err(stop)),
    };
    if budget.is_spent() {
        services.leases.remember_spent(key.hash, class, now);
    }
    trace.budget = Some(budget);
    refused
}

fn success<O: Output>(spec: &Spec, uri: &Uri, output: &O) -> Result<Response<Bytes>, Problem> {
    let (media_type, body) = match (O::TEXT_TYPE, output.text()) {
        (Some(media_type), Some(text)) => (media_type, text.as_bytes().to_vec()),
        _ => {
            let json = serde_json::to_vec(output).map_err(|error| Problem::internal(error.to_string()))?;
            ("application/json", json)
        }
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(spec.success).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in output.headers() {
        headers.append(name, value);
    }
    if let Some(cursor) = output.next_page() {
        headers.insert(header::LINK, cursor.link_from(uri)?);
    }
    Ok(response)
}

/// A query's parameters.
type Pairs = Vec<(String, String)>;

/// Takes `owner` out of the query where it names the workspace.
fn split_query(spec: &Spec, query: &str) -> Result<(Option<String>, Pairs), Problem> {
    let unreadable = |_| Problem::new(Code::BadRequest, "Invalid query string.");
    let pairs: Pairs = serde_urlencoded::from_str(query).map_err(unreadable)?;
    if !spec.takes_owner() {
        return Ok((None, pairs));
    }
    let (owners, rest): (Pairs, Pairs) = pairs.into_iter().partition(|(name, _)| name == "owner");
    if owners.len() > 1 {
        return Err(Problem::new(Code::BadRequest, "Specify `owner` only once."));
    }
    let owner = owners.into_iter().next().map(|(_, owner)| owner);
    // A name that can't be a handle stays as it is: it names no workspace.
    let looked_up = |owner: String| Handle::look_up(&owner).map_or(owner, |handle| handle.to_string());
    Ok((owner.map(looked_up), rest))
}
