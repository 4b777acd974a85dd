//! The entry of every call: checks the signature and permissions, records the call, injects faults and dispatches to
//! the service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::{RwLock, watch};

use crate::answer::{self, Answer, Body, BoxError, Refusal, Refused, success, whole};
use crate::bus::EventBuses;
use crate::config::StandInConfig;
use crate::directory::DirectoryTable;
use crate::dynamo::{self, Databases, TableNames, Tables};
use crate::events::Events;
use crate::fault::{self, FaultKind, FaultResponse, StruckBy};
use crate::journal::{CallOutcome, Journal};
use crate::kms::Kms;
use crate::permission;
use crate::permission::{IamPolicy, LeadingKeys};
use crate::request::{self, Caller, Request};
use crate::s3::S3;
use crate::secrets::Secrets;
use crate::service::{Service, header};
use crate::ses::Ses;
use crate::sqs::{Queues, Sqs};
use crate::start_error::StandInError;
use crate::upstream::Upstream;

/// The maximum body size of JSON services in bytes: DynamoDB's limit.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The maximum duration of a stalled call.
const STALL: Duration = Duration::from_secs(30);

/// The services of one region.
pub(crate) struct Gateway {
    region: String,
    now: crate::config::TimeSource,
    journal: Arc<Journal>,
    pub(crate) writes: watch::Sender<u64>,
    pub(crate) directory_writes: watch::Sender<u64>,
    directory: DirectoryTable,
    policy: Arc<dyn IamPolicy>,
    leading_keys: LeadingKeys,
    tables: Tables,
    kms: Arc<Kms>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) ses: Arc<Ses>,
    events: Arc<Events>,
    pub(crate) queues: Arc<Queues>,
    sqs: Arc<Sqs>,
    s3: ObjectStore,
    /// Every call holds a read lock while it is applied.
    underway: Arc<RwLock<()>>,
}

enum ObjectStore {
    Embedded(S3),
    External(Box<Upstream>),
}

/// The connection breaks without a response.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped")]
pub(crate) struct ConnectionDropped;

impl Gateway {
    pub(crate) fn open(config: StandInConfig, databases: Option<&Databases>) -> Result<Self, StandInError> {
        let external =
            config.external.as_ref().and_then(|url| url.authority().parse().ok()).map(Upstream::new);
        let kms = Arc::new(Kms::open(&config)?);
        let s3 = match &external {
            Some(upstream) => ObjectStore::External(Box::new(upstream.clone())),
            None => ObjectStore::Embedded(S3::open(&config)?),
        };
        let queues =
            Arc::new(Queues::open(&config.folder.join("sqs"), &config.queues, Arc::clone(&config.now))?);
        let bus = Arc::new(EventBuses::new(config.rules.clone(), Arc::clone(&queues)));
        Ok(Self {
            s3,
            underway: Arc::default(),
            tables: Tables::new(&config, databases, external),
            secrets: Arc::new(Secrets::open(&config, Arc::clone(&kms))?),
            ses: Arc::new(Ses::open(&config, Arc::clone(&bus))?),
            events: Arc::new(Events::new(&config, bus)),
            sqs: Arc::new(Sqs::new(&config, Arc::clone(&queues))),
            queues,
            kms,
            region: config.region,
            now: config.now,
            journal: config.journal,
            directory: config.directory,
            policy: config.policy,
            leading_keys: config.leading_keys,
            writes: watch::Sender::new(0),
            directory_writes: watch::Sender::new(0),
        })
    }

    /// The region whose signatures are accepted.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Waits until no call is being applied.
    pub(crate) async fn rest(&self) {
        drop(self.underway.write().await);
    }

    /// Serves one HTTP request.
    pub(crate) async fn serve(
        self: Arc<Self>,
        http: http::Request<Incoming>,
    ) -> Result<Answer, ConnectionDropped> {
        let (parts, body) = http.into_parts();
        if parts.method == Method::OPTIONS && Service::guess(&parts) == Service::S3 {
            return Ok(self.preflight(&parts, body).await);
        }
        let grant = match &self.s3 {
            ObjectStore::Embedded(s3) => s3.cors_grant(&parts),
            ObjectStore::External(_) => HeaderMap::new(),
        };
        let mut answer = self.serve_signed(parts, body).await?;
        answer.headers_mut().extend(grant);
        Ok(answer)
    }

