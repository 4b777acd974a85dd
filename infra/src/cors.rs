//! Which web pages may use the API and the file bucket: one list of origins for both ([decision 97]). The parameter
//! `AllowedOrigins` has the list in a deployment, `cargo local --origins` on the local platform.
//!
//! - The API: its own CORS configuration. API Gateway answers preflights and adds the headers ([HTTP APIs]). Without
//!   credentials: browsers send no cookies with requests of other origins, and pages there use tokens.
//! - The bucket: its CORS rules ([S3]). The API's own names are allowed too: pages that they serve use the bucket.
//!
//! A test compares the template with [`api_yaml`] and [`bucket_yaml`].
//!
//! [decision 97]: ../../docs/decisions/0097-allow-other-origins-tokens-but-no-cookies.md
//! [HTTP APIs]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
//! [S3]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html

use domain::region::Region;

/// How long browsers may cache a preflight response, in seconds. An origin that is removed from the list may send requests for
/// that long.
pub const MAX_AGE: i32 = 3_600;

/// The methods of the API.
pub const API_METHODS: [&str; 4] = ["DELETE", "GET", "PATCH", "POST"];
/// The request headers that pages of other origins may send, in addition to the CORS-safelisted ones. Without `X-CSRF-Token`,
/// which accompanies cookies.
pub const API_HEADERS: [&str; 3] = ["authorization", "content-type", "idempotency-key"];
/// The response headers of the API that pages of other origins may read.
pub const API_EXPOSED: [&str; 8] = [
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-ratelimit-reset",
    "x-request-id",
];

/// A CORS rule of the bucket, for all allowed origins.
pub struct BucketRule {
    /// The allowed methods.
    pub methods: &'static [&'static str],
    /// The allowed request headers, in addition to the CORS-safelisted ones.
    pub headers: &'static [&'static str],
    /// The response headers that scripts may read.
    pub exposed: &'static [&'static str],
}

/// Uploads and downloads. A presigned URL authorizes the request, without cookies.
pub const BUCKET_RULES: [BucketRule; 2] = [
    BucketRule { methods: &["PUT"], headers: &["content-type", "if-none-match"], exposed: &[] },
    BucketRule {
        methods: &["GET", "HEAD"],
        headers: &["range"],
        exposed: &["accept-ranges", "content-disposition", "content-range"],
    },
];

/// Whether a text is an origin that the list may contain: `https://` and a host, or `http://localhost`, each perhaps with a
/// port. The same as [`ORIGIN_PATTERN`]. No wildcards: every origin is listed.
pub fn is_origin(text: &str) -> bool {
    let (host, local) = match (text.strip_prefix("https://"), text.strip_prefix("http://localhost")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return false,
    };
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let has_name = if local { name.is_empty() } else { !name.is_empty() && name.chars().all(is_name) };
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit());
    has_name && port.is_none_or(is_port)
}

/// The form of each value of the parameter, as a regular expression. CloudFormation applies it to each value of a list
/// ([parameters]). The empty default is one empty value.
///
/// [parameters]: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
pub const ORIGIN_PATTERN: &str = "^(https://[a-z0-9.-]+(:[0-9]{1,5})?|http://localhost(:[0-9]{1,5})?)?$";

/// The parameter with the list, as YAML.
pub fn parameter_yaml() -> String {
    format!(
        r#"AllowedOrigins:
  Type: CommaDelimitedList
  Default: ""
  AllowedPattern: '{ORIGIN_PATTERN}'
  Description: The origins of web pages that may use the API and the bucket, for example https://app.example.com. Empty for none.
"#
    )
}

/// The condition `HasOrigins`, as YAML: whether the list has any.
pub fn condition_yaml() -> String {
    "HasOrigins: !Not [!Equals [!Join [\"\", !Ref AllowedOrigins], \"\"]]\n".to_owned()
}

/// The API's CORS configuration, as YAML: an extension of the OpenAPI body ([cors]). Needs the parameter and the condition.
/// Without a list, the API has no CORS configuration.
///
/// [cors]: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-cors-configuration.html
pub fn api_yaml() -> String {
    format!(
        "x-amazon-apigateway-cors:
  Fn::If:
    - HasOrigins
    - allowOrigins: !Ref AllowedOrigins
      allowMethods: {}
      allowHeaders: {}
      exposeHeaders: {}
      maxAge: {MAX_AGE}
    - !Ref AWS::NoValue
",
        list(&API_METHODS),
        list(&API_HEADERS),
        list(&API_EXPOSED),
    )
}

/// The bucket's CORS configuration, as YAML. Needs the parameters `AllowedOrigins` and `ApiDomain`, and the condition.
pub fn bucket_yaml() -> String {
    let mut text = "CorsConfiguration:\n  CorsRules:\n".to_owned();
    for rule in &BUCKET_RULES {
        text.push_str(&rule_yaml(rule));
    }
    text
}

