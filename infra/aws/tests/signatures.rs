//! Refused callers: no signature, wrong secret, wrong region.

use aws_credential_types::Credentials;
use aws_sdk_kms::Client;

use crate::support::{Local, client, code, said};

#[tokio::test]
async fn signature_of_another_region_is_refused() {
    let local = Local::start().await;
    let kms = local.kms_in("f", "us-east-1");
    assert_eq!(
        said(kms.create_key().send().await),
        "InvalidSignatureException: Credential should be scoped to a valid region, not 'us-east-1'."
    );
    assert!(local.journal.calls_since(0).is_empty());
}

#[tokio::test]
async fn wrong_secret_is_refused_by_every_service() {
    let local = Local::start().await;
    let wrong = Credentials::new("f", "not-the-secret", None, None, "local");
    macro_rules! wrong {
        ($sdk:ident) => {{
            let conf = client!(local, $sdk, "f", crate::support::REGION)
                .to_builder()
                .credentials_provider(wrong.clone())
                .build();
            $sdk::Client::from_conf(conf)
        }};
    }
    assert_eq!(code(wrong!(aws_sdk_kms).create_key().send().await), "InvalidSignatureException");
    assert_eq!(code(wrong!(aws_sdk_dynamodb).list_tables().send().await), "InvalidSignatureException");
    let secret = wrong!(aws_sdk_secretsmanager).get_secret_value().secret_id("s").send().await;
    assert_eq!(code(secret), "InvalidSignatureException");
    let events = wrong!(aws_sdk_eventbridge).put_events().entries(crate::events::entry("{}"));
    assert_eq!(code(events.send().await), "InvalidSignatureException");
    assert_eq!(
        code(
            wrong!(aws_sdk_sesv2)
                .send_email()
                .from_email_address("a@b.c")
                .content(aws_sdk_sesv2::types::EmailContent::builder().build())
                .send()
                .await
        ),
        "InvalidSignatureException"
    );
}

#[tokio::test]
async fn changed_body_is_refused() {
    let local = Local::start().await;
    let kms: Client = local.kms("f");
    let changed = kms.create_key().customize().interceptor(ChangeBody).send().await;
    assert_eq!(code(changed), "InvalidSignatureException");
}

#[derive(Debug)]
struct ChangeBody;

impl aws_smithy_runtime_api::client::interceptors::Intercept for ChangeBody {
    fn name(&self) -> &'static str {
        "ChangeBody"
    }

    fn modify_before_transmit(
        &self,
        context: &mut aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut<'_>,
        _: &aws_smithy_runtime_api::client::runtime_components::RuntimeComponents,
        _: &mut aws_smithy_types::config_bag::ConfigBag,
    ) -> Result<(), aws_smithy_runtime_api::box_error::BoxError> {
        *context.request_mut().body_mut() = "{ }".into();
        context.request_mut().headers_mut().insert("content-length", "3");
        Ok(())
    }
}

#[tokio::test]
async fn unsigned_request_gets_the_error_of_each_service() {
    let local = Local::start().await;
    let http = reqwest::Client::new();
    for (target, status, expected) in [
        ("DynamoDB_20120810.ListTables", 400, "com.amazon.coral.service#MissingAuthenticationTokenException"),
        ("TrentService.CreateKey", 400, "MissingAuthenticationTokenException"),
        ("", 403, "<Code>AccessDenied</Code>"),
    ] {
        let sent =
            http.post(local.aws().endpoint()).header("x-amz-target", target).body("{}").send().await.unwrap();
        assert_eq!(sent.status().as_u16(), status, "{target}");
        let body = sent.text().await.unwrap();
        assert!(body.contains(expected), "{target}: {body}");
    }
}