    /// Answers a CORS preflight, which is unsigned.
    async fn preflight(&self, parts: &Parts, body: Incoming) -> Answer {
        let result = match &self.s3 {
            ObjectStore::Embedded(s3) => Ok(s3.preflight(parts)),
            ObjectStore::External(upstream) => {
                upstream.send(parts, RequestBody::Stream(body).sent(), false).await
            }
        };
        result.unwrap_or_else(|error| Refusal::internal(Service::S3, &error).answer(Service::S3))
    }

    async fn serve_signed(
        self: Arc<Self>,
        parts: Parts,
        body: Incoming,
    ) -> Result<Answer, ConnectionDropped> {
        let request = match request::classify(parts, &self.region) {
            Ok(request) => request,
            Err((service, refusal)) => return Ok(refusal.answer(service)),
        };
        let body = match request.caller.service {
            Service::S3 if request.caller.operation != "DeleteObjects" => RequestBody::Stream(body),
            _ => RequestBody::Whole(
                Limited::new(body, MAX_BODY).collect().await.map_err(|_| ConnectionDropped)?.to_bytes(),
            ),
        };
        if let Err((service, refusal)) = self.admit(&request, body.bytes()) {
            return Ok(refusal.answer(service));
        }
        let struck_by = self.journal.strike(&request.caller, body.bytes(), (self.now)());
        let struck = struck_by.map(|fault| fault.kind);
        if struck == Some(FaultKind::Stall) {
            let mut entry = self.journal.entry(&request.caller);
            entry.outcome.fault = struck;
            tokio::time::sleep(STALL).await;
            return Err(ConnectionDropped);
        }
        // The call runs in a task of its own, so that it completes even if the caller disconnects.
        let underway = Arc::clone(&self.underway).read_owned().await;
        let recorded = async move {
            let answer = self.recorded(request, body, struck).await;
            drop(underway);
            answer
        };
        let answer = tokio::spawn(recorded).await.map_err(|_| ConnectionDropped)?;
        if let Some(StruckBy { kind: FaultKind::Late, delay }) = struck_by {
            tokio::time::sleep(delay).await;
        }
        answer
    }

    fn admit(&self, request: &Request, body: &[u8]) -> Result<(), Refused> {
        let service = request.caller.service;
        let checked = match service {
            Service::S3 if request.signature.is_presigned() => {
                request.signature.check_presigned(&request.parts, (self.now)())
            }
            Service::S3 => Ok(()),
            _ => request.signature.check(service, &request.parts, body),
        };
        checked.map_err(|refusal| (service, refusal))
    }

    async fn recorded(
        self: Arc<Self>,
        request: Request,
        body: RequestBody,
        struck: Option<FaultKind>,
    ) -> Result<Answer, ConnectionDropped> {
        let Request { caller, parts, signature } = request;
        let mut entry = self.journal.entry(&caller);
        entry.outcome.fault = struck;
        let named = TableNames::of(&caller, body.bytes());
        entry.outcome.table = named.joined();
        entry.outcome.needs = permission::needs(&caller, &named, (&parts, body.bytes()), self.leading_keys);
        let rules = (&self.directory, &*self.policy);
        let allowed = permission::check(&caller, &named, &entry.outcome.needs, rules);
        let struck_with = struck.and_then(|kind| fault::answer(kind, &caller, body.bytes()));
        let answer = match (allowed, struck_with) {
            (Err(refusal), _) | (_, Some(FaultResponse::Refused(refusal))) => refusal.answer(caller.service),
            (_, Some(FaultResponse::Answered(value))) => success(caller.service, &value),
            (_, Some(FaultResponse::AnsweredXml(text))) => {
                answer::answer(200, "application/xml", text.to_owned())
            }
            (Ok(()), None) => match body {
                RequestBody::Whole(body) if caller.service != Service::S3 => {
                    self.apply(&caller, &named, parts, body, &mut entry.outcome).await
                }
                body => self.apply_s3(parts, body, signature.is_presigned()).await,
            },
        };
        entry.outcome.status = answer.status().as_u16();
        if struck == Some(FaultKind::LostResponse) {
            return Err(ConnectionDropped);
        }
        Ok(answer)
    }

