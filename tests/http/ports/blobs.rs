//! Files: signed by one function, looked after by a second, deleted by a third, each with no grant but its own.

use std::sync::Arc;

use domain::{
    blob::{BlobKey, Blobs, PresignedPut, Presigner},
    id::WorkspaceId,
    region::Region,
};
use jiff::SignedDuration;
use kit::{Grant, ports::FilePorts};
use tests::json;

use super::{at, bucket::Bucket, id, why};

const TYPE: &str = "application/zip";

/// The bucket, with roles that are granted one thing each.
struct Site {
    bucket: Bucket,
    workspace: WorkspaceId,
}

impl Site {
    async fn start() -> Self {
        let grants = [("signs", "PutObject"), ("looks", "ListBucket"), ("deletes", "DeleteObject")];
        let roles = grants.map(|(function, action)| (function, vec![Grant::files(action)]));
        Self { bucket: Bucket::start(roles).await, workspace: id() }
    }

    /// The port of a function that runs in `home`.
    fn of(&self, home: Region, function: &str) -> Arc<dyn Blobs> {
        self.bucket.boot(home, function).blobs()
    }

    fn own(&self, function: &str) -> Arc<dyn Blobs> {
        self.of(Region::Eu, function)
    }

    fn key(&self, upload: impl std::fmt::Display) -> BlobKey {
        BlobKey::of_upload(self.workspace, upload)
    }

    /// A `PUT` of five bytes, for a minute.
    fn signed(&self, key: &BlobKey) -> PresignedPut {
        sign(&*self.signer(Region::Eu, "signs"), key)
    }

    fn signer(&self, home: Region, function: &str) -> Arc<dyn Presigner> {
        self.bucket.boot(home, function).presigner()
    }

    async fn length(&self, key: &BlobKey) -> Option<u64> {
        self.own("looks").stored_length(key).await.unwrap()
    }
}

fn sign(signer: &dyn Presigner, key: &BlobKey) -> PresignedPut {
    signer.put(key, TYPE, 5, at(0), SignedDuration::from_secs(60)).unwrap()
}

/// Sends it with these headers, as a browser does: the length is that of the body.
async fn send(url: &str, headers: &[(String, String)], body: &'static str) -> String {
    let mut request = reqwest::Client::new().put(url).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| name != "content-length") {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    format!("{status} {}", code.map_or("", |(code, _)| code)).trim_end().to_owned()
}

fn with(headers: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let others = headers.iter().filter(|(known, _)| known != name).cloned();
    others.chain([(name.to_owned(), value.to_owned())]).filter(|(_, value)| !value.is_empty()).collect()
}

#[tokio::test]
async fn a_file_is_put_once_and_only_as_it_was_signed() {
    let site = Site::start().await;
    let key = site.key("one");
    let put = site.signed(&key);
    let expected = [("content-length", "5"), ("content-type", TYPE), ("if-none-match", "*")];
    let mut headers = put.headers.clone();
    headers.sort();
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(put.expires_at, at(60));
    assert!(put.url.contains("SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match&"));
    // Signing asked nobody.
    assert_eq!(site.bucket.asked("signs"), []);

    let mismatch = "403 SignatureDoesNotMatch";
    assert_eq!(send(&put.url, &headers, "four").await, mismatch);
    assert_eq!(send(&put.url, &headers, "sixsix").await, mismatch);
    for (name, value) in [("content-type", "text/html"), ("content-type", ""), ("if-none-match", "")] {
        assert_eq!(send(&put.url, &with(&headers, name, value), "12345").await, mismatch, "{name}={value}");
    }
    let other = put.url.replace(key.as_str(), site.key("two").as_str());
    assert_eq!(send(&other, &headers, "12345").await, mismatch);
    let longer = put.url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000");
    assert_eq!(send(&longer, &headers, "12345").await, mismatch);
    assert_eq!(send(&put.url, &with(&headers, "x-amz-tagging", "a=b"), "12345").await, "403 AccessDenied");
    assert_eq!(site.length(&key).await, None);

    assert_eq!(send(&put.url, &headers, "12345").await, "200");
    assert_eq!(site.length(&key).await, Some(5));
    assert_eq!(send(&put.url, &headers, "54321").await, "412 PreconditionFailed");
}

