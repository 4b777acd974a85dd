//! Every function, as data.

use kit::{Endpoint, Grant, Input, Spec, Visitor, Worker, WorkerSpec, caller::Caller};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use crate::schemas::Part;

/// An endpoint without its types.
pub struct Operation {
    /// Its description.
    pub spec: Spec,
    /// Whether the form in which it wants its caller fits its access.
    pub caller_fits: bool,
    /// The schema of its path's and query's parameters.
    pub params: Option<Value>,
    /// The schema of its body.
    pub body: Option<Part>,
    /// The schema of its successful answer.
    pub output: Part,
}

/// Every function of the platform, in the order of the areas' lists.
#[derive(Default)]
pub struct Functions {
    /// Those with a route.
    pub operations: Vec<Operation>,
    /// Those without.
    pub workers: Vec<WorkerSpec>,
}

impl Functions {
    /// All of them.
    pub fn all() -> Self {
        let mut functions = Self::default();
        crate::every(&mut functions);
        functions
    }
}

impl Visitor for Functions {
    fn endpoint<E: Endpoint>(&mut self) {
        let settings =
            || SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
        let mut reading: SchemaGenerator = settings().for_deserialize().into_generator();
        let mut writing: SchemaGenerator = settings().for_serialize().into_generator();
        let schemas = E::Input::describe(&mut reading);
        let output = writing.subschema_for::<E::Output>().to_value();
        self.operations.push(Operation {
            spec: E::SPEC,
            caller_fits: E::Caller::fits(E::SPEC.access),
            params: schemas.params,
            body: schemas.body.map(|root| Part::new(E::SPEC.id, root, &mut reading)),
            output: Part::new(E::SPEC.id, output, &mut writing),
        });
    }

    fn worker<W: Worker>(&mut self) {
        self.workers.push(W::SPEC);
    }
}

/// What each function may do with AWS, by its id.
pub fn grants() -> Vec<(&'static str, Vec<Grant>)> {
    let mut all = Grants(Vec::new());
    crate::every(&mut all);
    all.0
}

struct Grants(Vec<(&'static str, Vec<Grant>)>);

impl Visitor for Grants {
    fn endpoint<E: Endpoint>(&mut self) {
        self.0.push((E::SPEC.id, E::SPEC.all_grants()));
    }

    fn worker<W: Worker>(&mut self) {
        self.0.push((W::SPEC.id, W::SPEC.grants.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use kit::routes::KIND;

    use super::*;
    use crate::samples::several;

    #[test]
    fn no_two_functions_have_the_same_id() {
        let all = Functions::all();
        let specs = all.operations.iter().map(|operation| operation.spec.id);
        let mut seen = BTreeSet::new();
        for id in specs.chain(all.workers.iter().map(|worker| worker.id)) {
            assert!(seen.insert(id), "{id} is there twice");
            let kebab = id.split('-').all(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(kebab, "{id} is not in kebab case");
        }
    }

    #[test]
    fn no_two_functions_answer_to_the_same_route() {
        let mut seen = BTreeMap::new();
        for Operation { spec, .. } in Functions::all().operations {
            for route in spec.routes() {
                let name = format!("{} {}", route.method.as_str(), route.path);
                let other = seen.insert(name.clone(), spec.id);
                assert_eq!(other, None, "{name} of {}", spec.id);
            }
        }
    }

    #[test]
    fn whoever_is_on_several_paths_says_where_they_differ_and_asks_which_it_is() {
        let all = Functions::all().operations.into_iter().chain(several().operations);
        for Operation { spec, params, .. } in all {
            let differ = spec.path.split('/').any(|segment| segment == "{kind}");
            assert_eq!(differ, !spec.kinds.is_empty(), "{}", spec.id);
            let asks = params.is_some_and(|params| params["properties"].get(KIND).is_some());
            assert!(!differ || asks, "{} does not take the kind", spec.id);
        }
    }

    #[test]
    fn every_handler_wants_its_caller_in_a_form_that_its_access_gives() {
        for operation in Functions::all().operations {
            assert!(operation.caller_fits, "{}: {:?}", operation.spec.id, operation.spec.access);
        }
    }

    #[test]
    fn every_function_says_what_it_does() {
        for Operation { spec, .. } in Functions::all().operations {
            assert!(
                !spec.summary.is_empty() && !spec.summary.ends_with('.'),
                "{}: {:?}",
                spec.id,
                spec.summary
            );
        }
    }
}
