//! What every call passes: its signature, the journal, the fault plan, and then the service it is for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::{RwLock, watch};

use crate::answer::{self, Answer, Body, BoxError, Refusal, Refused, success, whole};
use crate::dynamo::{Databases, Named, Tables};
use crate::events::Events;
use crate::fault::{self, FaultKind, Struck};
use crate::journal::{Journal, Seen};
use crate::kms::Kms;
use crate::request::{self, Caller, Request};
use crate::s3::S3;
use crate::secrets::Secrets;
use crate::service::Service;
use crate::ses::Ses;
use crate::upstream::Upstream;
use crate::{Config, Directory, Policy, StartError, permission};

/// The largest body of a JSON service: DynamoDB's.
const LARGEST: usize = 16 * 1024 * 1024;

/// How long a stalled call is held.
const STALL: Duration = Duration::from_secs(30);

/// One region's services.
pub(crate) struct Gateway {
    region: String,
    now: crate::Now,
    journal: Arc<Journal>,
    pub(crate) writes: watch::Sender<u64>,
    pub(crate) directory_writes: watch::Sender<u64>,
    directory: Directory,
    policy: Arc<dyn Policy>,
    tables: Tables,
    kms: Arc<Kms>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) ses: Arc<Ses>,
    events: Arc<Events>,
    s3: Store,
    /// Held for reading by every call that is being applied.
    underway: Arc<RwLock<()>>,
}

enum Store {
    Ours(S3),
    External(Box<Upstream>),
}

/// The connection breaks without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up")]
pub(crate) struct HungUp;

impl Gateway {
    pub(crate) fn open(config: Config, databases: Option<&Databases>) -> Result<Self, StartError> {
        let external =
            config.external.as_ref().and_then(|url| url.authority().parse().ok()).map(Upstream::new);
        let kms = Arc::new(Kms::open(&config)?);
        let s3 = match &external {
            Some(upstream) => Store::External(Box::new(upstream.clone())),
            None => Store::Ours(S3::open(&config)?),
        };
        Ok(Self {
            s3,
            underway: Arc::default(),
            tables: Tables::new(&config, databases, external),
            secrets: Arc::new(Secrets::open(&config, Arc::clone(&kms))?),
            ses: Arc::new(Ses::open(&config)?),
            events: Arc::new(Events::new(&config)),
            kms,
            region: config.region,
            now: config.now,
            journal: config.journal,
            directory: config.directory,
            policy: config.policy,
            writes: watch::Sender::new(0),
            directory_writes: watch::Sender::new(0),
        })
    }

    /// The only region whose signatures are taken.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Returns once no call is being applied any more.
    pub(crate) async fn rest(&self) {
        drop(self.underway.write().await);
    }

