//! The routes of an endpoint: every method on every path.
//!
//! An endpoint may answer for several kinds of things, each with a path of its own, as `/api/{kind}` for `/api/projects` and
//! `/api/models`. Its routes are those paths and not the pattern: the gateway itself answers 404 for any other, and can
//! throttle and count each. The handler is given the kind as if it were a parameter of the path.

use bytes::Bytes;
use http::Request;

use crate::spec::{Method, Spec};

/// The values of the path's `{name}`s (a request extension).
#[derive(Debug, Clone, Default)]
pub struct PathParams(pub Vec<(String, String)>);

/// What the kind is called, in a spec's path and in the handler's input.
pub const KIND: &str = "kind";
/// Where it stands in a spec's path.
const PLACE: &str = "{kind}";

/// One method on one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{name}` for its parameters.
    pub path: String,
    /// The kind that the path is for, where there are several.
    pub kind: Option<&'static str>,
}

impl Spec {
    /// Every method on every path.
    pub fn routes(&self) -> Vec<Route> {
        let paths = self.paths();
        let route = |method: Method| {
            let on = move |(kind, path): &(Option<&'static str>, String)| Route {
                method,
                path: path.clone(),
                kind: *kind,
            };
            paths.iter().map(on).collect::<Vec<_>>()
        };
        self.methods().flat_map(route).collect()
    }

    /// Every path, with the kind that it is for.
    fn paths(&self) -> Vec<(Option<&'static str>, String)> {
        match self.kinds {
            [] => vec![(None, self.path.to_owned())],
            kinds => kinds.iter().map(|kind| (Some(*kind), self.path.replace(PLACE, kind))).collect(),
        }
    }

    /// The id of the operation on a route, as in `resources-list-projects` or `settings-update-post`.
    pub fn operation_id(&self, route: &Route) -> String {
        let method = (route.method != self.method).then(|| route.method.as_str().to_ascii_lowercase());
        let words = [Some(self.id), route.kind, method.as_deref()];
        words.into_iter().flatten().collect::<Vec<_>>().join("-")
    }

    /// What the path's `{name}`s stand for in a request that came by one of the routes: as the gateway says, and the kind.
    pub(crate) fn path_params(&self, request: &Request<Bytes>) -> Vec<(String, String)> {
        let PathParams(mut params) = request.extensions().get().cloned().unwrap_or_default();
        let kind = self.kind_in(request.uri().path());
        params.extend(kind.map(|kind| (KIND.to_owned(), kind.to_owned())));
        params
    }

    fn kind_in(&self, path: &str) -> Option<&'static str> {
        let place = self.path.split('/').position(|segment| segment == PLACE)?;
        let segment = path.split('/').nth(place)?;
        self.kinds.iter().copied().find(|kind| *kind == segment)
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::spec;

    use super::*;

    const ONE: Spec = spec("settings-update", Method::Patch, "/api/settings").also(Method::Post);
    const SEVERAL: Spec = spec("things-read", Method::Get, "/api/{kind}/{id}").kinds(&["projects", "models"]);

    /// The routes in short, and the operations on them.
    fn routes(spec: &Spec) -> Vec<String> {
        let line =
            |route: &Route| format!("{} {} {}", route.method.as_str(), route.path, spec.operation_id(route));
        spec.routes().iter().map(line).collect()
    }

    #[test]
    fn an_endpoint_answers_to_each_method_on_each_path_and_to_no_pattern() {
        let one = ["PATCH /api/settings settings-update", "POST /api/settings settings-update-post"];
        assert_eq!(routes(&ONE), one);
        let several =
            ["GET /api/projects/{id} things-read-projects", "GET /api/models/{id} things-read-models"];
        assert_eq!(routes(&SEVERAL), several);
        assert_eq!(routes(&SEVERAL.also(Method::Post)).len(), 4);
    }

    #[test]
    fn a_handler_is_told_the_kind_beside_the_gateways_parameters() {
        let params = |spec: &Spec, path: &str| {
            let mut request = Request::get(path).body(Bytes::new()).unwrap();
            request.extensions_mut().insert(PathParams(vec![("id".to_owned(), "7".to_owned())]));
            let params =
                spec.path_params(&request).into_iter().map(|(name, value)| format!("{name}={value}"));
            params.collect::<Vec<_>>()
        };
        assert_eq!(params(&SEVERAL, "/api/models/7"), ["id=7", "kind=models"]);
        assert_eq!(params(&SEVERAL, "/api/model/projects"), ["id=7"]);
        assert_eq!(params(&ONE, "/api/settings"), ["id=7"]);
    }
}
