//! Serving one function on Lambda.

use std::sync::Arc;

use bytes::Bytes;
use kit::{
    Endpoint, Ports, Worker,
    dispatch::{NetworkAddress, PathParams},
};
use lambda_http::{Adapter, Body, Request, RequestExt, Response, request::RequestContext};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

use crate::boot::Boot;

/// What ends a function.
pub type Error = lambda_runtime::Error;

/// Serves an endpoint until Lambda ends the process.
pub fn serve<E: Endpoint>() -> Result<(), Error> {
    block_on(async {
        let boot = Boot::from_env()?;
        let (kit, deps) = (Arc::new(boot.kit()), Arc::new(E::deps(&boot)));
        boot.connect().await;
        // Without the runtime's own span: dispatch writes the request's one line.
        Runtime::new(Adapter::from(service_fn(move |request: Request| {
            let (kit, deps) = (Arc::clone(&kit), Arc::clone(&deps));
            async move {
                let response = kit::dispatch::<E>(&kit, &deps, from_gateway(request)).await;
                Ok::<_, Error>(to_gateway(response))
            }
        })))
        .run()
        .await
    })
}

/// Serves a worker until Lambda ends the process.
pub fn work<W: Worker>() -> Result<(), Error> {
    block_on(async {
        let boot = Arc::new(Boot::from_env()?);
        let deps = Arc::new(W::deps(&*boot));
        boot.connect().await;
        Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let (boot, deps) = (Arc::clone(&boot), Arc::clone(&deps));
            async move {
                let event: W::Event = serde_json::from_str(event.payload.get())?;
                W::handle(&deps, &boot.job(), event).await.map_err(|error| Error::from(error.to_string()))
            }
        }))
        .run()
        .await
    })
}

fn block_on(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tracing_subscriber::fmt().json().flatten_event(true).without_time().with_target(false).init();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn from_gateway(request: Request) -> http::Request<Bytes> {
    let network = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.http.source_ip.as_deref().and_then(|address| address.parse().ok())
        }
        _ => None,
    };
    let path = request.path_parameters();
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut request = request.map(|body| match body {
        Body::Empty => Bytes::new(),
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    });
    request.extensions_mut().insert(PathParams(path));
    if let Some(network) = network {
        request.extensions_mut().insert(NetworkAddress(network));
    }
    request
}

fn to_gateway(response: http::Response<Bytes>) -> Response<Body> {
    response.map(|body| match String::from_utf8(body.into()) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Binary(error.into_bytes()),
    })
}
