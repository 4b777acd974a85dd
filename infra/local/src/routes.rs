//! The routes of the gateway.

use std::{collections::BTreeMap, sync::Arc};

use kit::spec::Method;

use crate::functions::MountedEndpoint;

type Methods = Vec<(Method, Arc<MountedEndpoint>)>;
type Params<'a> = Vec<(&'a str, &'a str)>;

/// The routes of a region.
pub struct Routes {
    matcher: matchit::Router<String>,
    by_path: BTreeMap<String, Methods>,
}

/// The endpoint and path parameters of a request.
pub struct RouteMatch<'a> {
    /// The endpoint.
    pub endpoint: Arc<MountedEndpoint>,
    /// The path of the route, with `{name}` placeholders.
    pub path: &'a str,
    /// The values of the placeholders.
    pub params: Params<'a>,
}

impl Routes {
    /// The routes of these endpoints.
    pub fn new(endpoints: &[Arc<MountedEndpoint>]) -> Self {
        let mut by_path: BTreeMap<String, Methods> = BTreeMap::new();
        for endpoint in endpoints {
            for route in endpoint.spec.routes() {
                by_path.entry(route.path).or_default().push((route.method, Arc::clone(endpoint)));
            }
        }
        let mut matcher = matchit::Router::new();
        for path in by_path.keys() {
            if let Err(error) = matcher.insert(path, path.clone()) {
                tracing::error!(path, %error, "duplicate route");
            }
        }
        Self { matcher, by_path }
    }

    /// The endpoint for a method and path.
    pub fn find<'a>(&'a self, method: &str, path: &'a str) -> Option<RouteMatch<'a>> {
        let found = self.matcher.at(path).ok()?;
        let methods = self.by_path.get(found.value)?;
        let (_, endpoint) = methods.iter().find(|(known, _)| known.as_str() == method)?;
        let params = found.params.iter().collect();
        Some(RouteMatch { endpoint: Arc::clone(endpoint), path: found.value, params })
    }
}

#[cfg(test)]
mod tests {
    use kit::spec;

    use super::*;
    use crate::functions::Function;

    fn mounted(spec: kit::Spec) -> Arc<MountedEndpoint> {
        let function = Function::new(|event| Box::pin(async move { Ok(event) }));
        Arc::new(MountedEndpoint { spec, function })
    }

    #[test]
    fn endpoint_is_found_on_exactly_its_paths() {
        const FRUIT: &[&str] = &["apples", "pears"];
        let routes = Routes::new(&[
            mounted(spec("fruit-list", Method::Get, "/api/{kind}").kinds(FRUIT)),
            mounted(spec("fruit-create", Method::Post, "/api/{kind}").kinds(FRUIT)),
            mounted(spec("fruit-read", Method::Get, "/api/{kind}/{id}").kinds(FRUIT)),
        ]);
        let found = |method: &str, path: &str| {
            let found = routes.find(method, path)?;
            Some(format!("{} {} {:?}", found.endpoint.spec.id, found.path, found.params))
        };
        assert_eq!(found("GET", "/api/pears").unwrap(), "fruit-list /api/pears []");
        assert_eq!(found("POST", "/api/apples").unwrap(), "fruit-create /api/apples []");
        assert_eq!(found("GET", "/api/apples/7").unwrap(), r#"fruit-read /api/apples/{id} [("id", "7")]"#);
        for (method, path) in
            [("GET", "/api/plums"), ("GET", "/api/{kind}"), ("GET", "/api/plums/7"), ("PATCH", "/api/pears")]
        {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}
