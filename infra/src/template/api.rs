//! Renders the paths of the API: each route invokes the alias of its function, with the role of the API.

use std::{collections::BTreeMap, fmt::Write as _};

use kit::Spec;

use super::quoted;
use crate::Functions;

/// Renders the paths of the OpenAPI body that API Gateway imports
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-integration.html>).
pub(super) fn paths(functions: &Functions) -> String {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for spec in functions.operations.iter().map(|operation| &operation.spec) {
        for route in spec.routes() {
            let method = route.method.as_str().to_ascii_lowercase();
            let methods = paths.entry(route.path).or_default();
            let _ = writeln!(methods, "            {method}: {}", operation(spec));
        }
    }
    paths.into_iter().map(|(path, methods)| format!("          {}:\n{methods}", quoted(&path))).collect()
}

fn operation(spec: &Spec) -> String {
    format!(
        "{{ responses: {{}}, x-amazon-apigateway-integration: {{ type: aws_proxy, httpMethod: POST, \
         payloadFormatVersion: \"2.0\", credentials: !GetAtt ApiRole.Arn, uri: !Sub \
         \"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/{}/invocations\" }} }}",
        super::function_arn(spec.id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::several;

    #[test]
    fn endpoint_on_several_paths_has_one_function() {
        let text = paths(&several());
        for path in ["/api/apples/{id}", "/api/pears/{id}"] {
            assert!(text.contains(&format!("          \"{path}\":\n            get: {{ ")), "{text}");
        }
        assert_eq!(text.matches("function:${Platform}-fruit-read:live/invocations").count(), 2);
    }

    #[test]
    fn every_route_is_in_the_body_once() {
        let all = Functions::all();
        let routes = all.operations.iter().map(|operation| operation.spec.routes().len()).sum::<usize>();
        assert_eq!(paths(&all).matches("x-amazon-apigateway-integration").count(), routes);
    }
}
