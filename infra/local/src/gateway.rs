//! The HTTP gateway: what API Gateway's HTTP API does with a request before and after a function.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use domain::id::RequestId;
use http::{HeaderValue, StatusCode};
use kit::{Clock, spec::Method};
use lambda::{OsEntropy, SystemClock};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    functions::{Failed, MountedEndpoint},
    payload::{self, Arrived},
    region::RunningRegion,
};

/// What a body may have at the most ([quota]). Lambda takes less, of the whole event.
///
/// [quota]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const BODY_LIMIT: usize = 10 * 1024 * 1024;

type Methods = Vec<(Method, Arc<MountedEndpoint>)>;
type Params<'a> = Vec<(&'a str, &'a str)>;

/// The routes of a region.
pub struct Routes {
    matcher: matchit::Router<String>,
    by_path: BTreeMap<String, Methods>,
}

/// What a request was found to be for.
struct Match<'a> {
    endpoint: Arc<MountedEndpoint>,
    /// The route's path, with `{name}`s.
    path: &'a str,
    /// What those stand for.
    params: Params<'a>,
}

impl Routes {
    /// The routes of these endpoints.
    pub fn new(endpoints: &[Arc<MountedEndpoint>]) -> Self {
        let mut by_path: BTreeMap<String, Methods> = BTreeMap::new();
        for endpoint in endpoints {
            for route in endpoint.spec.routes() {
                by_path.entry(route.path).or_default().push((route.method, Arc::clone(endpoint)));
            }
        }
        let mut matcher = matchit::Router::new();
        for path in by_path.keys() {
            if let Err(error) = matcher.insert(path, path.clone()) {
                tracing::error!(path, %error, "two routes are the same");
            }
        }
        Self { matcher, by_path }
    }

    /// The endpoint of a method and a path.
    fn find<'a>(&'a self, method: &str, path: &'a str) -> Option<Match<'a>> {
        let found = self.matcher.at(path).ok()?;
        let methods = self.by_path.get(found.value)?;
        let (_, endpoint) = methods.iter().find(|(known, _)| known.as_str() == method)?;
        let params = found.params.iter().collect();
        Some(Match { endpoint: Arc::clone(endpoint), path: found.value, params })
    }
}

/// Answers everything: the region's routes, and refusals for what is none.
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

/// What the gateway answers itself, in API Gateway's words: it has none for a known path with another method, and no
/// problem documents.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    NotFound,
    TooLarge,
    Failed,
    Busy,
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::TooLarge => Self::TooLarge,
            Failed::Busy => Self::Busy,
            Failed::Error(_) => Self::Failed,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        (status, axum::Json(serde_json::json!({ "message": message }))).into_response()
    }
}

async fn answer(
    State(region): State<Arc<RunningRegion>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let id = RequestId::new(SystemClock.now(), &OsEntropy).to_string();
    let answer = pass_on(&region, client, &id, request).await;
    let mut response = answer.unwrap_or_else(Refusal::into_response);
    // API Gateway's own name for the request.
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
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let found = region.routes.find(parts.method.as_str(), parts.uri.path());
    let Match { endpoint, path, params } = found.ok_or(Refusal::NotFound)?;
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| Refusal::TooLarge)?;
    let arrived = Arrived {
        id,
        at: region.clock.now(),
        client: client.ip(),
        route: path,
        params,
        parts: &parts,
        body: &body,
    };
    let event = arrived.event();
    // In a task of its own: a client that hangs up does not end what it set off.
    let (spec, invocation) = (endpoint.spec, async move { endpoint.function.invoke(event).await });
    let result = tokio::spawn(invocation).await.map_err(|_| Refusal::Failed)?.inspect_err(|failed| {
        tracing::warn!(function = spec.id, %failed, "no answer");
    })?;
    Ok(payload::response(&result).ok_or(Refusal::Failed)?.map(Body::from))
}

#[cfg(test)]
mod tests {
    use kit::spec;

    use super::*;
    use crate::functions::Function;

    fn mounted(spec: kit::Spec) -> Arc<MountedEndpoint> {
        let function = Function::new(|event| Box::pin(async move { Ok(event) }));
        Arc::new(MountedEndpoint { spec, function })
    }

    #[test]
    fn an_endpoint_is_found_on_each_of_its_paths_and_on_none_like_them() {
        const FRUIT: &[&str] = &["apples", "pears"];
        let routes = Routes::new(&[
            mounted(spec("fruit-list", Method::Get, "/api/{kind}").kinds(FRUIT)),
            mounted(spec("fruit-create", Method::Post, "/api/{kind}").kinds(FRUIT)),
            mounted(spec("fruit-read", Method::Get, "/api/{kind}/{id}").kinds(FRUIT)),
        ]);
        let found = |method: &str, path: &str| {
            let found = routes.find(method, path)?;
            Some(format!("{} {} {:?}", found.endpoint.spec.id, found.path, found.params))
        };
        assert_eq!(found("GET", "/api/pears").unwrap(), "fruit-list /api/pears []");
        assert_eq!(found("POST", "/api/apples").unwrap(), "fruit-create /api/apples []");
        assert_eq!(found("GET", "/api/apples/7").unwrap(), r#"fruit-read /api/apples/{id} [("id", "7")]"#);
        for (method, path) in
            [("GET", "/api/plums"), ("GET", "/api/{kind}"), ("GET", "/api/plums/7"), ("PATCH", "/api/pears")]
        {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}
