//! A JSON body that a request may leave out, together with its content type.

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::{
    input::{Body, Input, InputSchemas, Params, Raw},
    problem::Problem,
};

/// A JSON body that may be left out: then it is `T`'s default.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Default + Send> Input for OptionalBody<T> {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        if raw.body.is_empty() {
            return <() as Input>::read(raw).map(|()| Self(T::default()));
        }
        Body::read(raw).map(|Body(body)| Self(body))
    }

    fn describe(generator: &mut SchemaGenerator) -> InputSchemas {
        InputSchemas { body_is_optional: true, ..<Body<T> as Input>::describe(generator) }
    }
}

impl<Q, B> Input for (Params<Q>, OptionalBody<B>)
where
    Q: DeserializeOwned + JsonSchema + Send,
    B: DeserializeOwned + JsonSchema + Default + Send,
{
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        if raw.body.is_empty() {
            return Params::read(raw).map(|params| (params, OptionalBody(B::default())));
        }
        <(Params<Q>, Body<B>)>::read(raw).map(|(params, Body(body))| (params, OptionalBody(body)))
    }

    fn describe(generator: &mut SchemaGenerator) -> InputSchemas {
        InputSchemas { body_is_optional: true, ..<(Params<Q>, Body<B>)>::describe(generator) }
    }
}
