//! S3: presigned URLs, conditional writes, unusual keys, listing, multipart uploads, tags, durability.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, CorsConfiguration, CorsRule, Tag, Tagging};
use futures::future::join_all;
use serde_json::json;

use crate::support::{Local, code};

async fn bucket(s3: &Client) {
    s3.create_bucket().bucket("blobs").send().await.unwrap();
}

async fn put(s3: &Client, key: &str, text: &str) {
    let body = ByteStream::from(text.as_bytes().to_vec());
    s3.put_object().bucket("blobs").key(key).body(body).send().await.unwrap();
}

async fn get(s3: &Client, key: &str) -> String {
    let got = s3.get_object().bucket("blobs").key(key).send().await.unwrap();
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

fn valid(seconds: u64) -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap()
}

#[tokio::test]
async fn presigned_url_works_until_it_expires_by_the_local_clock() {
    let local = Local::start().await;
    let s3 = local.s3("uploads");
    bucket(&s3).await;
    let http = reqwest::Client::new();
    let up = s3.put_object().bucket("blobs").key("a b/ü+.txt").content_type("text/plain");
    let up = up.presigned(valid(60)).await.unwrap();
    let mut request = http.put(up.uri()).body("hello");
    for (name, value) in up.headers() {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let down = s3.get_object().bucket("blobs").key("a b/ü+.txt").presigned(valid(60)).await.unwrap();
    let answer = http.get(down.uri()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.text().await.unwrap(), "hello");

    let other = down.uri().replace("txt", "tx");
    let later = down.uri().replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    let (start, signature) = down.uri().split_once("X-Amz-Signature=").unwrap();
    let first = if signature.starts_with('0') { '1' } else { '0' };
    let forged = format!("{start}X-Amz-Signature={first}{}", &signature[1..]);
    for tampered in [other, later, forged] {
        let answer = http.get(tampered).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(answer.text().await.unwrap().contains("<Code>SignatureDoesNotMatch</Code>"));
    }
    assert_eq!(http.put(down.uri()).body("x").send().await.unwrap().status(), 403);

    // The SDK signs with the system clock, which may be a second or more ahead of the local clock.
    local.advance(120);
    let answer = http.get(down.uri()).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("Request has expired"));
}

#[tokio::test]
async fn one_of_many_concurrent_if_none_match_puts_succeeds() {
    let local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    let put = |n: u8| {
        let body = ByteStream::from(vec![n; 1000]);
        s3.put_object().bucket("blobs").key("one").if_none_match("*").body(body).send()
    };
    let results = join_all((0..50).map(put)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(code(lost), "PreconditionFailed");
    }
}

#[tokio::test]
async fn every_key_is_a_separate_object() {
    let mut local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    let long = "k".repeat(1024);
    let keys = [
        "a",
        "a/b",
        "a/b/",
        "a/",
        "a//b",
        "../escape",
        "..",
        "/lead",
        "ü ö",
        "a%2Fb",
        "x?y=1&z",
        ".hidden",
        &long,
    ];
    for key in keys {
        put(&s3, key, &format!("is {key}")).await;
    }
    for restarted in [false, true] {
        if restarted {
            local.restart().await;
        }
        let s3 = local.s3("f");
        for key in keys {
            assert_eq!(get(&s3, key).await, format!("is {key}"));
        }
        let listed = s3.list_objects_v2().bucket("blobs").send().await.unwrap();
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        assert_eq!(listed.contents().iter().map(|o| o.key().unwrap()).collect::<Vec<_>>(), sorted);
    }
    let outside: Vec<_> = std::fs::read_dir(local.folder.join("s3")).unwrap().collect();
    assert_eq!(outside.len(), 1, "no file outside the bucket");
    let s3 = local.s3("f");
    let too_long = s3
        .put_object()
        .bucket("blobs")
        .key("k".repeat(1025))
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(code(too_long), "KeyTooLongError");
}

#[tokio::test]
async fn non_empty_bucket_can_not_be_deleted() {
    let local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    assert_eq!(code(s3.create_bucket().bucket("blobs").send().await), "BucketAlreadyOwnedByYou");
    put(&s3, "a", "1").await;
    assert_eq!(code(s3.delete_bucket().bucket("blobs").send().await), "BucketNotEmpty");
    s3.delete_object().bucket("blobs").key("a").send().await.unwrap();
    s3.delete_object().bucket("blobs").key("a").send().await.unwrap();
    s3.delete_bucket().bucket("blobs").send().await.unwrap();
    assert_eq!(code(s3.list_objects_v2().bucket("blobs").send().await), "NoSuchBucket");
}

#[tokio::test]
async fn listing_has_pages_and_common_prefixes() {
    let local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    for key in ["p/a/1", "p/a/2", "p/b", "p/c/1", "p/d", "q"] {
        put(&s3, key, "x").await;
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let page = s3.list_objects_v2().bucket("blobs").prefix("p/").delimiter("/").max_keys(1);
        let page = page.set_continuation_token(token).send().await.unwrap();
        seen.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        token = page.next_continuation_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["p/a/", "p/b", "p/c/", "p/d"]);
}