fn rule_yaml(rule: &BucketRule) -> String {
    let exposed = match rule.exposed {
        [] => String::new(),
        names => format!("      ExposedHeaders: {}\n", list(names)),
    };
    let own = own_names();
    format!(
        r#"    - AllowedMethods: {methods}
      AllowedOrigins:
        Fn::Split:
          - ","
          - Fn::If:
              - HasOrigins
              - !Sub ["{own},${{Others}}", {{ Others: !Join [",", !Ref AllowedOrigins] }}]
              - !Sub "{own}"
      AllowedHeaders: {headers}
{exposed}      MaxAge: {MAX_AGE}
"#,
        methods = list(rule.methods),
        headers = list(rule.headers),
    )
}

/// The origins of the API's own names: the one over all regions, and each region's.
fn own_names() -> String {
    let regions = Region::ALL.map(|region| format!("https://{region}.${{ApiDomain}}"));
    std::iter::once("https://${ApiDomain}".to_owned()).chain(regions).collect::<Vec<_>>().join(",")
}

fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::Functions;

    /// The template of the API, and that of the bucket.
    const API: &str = include_str!("../../template.yaml");
    const DATA: &str = include_str!("../stacks/data.yaml");

    /// The block of the template that starts with this line, without its indentation.
    fn blocks(template: &str, first: &str) -> Vec<String> {
        let lines: Vec<&str> = template.lines().collect();
        let starts = lines.iter().enumerate().filter(|(_, line)| line.trim_start() == first.trim_end());
        let block = |(at, line): (usize, &&str)| {
            let indent = line.len() - line.trim_start().len();
            let inner = lines[at + 1..]
                .iter()
                .take_while(|line| !line.trim().is_empty() && line.len() - line.trim_start().len() > indent);
            std::iter::once(line).chain(inner).map(|line| format!("{}\n", &line[indent..])).collect()
        };
        starts.map(block).collect()
    }

    fn first_line(text: &str) -> &str {
        text.lines().next().unwrap()
    }

    #[test]
    fn template_has_exactly_these_rules() {
        let parameter = parameter_yaml();
        for template in [API, DATA] {
            // The bucket's rules have members of that name.
            assert_eq!(blocks(template, first_line(&parameter)).first(), Some(&parameter));
            assert_eq!(blocks(template, condition_yaml().trim_end()), [condition_yaml()]);
        }
        assert_eq!(blocks(API, first_line(&api_yaml())), [api_yaml()]);
        assert_eq!(blocks(DATA, "CorsConfiguration:"), [bucket_yaml()]);
        assert_eq!(DATA.matches("CorsRules:").count(), 1);
    }

    #[test]
    fn every_method_of_the_api_is_allowed() {
        let used: BTreeSet<&str> = Functions::all()
            .operations
            .iter()
            .flat_map(|it| it.spec.routes())
            .map(|it| it.method.as_str())
            .collect();
        assert_eq!(Vec::from_iter(used), API_METHODS);
    }

    /// The OpenAPI document's operations, and its shared components.
    fn documented(member: &str) -> Vec<Value> {
        let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
        let values = |value: &Value| match value {
            Value::Array(values) => values.clone(),
            Value::Object(members) => members.values().cloned().collect(),
            _ => Vec::new(),
        };
        let operations = values(&document["paths"]).into_iter().flat_map(|path| values(&path));
        let inline = operations.flat_map(|operation| values(&operation[member]));
        inline.chain(values(&document["components"][member])).collect()
    }

    #[test]
    fn pages_may_use_every_documented_header() {
        let parameters = documented("parameters").into_iter().filter(|parameter| parameter["in"] == "header");
        let sent: BTreeSet<String> =
            parameters.map(|header| header["name"].as_str().unwrap().to_ascii_lowercase()).collect();
        assert!(sent.contains("idempotency-key"), "{sent:?}");
        assert!(sent.iter().all(|name| API_HEADERS.contains(&name.as_str())), "{sent:?}");
        let responses = documented("responses");
        let headers = responses.iter().filter_map(|response| response["headers"].as_object());
        let read: BTreeSet<String> = headers.flatten().map(|(name, _)| name.to_ascii_lowercase()).collect();
        assert!(read.contains("retry-after") && read.contains("link"), "{read:?}");
        assert!(read.iter().all(|name| API_EXPOSED.contains(&name.as_str())), "{read:?}");
    }

    #[test]
    fn cookies_of_other_origins_are_never_allowed() {
        assert!(!api_yaml().contains("allowCredentials"));
        assert!(!API_HEADERS.contains(&kit::credentials::CSRF_HEADER));
        assert!(!api_yaml().contains('*') && !bucket_yaml().contains('*'));
    }

    #[test]
    fn list_contains_whole_origins_only() {
        for valid in
            ["https://app.example.com", "https://a:8443", "http://localhost:3000", "http://localhost"]
        {
            assert!(is_origin(valid), "{valid}");
        }
        for invalid in [
            "",
            "*",
            "https://*",
            "https://*.example.com",
            "null",
            "http://app.example.com",
            "https://",
            "https://a/",
            "https://a:",
            "https://a:123456",
            "https://A.example",
            "http://localhost.example.com",
            "https://a b",
            "https://a,https://b",
            "http://localhostx",
        ] {
            assert!(!is_origin(invalid), "{invalid}");
        }
    }
}