    /// Notifies the readers of the streams of the written tables.
    fn announce(&self, named: &TableNames) {
        let directory = &self.directory.table;
        if named.has(directory) {
            self.directory_writes.send_modify(|n| *n += 1);
        }
        if !named.is_only(directory) {
            self.writes.send_modify(|n| *n += 1);
        }
    }

    async fn apply_s3(&self, parts: Parts, body: RequestBody, presigned: bool) -> Answer {
        let result = match (&self.s3, body) {
            (ObjectStore::Embedded(s3), RequestBody::Whole(body)) => {
                s3.apply(parts, body.into(), presigned).await
            }
            (ObjectStore::Embedded(s3), RequestBody::Stream(body)) => {
                s3.apply(parts, body.into(), presigned).await
            }
            (ObjectStore::External(upstream), body) => upstream.send(&parts, body.sent(), false).await,
        };
        result.unwrap_or_else(|error| Refusal::internal(Service::S3, &error).answer(Service::S3))
    }

    async fn apply(
        &self,
        caller: &Caller,
        named: &TableNames,
        parts: Parts,
        body: Bytes,
        outcome: &mut CallOutcome,
    ) -> Answer {
        let service = caller.service;
        let operation = caller.operation.clone();
        let result = match service {
            Service::DynamoDb => {
                let answer = self.tables.apply(caller, named, &parts, body, outcome).await;
                if answer.status().is_success() && dynamo::writes(&caller.operation) {
                    self.announce(named);
                }
                return answer;
            }
            Service::Kms => {
                let kms = Arc::clone(&self.kms);
                off_thread(move || kms.apply(&operation, &body)).await
            }
            Service::SecretsManager => {
                let secrets = Arc::clone(&self.secrets);
                off_thread(move || secrets.apply(&operation, &body)).await
            }
            Service::Ses => {
                let ses = Arc::clone(&self.ses);
                off_thread(move || ses.apply(&operation, &body)).await
            }
            Service::Events => {
                let events = Arc::clone(&self.events);
                off_thread(move || events.apply(&operation, &body)).await
            }
            Service::Sqs => {
                let sqs = Arc::clone(&self.sqs);
                let host = header(&parts, "host").unwrap_or_default().to_owned();
                off_thread(move || sqs.apply(&operation, &host, &body)).await
            }
            // S3 requests are dispatched in `apply_s3`.
            Service::S3 => Ok(Err(Refusal::new("NotImplemented", "Not implemented").with_status(501))),
        };
        match result {
            Ok(Ok(value)) => success(service, &value),
            Ok(Err(refusal)) => refusal.answer(service),
            Err(error) => Refusal::internal(service, &error).answer(service),
        }
    }
}

/// The body of a request. S3 bodies are streamed; bodies of other services are read completely before the call.
enum RequestBody {
    Whole(Bytes),
    Stream(Incoming),
}

impl RequestBody {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Stream(_) => &[],
        }
    }

    /// The body to forward.
    fn sent(self) -> Body {
        match self {
            Self::Whole(bytes) => whole(bytes),
            Self::Stream(body) => body.map_err(BoxError::from).boxed_unsync(),
        }
    }
}

/// Runs blocking work, such as file writes, off the async threads.
async fn off_thread<F>(work: F) -> Result<Result<Value, Refusal>, BoxError>
where
    F: FnOnce() -> Result<Value, Refusal> + Send + 'static,
{
    Ok(tokio::task::spawn_blocking(work).await?)
}