#[tokio::test]
async fn completed_parts_are_one_object_readable_by_range() {
    let local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    let started =
        s3.create_multipart_upload().bucket("blobs").key("big").content_type("x/y").send().await.unwrap();
    let id = started.upload_id.unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 * 1024 * 1024), (2, 10)] {
        let body = ByteStream::from(vec![number as u8; size]);
        let sent = s3.upload_part().bucket("blobs").key("big").upload_id(&id).part_number(number).body(body);
        let sent = sent.send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
    }
    let complete = |parts: Vec<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        s3.complete_multipart_upload()
            .bucket("blobs")
            .key("big")
            .upload_id(&id)
            .multipart_upload(parts)
            .send()
    };
    let reversed = parts.iter().rev().cloned().collect();
    assert_eq!(code(complete(reversed).await), "InvalidPartOrder");
    let done = complete(parts).await.unwrap();
    assert!(done.e_tag.unwrap().ends_with("-2\""));
    let tail = s3.get_object().bucket("blobs").key("big").range("bytes=5242879-").send().await.unwrap();
    assert_eq!(tail.content_range.as_deref(), Some("bytes 5242879-5242889/5242890"));
    assert_eq!(tail.content_type.as_deref(), Some("x/y"));
    assert_eq!(tail.body.collect().await.unwrap().to_vec(), [&[1u8][..], &[2; 10]].concat());
    let beyond = s3.get_object().bucket("blobs").key("big").range("bytes=9999999-").send().await;
    assert_eq!(code(beyond), "InvalidRange");
    let files = std::fs::read_dir(local.folder.join("s3/blobs/blobs")).unwrap().count();
    assert_eq!(files, 1, "parts are deleted");
}

#[tokio::test]
async fn tags_metadata_and_copies_survive() {
    let mut local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    let body = ByteStream::from_static(b"x");
    let sent = s3.put_object().bucket("blobs").key("a").metadata("who", "me").tagging("k=v").body(body);
    let etag = sent.send().await.unwrap().e_tag.unwrap();
    assert_eq!(etag, "\"9dd4e461268c8034f5c8564e155c67a6\"");
    let tag = Tag::builder().key("state").value("done").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag.clone()).build().unwrap();
    s3.put_object_tagging().bucket("blobs").key("a").tagging(tagging).send().await.unwrap();
    s3.copy_object().bucket("blobs").key("b").copy_source("blobs/a").send().await.unwrap();
    local.restart().await;
    let s3 = local.s3("f");
    let head = s3.head_object().bucket("blobs").key("b").send().await.unwrap();
    assert_eq!(head.metadata.unwrap()["who"], "me");
    assert_eq!(head.e_tag.unwrap(), etag);
    let tags = s3.get_object_tagging().bucket("blobs").key("b").send().await.unwrap();
    assert_eq!(tags.tag_set, [tag]);
}

#[tokio::test]
async fn wrong_secret_is_refused_and_faults_apply() {
    let local = Local::start().await;
    let s3 = local.s3("f");
    bucket(&s3).await;
    let wrong = aws_credential_types::Credentials::new("f", "not-the-secret", None, None, "local");
    let forged = Client::from_conf(s3.config().to_builder().credentials_provider(wrong).build());
    let sent = forged.get_object().bucket("blobs").key("a").send().await;
    assert_eq!(code(sent), "SignatureDoesNotMatch");
    for (kind, expected) in [
        ("refused", "ExpiredToken"),
        ("denied", "AccessDenied"),
        ("validation", "InvalidRequest"),
        ("throttled", "SlowDown"),
        ("error", "InternalError"),
    ] {
        local.fault(json!({ "service": "s3", "operation": "PutObject", "kind": kind }));
        let sent = s3.put_object().bucket("blobs").key("a").body(ByteStream::from_static(b"x")).send().await;
        assert_eq!(code(sent), expected);
    }
    local.fault(json!({ "service": "s3", "kind": "lost-response" }));
    let lost = s3.put_object().bucket("blobs").key("a").body(ByteStream::from_static(b"x")).send().await;
    assert!(lost.is_err());
    assert_eq!(get(&s3, "a").await, "x");
}

#[tokio::test]
async fn stored_cors_rules_decide_preflights() {
    let mut local = Local::start().await;
    bucket(&local.s3("f")).await;
    let ask = async |url: String, origin: &str, method: &str| {
        let request = reqwest::Client::new().request(reqwest::Method::OPTIONS, url).header("origin", origin);
        let answer = request.header("access-control-request-method", method).send().await.unwrap();
        let allowed =
            answer.headers().get("access-control-allow-origin").map(|it| it.to_str().unwrap().to_owned());
        (answer.status().as_u16(), allowed)
    };
    let url = async |s3: &Client| {
        s3.put_object().bucket("blobs").key("a").presigned(valid(60)).await.unwrap().uri().to_owned()
    };
    let s3 = local.s3("f");
    assert_eq!(ask(url(&s3).await, "https://a.example", "PUT").await, (403, None), "the bucket has no rules");
    let rule =
        CorsRule::builder().allowed_methods("PUT").allowed_origins("https://*.example").build().unwrap();
    let rules = CorsConfiguration::builder().cors_rules(rule).build().unwrap();
    s3.put_bucket_cors().bucket("blobs").cors_configuration(rules).send().await.unwrap();
    for restarted in [false, true] {
        if restarted {
            local.restart().await;
        }
        let s3 = local.s3("f");
        let kept = s3.get_bucket_cors().bucket("blobs").send().await.unwrap();
        assert_eq!(kept.cors_rules()[0].allowed_origins(), ["https://*.example"]);
        let allowed = Some("https://a.example".to_owned());
        assert_eq!(ask(url(&s3).await, "https://a.example", "PUT").await, (200, allowed));
        assert_eq!(ask(url(&s3).await, "http://a.example", "PUT").await, (403, None));
        assert_eq!(ask(url(&s3).await, "https://a.example", "GET").await, (403, None));
    }
    local.s3("f").delete_bucket_cors().bucket("blobs").send().await.unwrap();
    assert_eq!(code(local.s3("f").get_bucket_cors().bucket("blobs").send().await), "NoSuchCORSConfiguration");
}
