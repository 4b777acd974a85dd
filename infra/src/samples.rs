//! What the tests of several visitors show to them.

use kit::{Anyone, Call, Endpoint, Output, Params, Ports, Problem, Spec, Visitor, spec, spec::Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Functions;

struct Fruit;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "nobody answers")]
struct Which {
    kind: String,
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct Nothing {}

impl Output for Nothing {}

impl Endpoint for Fruit {
    const SPEC: Spec =
        spec("fruit-read", Method::Get, "/api/{kind}/{id}").kinds(&["apples", "pears"]).summary("Reads");
    type Caller = Anyone;
    type Deps = ();
    type Input = Params<Which>;
    type Output = Nothing;
    type Error = Problem;

    fn deps(_: &impl Ports) {}

    async fn handle((): &(), _: &Call<Anyone>, _: Params<Which>) -> Result<Nothing, Problem> {
        Ok(Nothing {})
    }
}

/// One endpoint on several paths.
pub fn several() -> Functions {
    let mut functions = Functions::default();
    functions.endpoint::<Fruit>();
    functions
}