#[tokio::test]
async fn a_signed_put_ends_when_it_says() {
    let site = Site::start().await;
    let put = site.signed(&site.key("late"));
    site.bucket.advance(61);
    assert_eq!(send(&put.url, &put.headers, "12345").await, "403 AccessDenied");
    site.bucket.advance(-1);
    assert_eq!(send(&put.url, &put.headers, "12345").await, "200");
    let forever = SignedDuration::from_hours(24 * 8);
    let refused = site.signer(Region::Eu, "signs").put(&site.key("x"), TYPE, 5, at(0), forever);
    assert!(why(refused).starts_with("broken: "));
}

#[tokio::test]
async fn presigned_url_grants_no_more_than_its_role() {
    let site = Site::start().await;
    let key = site.key("one");
    for (home, function) in [(Region::Eu, "looks"), (Region::Eu, "nobody"), (Region::Us, "signs")] {
        let put = sign(&*site.signer(home, function), &key);
        assert_eq!(send(&put.url, &put.headers, "12345").await, "403 AccessDenied", "{home} {function}");
    }
    assert_eq!(site.length(&key).await, None);
    let (refused, keys) = ("s3 rejects the request: AccessDenied", [key.clone()]);
    for (home, function) in [(Region::Eu, "signs"), (Region::Us, "looks")] {
        assert_eq!(why(site.of(home, function).stored_length(&key).await), refused, "{home} {function}");
    }
    for (home, function) in [(Region::Eu, "signs"), (Region::Us, "deletes")] {
        assert_eq!(why(site.of(home, function).delete(&keys).await), refused, "{home} {function}");
    }
}

#[tokio::test]
async fn a_file_is_not_taken_for_one_whose_name_goes_on() {
    let site = Site::start().await;
    let put = site.signed(&site.key("one-more"));
    assert_eq!(send(&put.url, &put.headers, "12345").await, "200");
    assert_eq!(site.length(&site.key("one")).await, None);
    assert_eq!(site.length(&site.key("one-more")).await, Some(5));
}

#[tokio::test]
async fn deleting_files_is_idempotent_in_any_number() {
    let site = Site::start().await;
    let keys: Vec<BlobKey> = (0..1_001).map(|n| site.key(n)).collect();
    for key in [&keys[0], &keys[1_000]] {
        let put = site.signed(key);
        assert_eq!(send(&put.url, &put.headers, "12345").await, "200");
    }
    let deletes = site.own("deletes");
    for _ in 0..2 {
        deletes.delete(&keys).await.unwrap();
        assert_eq!(site.length(&keys[0]).await, None);
        assert_eq!(site.length(&keys[1_000]).await, None);
    }
    assert_eq!(site.bucket.asked("deletes"), vec![("DeleteObjects".to_owned(), 200); 4]);
    deletes.delete(&[]).await.unwrap();
    assert_eq!(site.bucket.asked("deletes").len(), 4);
}

#[tokio::test]
async fn one_file_that_could_not_be_deleted_fails_the_whole() {
    let site = Site::start().await;
    let fault = json!([{ "service": "s3", "operation": "DeleteObjects", "kind": "unprocessed" }]);
    site.bucket.fault(fault);
    let deletes = site.own("deletes");
    assert_eq!(why(deletes.delete(&[site.key("one")]).await), "s3 is unavailable: InternalError");
    deletes.delete(&[site.key("one")]).await.unwrap();
}

#[tokio::test]
async fn request_calls_retry_soon_and_removals_are_patient() {
    let site = Site::start().await;
    let key = site.key("one");
    let stalled = |operation: &str| {
        site.bucket.fault(json!([{ "service": "s3", "operation": operation, "kind": "stall" }]))
    };
    let request = std::time::Duration::from_secs(3);
    stalled("ListObjectsV2");
    let looked = tokio::time::timeout(request, site.own("looks").stored_length(&key)).await;
    assert_eq!(looked.unwrap().unwrap(), None);
    stalled("DeleteObjects");
    assert!(tokio::time::timeout(request, site.own("deletes").delete(&[key])).await.is_err());
}
