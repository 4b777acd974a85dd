//! The HTTP gateway: what API Gateway's HTTP API does with a request before and after a function.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use domain::id::RequestId;
use http::{HeaderValue, header};
use kit::{
    Clock, Code, Problem,
    dispatch::{NetworkAddress, PathParams},
    spec::Method,
};
use lambda::{OsEntropy, SystemClock};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{functions::MountedEndpoint, region::RunningRegion};

/// API Gateway takes [10 MB](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html); Lambda takes
/// 6 MB of it, base64 and headers included.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

type Methods = Vec<(Method, Arc<MountedEndpoint>)>;

/// The routes of a region.
pub struct Routes {
    matcher: matchit::Router<&'static str>,
    by_path: BTreeMap<&'static str, Methods>,
}

impl Routes {
    /// The routes of these functions.
    pub fn new(by_path: BTreeMap<&'static str, Methods>) -> Self {
        let mut matcher = matchit::Router::new();
        for path in by_path.keys() {
            if let Err(error) = matcher.insert(*path, *path) {
                tracing::error!(path, %error, "two routes are the same");
            }
        }
        Self { matcher, by_path }
    }
}

/// Answers the region's routes, and everything else with a problem document.
pub fn router(region: Arc<RunningRegion>) -> Router {
    Router::new().fallback(answer).with_state(region)
}

/// Serves until told to stop.
pub fn serve(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let stopped = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "the gateway ended");
        }
    })
}

async fn answer(
    State(region): State<Arc<RunningRegion>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let Ok(found) = region.routes.matcher.at(request.uri().path()) else {
        return refuse(&Problem::new(Code::NotFound, "There is no such route."));
    };
    let methods = region.routes.by_path.get(found.value).map(Vec::as_slice).unwrap_or_default();
    let Some((_, endpoint)) = methods.iter().find(|(method, _)| method.as_str() == request.method().as_str())
    else {
        return not_allowed(methods);
    };
    let path = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return refuse(&Problem::new(Code::PayloadTooLarge, "The body is too large."));
    };
    parts.extensions.insert(PathParams(path));
    parts.extensions.insert(NetworkAddress(client.ip()));
    let mut response = endpoint.call(http::Request::from_parts(parts, body)).await.map(Body::from);
    // API Gateway's own name for the request, on every answer of a function.
    if let Ok(id) = HeaderValue::from_str(&RequestId::new(SystemClock.now(), &OsEntropy).to_string()) {
        response.headers_mut().append("apigw-requestid", id);
    }
    response
}

/// The gateway's own refusals have an id of their own, like a function's answers.
fn refuse(problem: &Problem) -> Response {
    let id = RequestId::new(SystemClock.now(), &OsEntropy).to_string();
    let mut response = problem.response(&id).map(Body::from);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

fn not_allowed(methods: &[(Method, Arc<MountedEndpoint>)]) -> Response {
    let names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    let mut response = refuse(&Problem::new(Code::MethodNotAllowed, "This route answers to other methods."));
    if let Ok(allow) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
