//! The role of a function allows calls to its own region and the directory only.

use serde_json::json;

use crate::dynamodb::{table, text};
use crate::support::{AUTHORITY, DIRECTORY, Local, REGION, code, said};

#[tokio::test]
async fn function_of_another_region_is_refused_by_every_service() {
    let local = Local::start().await;
    let foreign = "us-east-1.auth-sign-in";
    assert_eq!(
        said(local.kms(foreign).create_key().send().await),
        "AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/auth-sign-in/auth-sign-in is not \
         authorized to perform: kms:CreateKey because no identity-based policy allows the kms:CreateKey action"
    );
    let secret = local.secrets(foreign).create_secret().name("s").secret_string("x").send().await;
    assert_eq!(code(secret), "AccessDeniedException");
    let events = local.events(foreign).put_events().entries(crate::events::entry("{}")).send().await;
    assert_eq!(code(events), "AccessDeniedException");
    let content = aws_sdk_sesv2::types::EmailContent::builder().build();
    let mail = local.ses(foreign).send_email().from_email_address("a@b.c").content(content).send().await;
    assert_eq!(code(mail), "AccessDeniedException");
    assert_eq!(code(local.s3(foreign).create_bucket().bucket("blobs").send().await), "AccessDenied");
    assert_eq!(code(local.dynamodb(foreign).list_tables().send().await), "AccessDeniedException");
    assert_eq!(
        code(local.secrets("f").get_secret_value().secret_id("s").send().await),
        "ResourceNotFoundException"
    );
    assert!(local.events_on_bus().is_empty());
}

#[tokio::test]
async fn refused_call_is_recorded() {
    let local = Local::start().await;
    table(&local.dynamodb("f"), "things").await;
    let before = local.journal.calls_since(0).len() as u64;
    let put = local.dynamodb("us-east-1.auth-sign-up").put_item().table_name("things").item("pk", text("a"));
    assert_eq!(code(put.send().await), "AccessDeniedException");
    let call = local.journal.calls_since(before).remove(0);
    assert_eq!(
        (call.function.as_str(), call.home.as_deref(), call.region.as_str()),
        ("auth-sign-up", Some("us-east-1"), REGION)
    );
    assert_eq!(
        (call.operation.as_str(), call.table.as_deref(), call.capacity, call.status),
        ("PutItem", Some("things"), None, 400)
    );
    let got = local.dynamodb("f").get_item().table_name("things").key("pk", text("a")).send().await.unwrap();
    assert!(got.item.is_none());
}

#[tokio::test]
async fn function_may_call_every_service_of_its_region() {
    let local = Local::start().await;
    let own = "eu-central-1.auth-sign-in";
    table(&local.dynamodb("provision"), "things").await;
    local.dynamodb(own).put_item().table_name("things").item("pk", text("a")).send().await.unwrap();
    local.kms(own).create_key().send().await.unwrap();
    local.s3(own).create_bucket().bucket("blobs").send().await.unwrap();
    local.s3(own).head_bucket().bucket("blobs").send().await.unwrap();
}

#[tokio::test]
async fn functions_read_the_replica_but_can_not_write_it() {
    let local = Local::start().await;
    table(&local.dynamodb("provision"), DIRECTORY).await;
    let put = |caller: &str, pk: &str| {
        local.dynamodb(caller).put_item().table_name(DIRECTORY).item("pk", text(pk)).send()
    };
    put("replication", "a").await.unwrap();
    for caller in ["eu-central-1.f", "us-east-1.f"] {
        let got = local.dynamodb(caller).get_item().table_name(DIRECTORY).key("pk", text("a")).send().await;
        assert!(got.unwrap().item.is_some(), "{caller}");
        assert_eq!(code(put(caller, "b").await), "AccessDeniedException", "{caller}");
    }
}

#[tokio::test]
async fn functions_of_every_region_write_the_directory_authority() {
    let mut local = Local::start().await;
    local.authority = REGION;
    local.restart().await;
    table(&local.dynamodb("provision"), DIRECTORY).await;
    table(&local.dynamodb("provision"), "things").await;
    let foreign = local.dynamodb("ap-southeast-1.f");
    foreign.put_item().table_name(DIRECTORY).item("pk", text("a")).send().await.unwrap();
    let elsewhere = foreign.put_item().table_name("things").item("pk", text("a")).send().await;
    assert_eq!(code(elsewhere), "AccessDeniedException");
    let put = aws_sdk_dynamodb::types::WriteRequest::builder();
    let item = aws_sdk_dynamodb::types::PutRequest::builder().item("pk", text("b")).build().unwrap();
    let put = put.put_request(item).build();
    let both = foreign.batch_write_item().request_items(DIRECTORY, vec![put.clone()]);
    assert_eq!(
        said(both.request_items("things", vec![put]).send().await),
        "ValidationException: directory is in another database: a call can't combine it with other tables"
    );
}

#[tokio::test]
async fn refusal_can_be_lost() {
    let local = Local::start().await;
    local.fault(json!({ "service": "kms", "kind": "lost-response" }));
    let error = local.kms(&format!("{AUTHORITY}.f")).create_key().send().await.unwrap_err();
    assert!(matches!(error, aws_sdk_kms::error::SdkError::DispatchFailure(_)), "{error:?}");
    let call = local.journal.calls_since(0).remove(0);
    assert_eq!((call.home.as_deref(), call.status), (Some(AUTHORITY), 400));
}
