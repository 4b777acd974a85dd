//! Describes every function as data, by area: one package in `functions/` each, deployed as one nested stack each.

use kit::{Endpoint, Grant, Input, Output, Spec, Visitor, Worker, WorkerSpec, caller::Caller};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use crate::schemas::SchemaPart;

/// The description of an endpoint without its Rust types.
pub struct Operation {
    /// The endpoint's specification.
    pub spec: Spec,
    /// Whether the handler's caller type fits the access rule of the specification.
    pub caller_fits: bool,
    /// The JSON schema of the path and query parameters.
    pub params: Option<Value>,
    /// The JSON schema of the request body.
    pub body: Option<SchemaPart>,
    /// The media type of the request body.
    pub body_media_type: &'static str,
    /// Whether the request body is optional.
    pub body_is_optional: bool,
    /// The JSON schema of the successful response.
    pub output: SchemaPart,
    /// The media type of responses that are text and not JSON, if there are any.
    pub text_type: Option<&'static str>,
}

/// Every function of the platform, in the order of the areas' lists.
#[derive(Default)]
pub struct Functions {
    /// The functions with a route.
    pub operations: Vec<Operation>,
    /// The functions without a route.
    pub workers: Vec<WorkerSpec>,
}

impl Functions {
    /// Collects all functions.
    pub fn all() -> Self {
        let mut functions = Self::default();
        every(&mut functions);
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
            body_is_optional: schemas.body_is_optional,
            body_media_type: schemas.body_media_type.unwrap_or("application/json"),
            body: schemas.body.map(|root| SchemaPart::new(E::SPEC.id, root, &mut reading)),
            output: SchemaPart::new(E::SPEC.id, output, &mut writing),
            text_type: E::Output::TEXT_TYPE,
        });
    }

    fn worker<W: Worker>(&mut self) {
        self.workers.push(W::SPEC);
    }
}

/// Lists the areas once: their packages register their functions.
macro_rules! areas {
    ($($name:literal => $package:ident,)*) => {
        /// Visits every function of every area.
        pub fn every(visitor: &mut impl Visitor) {
            $($package::register(visitor);)*
        }

        /// The functions of each area, by the name of its folder in `functions/`.
        pub fn areas() -> Vec<(&'static str, Functions)> {
            vec![$(($name, {
                let mut functions = Functions::default();
                $package::register(&mut functions);
                functions
            }),)*]
        }
    };
}

areas! {
    "auth" => auth,
    "settings" => settings,
    "emails" => emails,
    "api-keys" => api_keys,
    "activity" => activity,
    "resources" => resources,
    "teams" => teams,
    "billing" => billing,
    "payments" => payments,
    "regions" => regions,
    "trash" => trash,
    "privacy" => privacy,
    "workers" => workers,
}

/// The grants of each function, by function id.
pub fn grants() -> Vec<(&'static str, Vec<Grant>)> {
    let mut all = Grants(Vec::new());
    every(&mut all);
    all.0
}

struct Grants(Vec<(&'static str, Vec<Grant>)>);

impl Visitor for Grants {
    fn endpoint<E: Endpoint>(&mut self) {
        self.0.push((E::SPEC.id, E::SPEC.grants()));
    }

    fn worker<W: Worker>(&mut self) {
        self.0.push((W::SPEC.id, W::SPEC.grants()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use domain::{
        domain_events::{Consumers, DomainEvent},
        handle::Handle,
    };
    use kit::{Trigger, routes::KIND};

    use super::*;
    use crate::samples::several;

    #[test]
    fn function_ids_are_unique() {
        let all = Functions::all();
        let specs = all.operations.iter().map(|operation| operation.spec.id);
        let mut seen = BTreeSet::new();
        for id in specs.chain(all.workers.iter().map(|worker| worker.id)) {
            assert!(seen.insert(id), "duplicate function id {id}");
            let kebab = id.split('-').all(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(kebab, "function id {id} is not in kebab case");
        }
    }

    #[test]
    fn routes_are_unique() {
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
    fn endpoint_on_several_paths_takes_the_kind() {
        let all = Functions::all().operations.into_iter().chain(several().operations);
        for Operation { spec, params, .. } in all {
            let differ = spec.path.split('/').any(|segment| segment == "{kind}");
            assert_eq!(differ, !spec.kinds.is_empty(), "{}", spec.id);
            let asks = params.is_some_and(|params| params["properties"].get(KIND).is_some());
            assert!(!differ || asks, "{} lacks a `kind` parameter", spec.id);
        }
    }

    #[test]
    fn caller_type_of_every_handler_fits_its_access() {
        for operation in Functions::all().operations {
            assert!(operation.caller_fits, "{}: {:?}", operation.spec.id, operation.spec.access);
        }
    }

    #[test]
    fn event_without_consumer_has_a_reason() {
        for event in DomainEvent::TYPES {
            match event.consumers {
                Consumers::Functions(functions) => assert!(!functions.is_empty(), "{} has none", event.name),
                Consumers::None(reason) => assert!(!reason.is_empty(), "{} has no reason", event.name),
            }
        }
    }

    #[test]
    fn consumers_of_events_are_the_functions_that_the_bus_invokes() {
        let named: BTreeSet<&str> =
            DomainEvent::TYPES.iter().flat_map(|event| event.functions()).copied().collect();
        let all = Functions::all();
        let invoked = all.workers.iter().filter(|worker| worker.has(Trigger::Bus)).map(|worker| worker.id);
        assert_eq!(named, invoked.collect::<BTreeSet<_>>());
    }

    #[test]
    fn every_function_has_a_summary() {
        for Operation { spec, .. } in Functions::all().operations {
            assert!(
                !spec.summary.is_empty() && !spec.summary.ends_with('.'),
                "{}: {:?}",
                spec.id,
                spec.summary
            );
        }
    }

    #[test]
    fn every_path_segment_is_a_reserved_handle() {
        for Operation { spec, .. } in Functions::all().operations {
            for route in spec.routes() {
                let segments = route.path.split('/').filter(|segment| !segment.is_empty()).take(2);
                for segment in segments.filter(|segment| Handle::parse_existing(segment).is_ok()) {
                    assert!(
                        Handle::parse(segment).is_err(),
                        "add `{segment}` of {} to reserved_handles.txt",
                        route.path
                    );
                }
            }
        }
    }
}
