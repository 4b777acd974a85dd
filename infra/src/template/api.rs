//! Renders the paths of the API: each route invokes the alias of its function, with the role of the API. A route for other
//! services has IAM authorization. A route for the other regions has none: its function verifies their signature.

use std::{collections::BTreeMap, fmt::Write as _};

use kit::{Spec, routes::Route};

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

/// Renders the ARNs of the routes for other services, which their roles need permission for ([ARN]).
///
/// [ARN]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
pub(super) fn internal_routes(functions: &Functions) -> String {
    let specs = functions.operations.iter().map(|operation| &operation.spec);
    let routes = specs.filter(|spec| spec.is_for_services()).flat_map(Spec::routes);
    let arn = |route: Route| {
        let path = route.path.split('/').map(|segment| if segment.starts_with('{') { "*" } else { segment });
        format!(
            "              - !Sub \"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}/$default/{}{}\"\n",
            route.method.as_str(),
            path.collect::<Vec<_>>().join("/"),
        )
    };
    routes.map(arn).collect()
}

fn operation(spec: &Spec) -> String {
    let security = if spec.is_for_services() { "security: [{ sigv4: [] }], " } else { "" };
    format!(
        "{{ responses: {{}}, {security}x-amazon-apigateway-integration: {{ type: aws_proxy, httpMethod: POST, \
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
    fn routes_for_services_have_iam_authorization_and_others_none() {
        let all = Functions::all();
        let (text, arns) = (paths(&all), internal_routes(&all));
        let (mut services, mut others) = (0, 0);
        for spec in all.operations.iter().map(|operation| &operation.spec) {
            for route in spec.routes() {
                let (is_internal, is_for_regions) =
                    (route.path.starts_with("/internal/"), route.path.starts_with("/internal/regions/"));
                assert_eq!(is_internal && !is_for_regions, spec.is_for_services(), "{}", spec.id);
                assert_eq!(is_for_regions, spec.is_for_regions(), "{}", spec.id);
            }
            let is_signed = operation(spec).contains("security: [{ sigv4: [] }], ");
            assert_eq!(is_signed, spec.is_for_services(), "{}", spec.id);
            *(if is_signed { &mut services } else { &mut others }) += spec.routes().len();
        }
        assert!(services > 0 && others > services);
        assert_eq!(text.matches("sigv4").count(), services);
        assert_eq!(arns.lines().count(), services);
        let arn = "${Api}/$default/POST/internal/plans/enterprise\"\n";
        assert!(arns.contains(arn), "{arns}");
    }

    #[test]
    fn template_defines_the_authorization_of_services() {
        let template = include_str!("../../../template.yaml");
        let scheme = "sigv4: { type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4 }";
        assert_eq!(template.matches(scheme).count(), 1);
    }

    #[test]
    fn every_route_is_in_the_body_once() {
        let all = Functions::all();
        let routes = all.operations.iter().map(|operation| operation.spec.routes().len()).sum::<usize>();
        assert_eq!(paths(&all).matches("x-amazon-apigateway-integration").count(), routes);
    }
}
