//! Serving one function: what Lambda runs until it ends the process, and what the local platform calls in its own.

use std::sync::Arc;

use kit::{Endpoint, Kit, Ports, Worker};
use lambda_http::{LambdaEvent, lambda_runtime::Runtime, service_fn};
use serde_json::value::RawValue;

use crate::{
    boot::Boot,
    payload::{Answer, Event, Malformed},
};

/// What ends a function.
pub type Error = lambda_http::Error;

/// An endpoint with what it works with.
pub struct Server<E: Endpoint> {
    kit: Kit,
    deps: E::Deps,
}

impl<E: Endpoint> Server<E> {
    /// Picks what the endpoint works with.
    pub fn new(boot: &Boot) -> Self {
        Self { kit: boot.kit(), deps: E::deps(boot) }
    }

    /// Answers one request.
    pub async fn answer(&self, event: Event) -> Result<Answer, Malformed> {
        Ok(kit::dispatch::<E>(&self.kit, &self.deps, event.try_into()?).await.into())
    }
}

/// A worker with what it works with.
pub struct Hand<W: Worker> {
    boot: Boot,
    deps: W::Deps,
}

impl<W: Worker> Hand<W> {
    /// Picks what the worker works with.
    pub fn new(boot: Boot) -> Self {
        Self { deps: W::deps(&boot), boot }
    }

    /// Runs it once; an error says what went wrong, in words.
    pub async fn run(&self, event: W::Event) -> Result<W::Result, String> {
        W::handle(&self.deps, &self.boot.job(), event).await.map_err(|error| error.to_string())
    }
}

/// Serves an endpoint until Lambda ends the process.
pub fn serve<E: Endpoint>() -> Result<(), Error> {
    block_on(async {
        let boot = Boot::from_env()?;
        let server = Arc::new(Server::<E>::new(&boot));
        boot.connect().await;
        // Without the runtime's own span: dispatch writes the request's one line.
        Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let server = Arc::clone(&server);
            async move {
                let event: Event = serde_json::from_str(event.payload.get())?;
                server.answer(event).await.map_err(Error::from)
            }
        }))
        .run()
        .await
    })
}

/// Serves a worker until Lambda ends the process.
pub fn work<W: Worker>() -> Result<(), Error> {
    block_on(async {
        let hand = Arc::new(Hand::<W>::new(Boot::from_env()?));
        hand.boot.connect().await;
        Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let hand = Arc::clone(&hand);
            async move {
                let event: W::Event = serde_json::from_str(event.payload.get())?;
                hand.run(event).await.map_err(Error::from)
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
