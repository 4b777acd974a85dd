//! Compares the signatures with those of `aws-sigv4`, which signs for the SDK.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::{config::BehaviorVersion, types::AttributeValue};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use aws_types::{SdkConfig, region::Region};
use proptest::prelude::*;

use super::*;
use crate::client::{Count, client};

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn credentials(secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "tests")
}

fn request(url: &str, headers: &[(String, String)], body: &[u8]) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").unwrap();
    request.set_uri(url).unwrap();
    for (name, value) in headers {
        request.headers_mut().try_append(name.clone(), value.clone()).unwrap();
    }
    request
}

/// The headers that `aws-sigv4` adds, sorted by name.
fn expected(
    request: &HttpRequest,
    credentials: &Credentials,
    (region, service): (&str, &str),
    time: SystemTime,
) -> Headers {
    let identity = Identity::from(credentials.clone());
    let params = SigningParams::builder().identity(&identity).region(region).name(service).time(time);
    let params = params.settings(SigningSettings::default()).build().unwrap().into();
    let body = SignableBody::Bytes(request.body().bytes().unwrap());
    let headers = request.headers().iter();
    let signable = SignableRequest::new(request.method(), request.uri(), headers, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut added: Vec<_> =
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    added.sort();
    added
}

fn added(signed: Signed) -> Headers {
    let token = signed.token.map(|token| (TOKEN.to_string(), token));
    let mut added = vec![(AUTHORIZATION.to_string(), signed.authorization), (DATE.to_string(), signed.date)];
    added.extend(token);
    added.sort();
    added
}

fn urls() -> impl Strategy<Value = String> {
    let hosts =
        vec!["dynamodb.eu-central-1.amazonaws.com", "localhost:4510", "a.example:443", "a.example:80"];
    let paths = vec!["/", "/v2/email/outbound-emails", "/a/b_c-D9/"];
    (prop_oneof!["http", "https"], prop::sample::select(hosts), prop::sample::select(paths))
        .prop_map(|(scheme, host, path)| format!("{scheme}://{host}{path}"))
}

fn header_lists() -> impl Strategy<Value = Headers> {
    let names = prop_oneof![
        Just("content-type".to_owned()),
        Just("x-amz-target".to_owned()),
        Just("user-agent".to_owned()),
        Just("x-amzn-trace-id".to_owned()),
        "x-[a-z][a-z0-9-]{0,8}",
    ];
    prop::collection::btree_map(names, "[!-~]{1,12}( [!-~]{1,12}){0,2}", 0..8)
        .prop_map(|headers| headers.into_iter().collect())
}

proptest! {
    /// Uses one signer for several requests, so that cached keys are used, and only for their own scope.
    #[test]
    fn signatures_match_the_sdk(
        requests in prop::collection::vec(
            (
                (urls(), header_lists(), prop::collection::vec(any::<u8>(), 0..300)),
                prop_oneof!["secret-one", "secret-two"],
                prop::option::of("[A-Za-z0-9/+=]{1,40}"),
                prop_oneof![Just(("us-east-1", "dynamodb")), Just(("eu-central-1", "ses"))],
                // Around midnight, in seconds since 2026.
                (0..3_u64, 0..4_u64).prop_map(|(day, second)| 1_767_225_598 + day * 86_400 + second),
            ),
            1..6,
        ),
    ) {
        let signer = Signer::default();
        for ((url, headers, body), secret, token, place, second) in requests {
            let (request, credentials) = (request(&url, &headers, &body), credentials(&secret, token.as_deref()));
            let signed = signer.sign(&request, &credentials, place, at(second)).unwrap();
            prop_assert_eq!(added(signed), expected(&request, &credentials, place, at(second)));
        }
    }
}

#[test]
fn special_request_is_left_to_the_sdk() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let plain = "https://a.example/";
    let odd = [
        request("https://a.example/a?b=c", &[], b""),
        request("https://a.example/a%20b", &[], b""),
        request("https://a.example/a/../b", &[], b""),
        request("https://a.example//", &[], b""),
        request("https://user@a.example/", &[], b""),
        request(plain, &[header("x-a", "1  2")], b""),
        request(plain, &[header("x-a", " 1")], b""),
        request(plain, &[header("x-a", "1"), header("x-a", "2")], b""),
        request(plain, &[header("host", "b.example")], b""),
        request(plain, &[header("x-amz-date", "20260101T000000Z")], b""),
    ];
    let signer = Signer::default();
    for request in odd {
        let signed = signer.sign(&request, &credentials("secret", None), ("us-east-1", "ses"), at(0));
        assert!(signed.is_none(), "{} {:?}", request.uri(), request.headers());
    }
}

#[test]
fn debug_output_omits_secret_and_key() {
    let signing = Signing::default();
    let request = request("https://a.example/", &[], b"");
    signing.0.sign(&request, &credentials("secret", Some("token")), ("us-east-1", "ses"), at(0)).unwrap();
    assert_eq!(format!("{signing:?}"), "Signing(Signer)");
}

/// Header names and values.
type Headers = Vec<(String, String)>;

/// The headers and addresses of captured requests.
#[derive(Debug, Clone, Default)]
struct Sent(Arc<Mutex<Vec<Headers>>>);

impl HttpConnector for Sent {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request.headers().iter();
        let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        headers.push(("address".to_owned(), request.uri().to_owned()));
        headers.sort();
        self.0.lock().unwrap().push(headers);
        HttpConnectorFuture::ready(Err(ConnectorError::user("not sent".into())))
    }
}

/// Calls a service once with the signer of the SDK and once with the signer of functions.
macro_rules! both {
    ($config:expr, $sdk:ident, $service:literal, |$client:ident| $call:expr) => {
        let usual = $sdk::config::Builder::from($config).interceptor(Count).build();
        for $client in [$sdk::Client::from_conf(usual), client!($sdk, $service, $config)] {
            $call.send().await.unwrap_err();
        }
    };
}

#[tokio::test]
async fn requests_to_every_service_match_the_sdk() {
    let sent = Sent::default();
    let connector = SharedHttpConnector::new(sent.clone());
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials("secret", Some("token"))))
        .time_source(StaticTimeSource::new(at(1_767_225_600)))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    both!(&config, aws_sdk_dynamodb, "dynamodb", |client| {
        client.get_item().table_name("t").key("pk", AttributeValue::S("é".to_owned()))
    });
    both!(&config, aws_sdk_secretsmanager, "secretsmanager", |client| client
        .get_secret_value()
        .secret_id("a/b"));
    both!(&config, aws_sdk_kms, "kms", |client| client.describe_key().key_id("alias/a"));
    both!(&config, aws_sdk_eventbridge, "events", |client| {
        client.put_events().entries(PutEventsRequestEntry::builder().detail("{}").build())
    });
    both!(&config, aws_sdk_sesv2, "email", |client| client.send_email().from_email_address("a@b.example"));
    let sent = sent.0.lock().unwrap();
    assert_eq!(sent.len(), 10);
    for pair in sent.chunks(2) {
        assert!(pair[0].iter().any(|(name, _)| name == AUTHORIZATION.as_str()));
        assert_eq!(pair[0], pair[1]);
    }
}