    /// Serves one HTTP request.
    pub(crate) async fn serve(self: Arc<Self>, http: http::Request<Incoming>) -> Result<Answer, HungUp> {
        let (parts, body) = http.into_parts();
        let request = match request::classify(parts, &self.region) {
            Ok(request) => request,
            Err((service, refusal)) => return Ok(refusal.answer(service)),
        };
        let body = match request.caller.service {
            Service::S3 if request.caller.operation != "DeleteObjects" => Content::Stream(body),
            _ => Content::Whole(Limited::new(body, LARGEST).collect().await.map_err(|_| HungUp)?.to_bytes()),
        };
        if let Err((service, refusal)) = self.admit(&request, body.bytes()) {
            return Ok(refusal.answer(service));
        }
        let struck = self.journal.strike(&request.caller);
        if struck == Some(FaultKind::Stall) {
            let mut entry = self.journal.entry(&request.caller);
            entry.seen.fault = struck;
            tokio::time::sleep(STALL).await;
            return Err(HungUp);
        }
        // In a task of its own: a caller that hangs up does not undo what it sent.
        let underway = Arc::clone(&self.underway).read_owned().await;
        let recorded = async move {
            let answer = self.recorded(request, body, struck).await;
            drop(underway);
            answer
        };
        tokio::spawn(recorded).await.map_err(|_| HungUp)?
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
        body: Content,
        struck: Option<FaultKind>,
    ) -> Result<Answer, HungUp> {
        let Request { caller, parts, signature } = request;
        let mut entry = self.journal.entry(&caller);
        entry.seen.fault = struck;
        let named = Named::of(&caller, body.bytes());
        entry.seen.table = named.joined();
        entry.seen.needs = permission::needs(&caller, &named, &parts, body.bytes());
        let rules = (&self.directory, &*self.policy);
        let allowed = permission::check(&caller, &named, &entry.seen.needs, rules);
        let struck_with = struck.and_then(|kind| fault::answer(kind, &caller, body.bytes()));
        let answer = match (allowed, struck_with) {
            (Err(refusal), _) | (_, Some(Struck::Refused(refusal))) => refusal.answer(caller.service),
            (_, Some(Struck::Answered(value))) => success(caller.service, &value),
            (_, Some(Struck::AnsweredXml(text))) => answer::answer(200, "application/xml", text.to_owned()),
            (Ok(()), None) => match body {
                Content::Whole(body) if caller.service != Service::S3 => {
                    self.apply(&caller, &named, parts, body, &mut entry.seen).await
                }
                body => self.apply_s3(parts, body, signature.is_presigned()).await,
            },
        };
        entry.seen.status = answer.status().as_u16();
        if struck == Some(FaultKind::LostResponse) {
            return Err(HungUp);
        }
        Ok(answer)
    }

    async fn apply_s3(&self, parts: Parts, body: Content, presigned: bool) -> Answer {
        let result = match (&self.s3, body) {
            (Store::Ours(s3), Content::Whole(body)) => s3.apply(parts, body.into(), presigned).await,
            (Store::Ours(s3), Content::Stream(body)) => s3.apply(parts, body.into(), presigned).await,
            (Store::External(upstream), body) => upstream.send(&parts, body.sent(), false).await,
        };
        result.unwrap_or_else(|error| Refusal::internal(Service::S3, &error).answer(Service::S3))
    }

    async fn apply(
        &self,
        caller: &Caller,
        named: &Named,
        parts: Parts,
        body: Bytes,
        seen: &mut Seen,
    ) -> Answer {
        let service = caller.service;
        let operation = caller.operation.clone();
        let result = match service {
            Service::DynamoDb => {
                let answer = self.tables.apply(caller, named, &parts, body, seen).await;
                if answer.status().is_success() && Tables::writes(&caller.operation) {
                    let directory = named.has(&self.directory.table);
                    let written = if directory { &self.directory_writes } else { &self.writes };
                    written.send_modify(|n| *n += 1);
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
            // It does not come this way.
            Service::S3 => Ok(Err(Refusal::new("NotImplemented", "Not implemented").with_status(501))),
        };
        match result {
            Ok(Ok(value)) => success(service, &value),
            Ok(Err(refusal)) => refusal.answer(service),
            Err(error) => Refusal::internal(service, &error).answer(service),
        }
    }
}

/// A request's body: an object may be of any size, everything else is read first.
enum Content {
    Whole(Bytes),
    Stream(Incoming),
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Stream(_) => &[],
        }
    }

    /// As it is sent on.
    fn sent(self) -> Body {
        match self {
            Self::Whole(bytes) => whole(bytes),
            Self::Stream(body) => body.map_err(BoxError::from).boxed_unsync(),
        }
    }
}

/// The stand-ins write files before they answer, which would hold up every function of the process.
async fn off_thread<F>(work: F) -> Result<Result<Value, Refusal>, BoxError>
where
    F: FnOnce() -> Result<Value, Refusal> + Send + 'static,
{
    Ok(tokio::task::spawn_blocking(work).await?)
}
