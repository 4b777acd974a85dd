//! Sample functions for the tests of this crate.

use kit::{
    Anyone, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec, Visitor, spec, spec::Method,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Functions;

struct SampleEndpoint;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the handler is never called")]
struct SampleQuery {
    kind: String,
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct SampleOutput {}

impl Output for SampleOutput {}

impl Endpoint for SampleEndpoint {
    const SPEC: Spec =
        spec("fruit-read", Method::Get, "/api/{kind}/{id}").kinds(&["apples", "pears"]).summary("Reads");
    type Caller = Anyone;
    type Deps = ();
    type Input = Params<SampleQuery>;
    type Output = SampleOutput;
    type Error = Problem;

    fn deps(_: &impl Ports) {}

    async fn handle(
        (): &(),
        _: &RequestContext<Anyone>,
        _: Params<SampleQuery>,
    ) -> Result<SampleOutput, Problem> {
        Ok(SampleOutput {})
    }
}

/// A sample endpoint on several paths.
pub fn several() -> Functions {
    let mut functions = Functions::default();
    functions.endpoint::<SampleEndpoint>();
    functions
}
