//! The HTTP gateway, which imitates an HTTP API of API Gateway.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use domain::id::RequestId;
use http::{HeaderValue, StatusCode, header};
use kit::Clock;
use lambda::{OsEntropy, SystemClock};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    functions::InvocationError,
    payload::{self, IncomingRequest},
    region::RunningRegion,
    routes::RouteMatch,
    signature::{self, SignatureError},
};

/// The maximum size of a request body in bytes ([quota]). Lambda's limit for the whole event is lower.
///
/// [quota]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Handles all requests. Requests without a route are refused.
pub fn router(region: Arc<RunningRegion>) -> Router {
    Router::new().fallback(answer).with_state(region)
}

/// Serves until stopped.
pub fn serve(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let stopped = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "gateway failed");
        }
    })
}

/// The errors of the gateway itself, worded as by API Gateway: a known path with another method is Not Found, and
/// errors are no problem documents.
#[derive(Debug, Clone, Copy)]
enum GatewayError {
    NotFound,
    Refused(SignatureError),
    TooLarge,
    Failed,
    Busy,
}

impl From<SignatureError> for GatewayError {
    fn from(refused: SignatureError) -> Self {
        Self::Refused(refused)
    }
}

impl From<InvocationError> for GatewayError {
    fn from(failed: InvocationError) -> Self {
        match failed {
            InvocationError::TooLarge => Self::TooLarge,
            InvocationError::Busy => Self::Busy,
            InvocationError::Failed(_) => Self::Failed,
        }
    }
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Self::Refused(SignatureError::Missing) => (StatusCode::FORBIDDEN, "Missing Authentication Token"),
            Self::Refused(SignatureError::Invalid) => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        let mut response = (status, axum::Json(serde_json::json!({ "message": message }))).into_response();
        if let Self::Busy = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

async fn answer(
    State(region): State<Arc<RunningRegion>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let id = RequestId::new(SystemClock.now(), &OsEntropy).to_string();
    let answer = pass_on(&region, client, &id, request).await;
    let mut response = answer.unwrap_or_else(GatewayError::into_response);
    // The request id of API Gateway.
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().append("apigw-requestid", id);
    }
    response
}

async fn pass_on(
    region: &RunningRegion,
    client: SocketAddr,
    id: &str,
    request: Request,
) -> Result<Response, GatewayError> {
    let (parts, body) = request.into_parts();
    if let Some(preflight) = region.cors.preflight(&parts) {
        return Ok(preflight);
    }
    let found = region.routes.find(parts.method.as_str(), parts.uri.path());
    let RouteMatch { endpoint, path, params } = found.ok_or(GatewayError::NotFound)?;
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| GatewayError::TooLarge)?;
    let at = region.clock.now();
    let signer = match endpoint.spec.is_for_services() {
        true => Some(signature::verify(&parts, &body, region.region.aws(), at)?),
        false => None,
    };
    let arrived = IncomingRequest {
        id,
        at,
        client: client.ip(),
        route: path,
        params,
        parts: &parts,
        body: &body,
        signer,
    };
    // A forwarded request already holds a slot in its first region. Waiting for a second slot could deadlock. The same is true of
    // requests that regions send on their own account; those of workers are few.
    let forwarded = parts.headers.contains_key(kit::forwarding::HEADER);
    let _place = match forwarded {
        true => None,
        false => Some(region.admission.enter().await.ok_or(GatewayError::Busy)?),
    };
    let event = arrived.event();
    // The invocation runs in a task of its own, so that it completes even if the client disconnects.
    let (spec, invocation) = (endpoint.spec, async move { endpoint.function.invoke(event).await });
    let result = tokio::spawn(invocation).await.map_err(|_| GatewayError::Failed)?.inspect_err(|failed| {
        tracing::warn!(function = spec.id, %failed, "invocation failed");
    })?;
    let response = payload::response(&result).ok_or(GatewayError::Failed)?.map(Body::from);
    Ok(region.cors.grant(&parts.headers, response))
}
