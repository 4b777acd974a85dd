//! Runs the library code of functions in this process. Each function has its own boot, so that it calls AWS under its
//! own name.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use infra::timeouts::worker_seconds;
use kit::{Endpoint, Worker};
use lambda::{FunctionRuntime, Server, WorkerHost};
use serde::{Serialize, de::DeserializeOwned};

use crate::functions::{Function, InvocationError, Mount};

/// Creates the boot of a function from its id.
pub struct InProcess<B>(pub B);

impl<B: Fn(&'static str) -> FunctionRuntime> Mount for InProcess<B> {
    fn endpoint<E: Endpoint>(&self) -> Function {
        let server = Arc::new(Server::<E>::new(&(self.0)(E::SPEC.id)));
        Function::new(move |event| {
            let server = Arc::clone(&server);
            Box::pin(async move { written(&server.answer(read(&event)?).await.map_err(failed)?) })
        })
    }

    fn worker<W: Worker>(&self) -> Function {
        let hand = Arc::new(WorkerHost::<W>::new((self.0)(W::SPEC.id)));
        let time = Duration::from_secs(worker_seconds(&W::SPEC).into());
        Function::new(move |event| {
            let hand = Arc::clone(&hand);
            Box::pin(async move { written(&hand.run(&event, time).await.map_err(failed)?) })
        })
    }
}

fn read<T: DeserializeOwned>(event: &[u8]) -> Result<T, InvocationError> {
    serde_json::from_slice(event).map_err(|error| InvocationError::Failed(format!("invalid event: {error}")))
}

fn written(result: &impl Serialize) -> Result<Bytes, InvocationError> {
    serde_json::to_vec(result).map(Bytes::from).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> InvocationError {
    InvocationError::Failed(error.to_string())
}
