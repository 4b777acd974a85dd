//! Input of an endpoint that begins to read beside the session check.

use domain::ports::Outcome;
use schemars::SchemaGenerator;

use crate::{
    input::{Input, InputSchemas, Raw},
    problem::Problem,
};

/// An input, and the records that `Endpoint::prefetch` read for it.
pub struct Prefetched<I, T>(pub I, pub Early<T>);

/// Records that were read beside the session check, or nothing: the handler reads them then.
pub struct Early<T>(Option<Outcome<T>>);

impl<T> Early<T> {
    /// Reads the records now.
    pub async fn read(&mut self, records: impl Future<Output = Outcome<T>>) {
        self.0 = Some(records.await);
    }

    /// The records that were read early, or else those that `records` reads now.
    pub async fn or_read(self, records: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        match self.0 {
            Some(read) => read,
            None => records.await,
        }
    }
}

impl<I: Input, T: Send> Input for Prefetched<I, T> {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        Ok(Self(I::read(raw)?, Early(None)))
    }

    fn describe(generator: &mut SchemaGenerator) -> InputSchemas {
        I::describe(generator)
    }
}
