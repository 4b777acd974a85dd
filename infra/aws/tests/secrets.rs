//! Secrets Manager: versions, staging labels, rotation, durability, and no plaintext on disk.

use crate::support::{Local, code, said};

const VALUE: &str = "a-value-to-look-for-7f3a";

#[tokio::test]
async fn secret_is_stored_encrypted_and_survives_a_restart() {
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
async fn new_value_makes_the_old_one_previous() {
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
async fn retry_with_the_same_token_creates_one_version() {
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
async fn missing_secret_or_invalid_request_is_refused() {
    let local = Local::start().await;
    let secrets = local.secrets("f");
    assert_eq!(code(secrets.get_secret_value().secret_id("none").send().await), "ResourceNotFoundException");
    secrets.create_secret().name("empty").send().await.unwrap();
    assert_eq!(code(secrets.get_secret_value().secret_id("empty").send().await), "ResourceNotFoundException");
    assert_eq!(code(secrets.create_secret().name("sp ace").send().await), "ValidationException");
    let long = secrets.put_secret_value().secret_id("empty").secret_string("x".repeat(65_537)).send().await;
    assert_eq!(code(long), "ValidationException");
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FUNCTION: &str = "arn:aws:lambda:eu-central-1:000000000000:function:rotate";

#[tokio::test]
async fn rotation_creates_a_pending_version_without_value() {
    let local = Local::start().await;
    let secrets = local.secrets("f");
    secrets.create_secret().name("s").secret_string("1").send().await.unwrap();
    let rotate = || secrets.rotate_secret().secret_id("s");
    let none = "InvalidRequestException: No Lambda rotation function ARN is associated with this secret.";
    assert_eq!(said(rotate().send().await), none);
    let begun = rotate().rotation_lambda_arn(FUNCTION).client_request_token(TOKEN).send().await.unwrap();
    assert_eq!(begun.version_id.as_deref(), Some(TOKEN));
    let described = secrets.describe_secret().secret_id("s").send().await.unwrap();
    assert_eq!(described.rotation_enabled, Some(true));
    assert_eq!(described.version_ids_to_stages.unwrap()[TOKEN], ["AWSPENDING"]);
    let pending = || secrets.get_secret_value().secret_id("s").version_id(TOKEN).version_stage("AWSPENDING");
    assert_eq!(code(pending().send().await), "ResourceNotFoundException");
    let other =
        "InvalidRequestException: A previous rotation isn't complete. That rotation will be reattempted.";
    assert_eq!(said(rotate().send().await), other);
    rotate().client_request_token(TOKEN).send().await.unwrap();
    let put = |value: &str| {
        let put = secrets.put_secret_value().secret_id("s").client_request_token(TOKEN);
        put.version_stages("AWSPENDING").secret_string(value).send()
    };
    put("2").await.unwrap();
    put("2").await.unwrap();
    assert_eq!(code(put("3").await), "ResourceExistsException");
    assert_eq!(pending().send().await.unwrap().secret_string.unwrap(), "2");
    let current = secrets.get_secret_value().secret_id("s").send().await.unwrap();
    assert_eq!(current.secret_string.unwrap(), "1");
}

#[tokio::test]
async fn label_moves_only_from_the_named_version() {
    let local = Local::start().await;
    let secrets = local.secrets("f");
    let made = secrets.create_secret().name("s").secret_string("1").send().await.unwrap().version_id.unwrap();
    secrets
        .rotate_secret()
        .secret_id("s")
        .rotation_lambda_arn(FUNCTION)
        .client_request_token(TOKEN)
        .send()
        .await
        .unwrap();
    let put = secrets.put_secret_value().secret_id("s").client_request_token(TOKEN);
    put.version_stages("AWSPENDING").secret_string("2").send().await.unwrap();
    let update = |label: &str, to: Option<&str>, from: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let update = secrets.update_secret_version_stage().secret_id("s").version_stage(label);
        update.set_move_to_version_id(owned(to)).set_remove_from_version_id(owned(from)).send()
    };
    let unknown = "fedcba9876543210fedcba9876543210";
    for (label, to, from) in [
        ("AWSCURRENT", Some(TOKEN), None),
        ("AWSCURRENT", Some(TOKEN), Some(TOKEN)),
        ("AWSCURRENT", Some(TOKEN), Some(unknown)),
        ("AWSCURRENT", Some(unknown), Some(made.as_str())),
        ("AWSCURRENT", None, Some(made.as_str())),
        ("AWSPENDING", None, Some(made.as_str())),
        ("AWSPENDING", None, None),
        ("MINE", None, None),
    ] {
        assert_eq!(
            code(update(label, to, from).await),
            "InvalidParameterException",
            "{label} {to:?} {from:?}"
        );
    }
    update("AWSCURRENT", Some(TOKEN), Some(&made)).await.unwrap();
    let stages = async || {
        secrets.describe_secret().secret_id("s").send().await.unwrap().version_ids_to_stages.unwrap()
    };
    let mut labels = stages().await[TOKEN].clone();
    labels.sort();
    assert_eq!(labels, ["AWSCURRENT", "AWSPENDING"]);
    assert_eq!(stages().await[&made], ["AWSPREVIOUS"]);
    assert_eq!(code(update("AWSCURRENT", Some(TOKEN), Some(&made)).await), "InvalidParameterException");
    // Both labels are on the current version, so no rotation is in progress.
    let next = secrets.rotate_secret().secret_id("s").send().await.unwrap().version_id.unwrap();
    assert_eq!(stages().await[TOKEN], ["AWSCURRENT"]);
    update("AWSPENDING", None, Some(&next)).await.unwrap();
    assert!(!stages().await.contains_key(&next), "a version without labels is deleted");
    update("MINE", Some(&made), None).await.unwrap();
    assert_eq!(stages().await[&made], ["AWSPREVIOUS", "MINE"]);
}

#[tokio::test]
async fn replica_changes_only_with_its_primary() {
    let (one, two) = (Local::start().await, Local::start().await);
    let (primary, replica) = (one.secrets("f"), two.secrets("f"));
    primary.create_secret().name("s").secret_string(VALUE).send().await.unwrap();
    for value in [VALUE, "2"] {
        primary.put_secret_value().secret_id("s").secret_string(value).send().await.unwrap();
        one.aws().replicate_secret("s".to_owned(), two.aws()).await;
        let read = replica.get_secret_value().secret_id("s").send().await.unwrap();
        assert_eq!(read.secret_string.as_deref(), Some(value));
    }
    assert!(!two.on_disk(VALUE));
    let labels = async |client: &aws_sdk_secretsmanager::Client| {
        client.describe_secret().secret_id("s").send().await.unwrap().version_ids_to_stages.unwrap()
    };
    assert_eq!(labels(&primary).await, labels(&replica).await);
    let refused = "InvalidRequestException";
    assert_eq!(code(replica.put_secret_value().secret_id("s").secret_string("3").send().await), refused);
    assert_eq!(
        code(replica.rotate_secret().secret_id("s").rotation_lambda_arn(FUNCTION).send().await),
        refused
    );
    let update = replica.update_secret_version_stage().secret_id("s").version_stage("AWSPENDING");
    assert_eq!(code(update.send().await), refused);
}
