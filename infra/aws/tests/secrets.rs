//! Secrets Manager: versions and stages, durable, and nothing in clear on disk.

use crate::support::{Local, code};

const VALUE: &str = "a-value-to-look-for-7f3a";

#[tokio::test]
async fn a_secret_is_kept_encrypted_and_survives_a_restart() {
    let mut local = Local::start().await;
    let secrets = local.secrets("f");
    let made = secrets.create_secret().name("app/key").secret_string(VALUE).send().await.unwrap();
    let arn = made.arn.unwrap();
    assert!(arn.starts_with("arn:aws:secretsmanager:eu-central-1:000000000000:secret:app/key-"), "{arn}");
    assert!(!local.on_disk(VALUE));
    local.restart().await;
    let secrets = local.secrets("f");
    for id in ["app/key", &arn, arn.rsplit_once('-').unwrap().0] {
        let got = secrets.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(got.secret_string.as_deref(), Some(VALUE), "{id}");
        assert_eq!(got.version_stages.unwrap(), ["AWSCURRENT"]);
    }
}

#[tokio::test]
async fn a_new_value_makes_the_old_one_previous() {
    let local = Local::start().await;
    let secrets = local.secrets("f");
    secrets.create_secret().name("s").secret_string("1").send().await.unwrap();
    for value in ["2", "3"] {
        secrets.put_secret_value().secret_id("s").secret_string(value).send().await.unwrap();
    }
    let at = |stage: &str| secrets.get_secret_value().secret_id("s").version_stage(stage).send();
    assert_eq!(at("AWSCURRENT").await.unwrap().secret_string.unwrap(), "3");
    assert_eq!(at("AWSPREVIOUS").await.unwrap().secret_string.unwrap(), "2");
    let described = secrets.describe_secret().secret_id("s").send().await.unwrap();
    assert_eq!(described.version_ids_to_stages.unwrap().len(), 2);
}

#[tokio::test]
async fn a_retry_with_the_same_token_makes_one_version() {
    let local = Local::start().await;
    let secrets = local.secrets("f");
    let token = "0123456789abcdef0123456789abcdef";
    let put = |value: &str| {
        let sent = secrets.put_secret_value().secret_id("s").client_request_token(token);
        sent.secret_string(value).send()
    };
    secrets.create_secret().name("s").secret_string("1").send().await.unwrap();
    put("2").await.unwrap();
    put("2").await.unwrap();
    assert_eq!(code(put("3").await), "ResourceExistsException");
    let current = secrets.get_secret_value().secret_id("s").send().await.unwrap();
    assert_eq!(current.secret_string.unwrap(), "2");
    assert_eq!(
        code(secrets.create_secret().name("s").secret_string("x").send().await),
        "ResourceExistsException"
    );
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_refused() {
    let local = Local::start().await;
    let secrets = local.secrets("f");
    assert_eq!(code(secrets.get_secret_value().secret_id("none").send().await), "ResourceNotFoundException");
    secrets.create_secret().name("empty").send().await.unwrap();
    assert_eq!(code(secrets.get_secret_value().secret_id("empty").send().await), "ResourceNotFoundException");
    assert_eq!(code(secrets.create_secret().name("sp ace").send().await), "ValidationException");
    let long = secrets.put_secret_value().secret_id("empty").secret_string("x".repeat(65_537)).send().await;
    assert_eq!(code(long), "ValidationException");
}
