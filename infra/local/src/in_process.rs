//! Runs the functions' library code in this process: each gets a boot of its own, so that each calls AWS under its own name.

use std::sync::Arc;

use bytes::Bytes;
use kit::{Endpoint, Worker};
use lambda::{Boot, Hand, Server};
use serde::{Serialize, de::DeserializeOwned};

use crate::functions::{Failed, Function, Mount};

/// Makes what a function is built from, by its name.
pub struct InProcess<B>(pub B);

impl<B: Fn(&'static str) -> Boot> Mount for InProcess<B> {
    fn endpoint<E: Endpoint>(&self) -> Function {
        let server = Arc::new(Server::<E>::new(&(self.0)(E::SPEC.id)));
        Function::new(move |event| {
            let server = Arc::clone(&server);
            Box::pin(async move { written(&server.answer(read(&event)?).await.map_err(failed)?) })
        })
    }

    fn worker<W: Worker>(&self) -> Function {
        let hand = Arc::new(Hand::<W>::new((self.0)(W::SPEC.id)));
        Function::new(move |event| {
            let hand = Arc::clone(&hand);
            Box::pin(async move { written(&hand.run(read(&event)?).await.map_err(failed)?) })
        })
    }
}

fn read<T: DeserializeOwned>(event: &[u8]) -> Result<T, Failed> {
    serde_json::from_slice(event)
        .map_err(|error| Failed::Error(format!("not an event of this function: {error}")))
}

fn written(result: &impl Serialize) -> Result<Bytes, Failed> {
    serde_json::to_vec(result).map(Bytes::from).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failed {
    Failed::Error(error.to_string())
}
