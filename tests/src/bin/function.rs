//! Any function, as its own Lambda binary serves it; the environment says which. Linked once, where every function's own
//! binary takes minutes: the tests of `cargo local --binaries` run it under each function's name.

use kit::{Endpoint, Visitor, Worker};

struct Serving {
    name: String,
    outcome: Option<Result<(), lambda::Error>>,
}

impl Visitor for Serving {
    fn endpoint<E: Endpoint>(&mut self) {
        if self.name == E::SPEC.id {
            self.outcome = Some(lambda::serve::<E>());
        }
    }

    fn worker<W: Worker>(&mut self) {
        if self.name == W::SPEC.id {
            self.outcome = Some(lambda::work::<W>());
        }
    }
}

fn main() -> Result<(), lambda::Error> {
    let mut serving = Serving { name: std::env::var("AWS_LAMBDA_FUNCTION_NAME")?, outcome: None };
    infra::every(&mut serving);
    serving.outcome.unwrap_or_else(|| Err(format!("there is no function {}", serving.name).into()))
}
