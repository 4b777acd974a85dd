//! Export bundles: written by one function, signed by another, each with no grant but its own.

use std::sync::Arc;

use domain::{
    blob::{BlobKey, Blobs, BundleLinks, Bundles, Completed},
    export::{Export, Format, LINKED},
    id::WorkspaceId,
    region::Region,
};
use jiff::SignedDuration;
use kit::{Grant, ports::FilePorts};
use reqwest::{Client, Response};
use tests::json;

use super::{at, bucket::Bucket, id, why};

/// The smallest part that is not the last.
const PART: usize = 5 * 1024 * 1024;

async fn bucket() -> Bucket {
    let writes = ["PutObject", "AbortMultipartUpload", "ListBucket", "DeleteObject"].map(Grant::bundles);
    let files = ["PutObject", "ListBucket", "DeleteObject", "GetObject"].map(Grant::files);
    let roles =
        [("writes", writes.into()), ("signs", vec![Grant::bundles("GetObject")]), ("files", files.into())];
    Bucket::start(roles).await
}

fn of(bucket: &Bucket, function: &str) -> Arc<dyn Bundles> {
    bucket.boot(Region::Eu, function).bundles()
}

fn export() -> Export {
    Export::new(id(), id(), Format::Zip, at(0))
}

/// A bundle of one part.
async fn written(bucket: &Bucket, key: &BlobKey, text: &str) {
    let bundles = of(bucket, "writes");
    let upload = bundles.begin(key, Format::Zip).await.unwrap();
    let part = bundles.put_part(key, &upload, 1, text.into()).await.unwrap();
    let length = u64::try_from(text.len()).unwrap();
    assert_eq!(bundles.complete(key, &upload, &[part]).await.unwrap(), Completed::Yes(length));
}

/// The objects in the bucket.
fn stored(bucket: &Bucket, function: &str) -> Arc<dyn Blobs> {
    bucket.boot(Region::Eu, function).blobs()
}

fn signed(bucket: &Bucket, function: &str, key: &BlobKey) -> BundleLinks {
    let signer = bucket.boot(Region::Eu, function).presigner();
    signer.get(key, "account-export-2030-03-17.zip", at(0), LINKED).unwrap()
}

async fn get(url: &str) -> Response {
    Client::new().get(url).send().await.unwrap()
}

async fn head(url: &str) -> u16 {
    Client::new().head(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_bundle_is_its_parts_in_their_order_and_is_not_there_before() {
    let bucket = bucket().await;
    let (bundles, export) = (of(&bucket, "writes"), export());
    let key = BlobKey::of_export(&export);
    let upload = bundles.begin(&key, Format::Zip).await.unwrap();
    let (first, last) = (vec![b'1'; PART], b"the end".to_vec());
    let second = bundles.put_part(&key, &upload, 2, last.clone()).await.unwrap();
    let replaced = bundles.put_part(&key, &upload, 1, vec![b'0'; PART]).await.unwrap();
    let first_again = bundles.put_part(&key, &upload, 1, first.clone()).await.unwrap();
    assert_ne!(replaced, first_again);
    let link = signed(&bucket, "signs", &key).get;
    // Signing asked nobody.
    assert_eq!(bucket.asked("signs"), []);
    assert_eq!(get(&link).await.status(), 404);
    assert_eq!(stored(&bucket, "writes").under(&BlobKey::bundles_of(export.user), 10).await.unwrap(), []);

    let parts = [first_again, second];
    let length = u64::try_from(PART + last.len()).unwrap();
    for _ in 0..2 {
        assert_eq!(bundles.complete(&key, &upload, &parts).await.unwrap(), Completed::Yes(length));
    }
    assert_eq!(get(&link).await.bytes().await.unwrap(), [first, last].concat());
}

#[tokio::test]
async fn a_bundle_whose_completion_was_not_heard_of_is_complete() {
    let bucket = bucket().await;
    let (bundles, key) = (of(&bucket, "writes"), BlobKey::of_export(&export()));
    let upload = bundles.begin(&key, Format::Zip).await.unwrap();
    let part = bundles.put_part(&key, &upload, 1, b"all of it".to_vec()).await.unwrap();
    bucket
        .fault(json!([{ "service": "s3", "operation": "CompleteMultipartUpload", "kind": "lost-response" }]));
    assert_eq!(bundles.complete(&key, &upload, &[part]).await.unwrap(), Completed::Yes(9));
}

#[tokio::test]
async fn nothing_is_put_together_but_the_parts_that_were_named() {
    let bucket = bucket().await;
    let (bundles, export) = (of(&bucket, "writes"), export());
    let key = BlobKey::of_export(&export);
    let upload = bundles.begin(&key, Format::Zip).await.unwrap();
    let old = bundles.put_part(&key, &upload, 1, b"old".to_vec()).await.unwrap();
    let new = bundles.put_part(&key, &upload, 1, b"new".to_vec()).await.unwrap();
    let next = bundles.put_part(&key, &upload, 2, b"next".to_vec()).await.unwrap();
    // Replaced, missing, and too small to be followed by another.
    for parts in [vec![old], vec![new.clone(), next.clone(), next.clone()], vec![new.clone(), next]] {
        assert_eq!(bundles.complete(&key, &upload, &parts).await.unwrap(), Completed::Broken, "{parts:?}");
    }
    assert_eq!(stored(&bucket, "writes").under(&BlobKey::bundles_of(export.user), 10).await.unwrap(), []);
    stored(&bucket, "writes").abort(&key, &upload).await.unwrap();
    assert_eq!(bundles.complete(&key, &upload, &[new]).await.unwrap(), Completed::Broken);
}

#[tokio::test]
async fn a_bundle_that_is_given_up_leaves_no_byte() {
    let bucket = bucket().await;
    let (bundles, key) = (of(&bucket, "writes"), BlobKey::of_export(&export()));
    let upload = bundles.begin(&key, Format::Zip).await.unwrap();
    let part = bundles.put_part(&key, &upload, 1, vec![b'1'; PART]).await.unwrap();
    assert_eq!(bucket.on_disk().len(), 2);
    for _ in 0..2 {
        stored(&bucket, "writes").abort(&key, &upload).await.unwrap();
        assert!(bucket.on_disk().is_empty(), "{:?}", bucket.on_disk());
    }
    let late = bundles.put_part(&key, &upload, 2, vec![b'2'; PART]).await;
    assert_eq!(why(late), "broken: the upload was completed or given up");
    assert_eq!(bundles.complete(&key, &upload, &[part]).await.unwrap(), Completed::Broken);
    assert!(bucket.on_disk().is_empty(), "{:?}", bucket.on_disk());
}

#[tokio::test]
async fn a_users_bundles_are_found_and_deleted_and_no_other() {
    let bucket = bucket().await;
    let (export, other) = (export(), export());
    let folder = BlobKey::bundles_of(export.user);
    let mut keys: Vec<BlobKey> =
        (0..3).map(|_| BlobKey::of_export(&Export { id: id(), ..export.clone() })).collect();
    keys.sort();
    let others = BlobKey::of_export(&other);
    for key in keys.iter().chain([&others]) {
        written(&bucket, key, "x").await;
    }
    assert_eq!(stored(&bucket, "writes").under(&folder, 2).await.unwrap(), keys[..2]);
    assert_eq!(stored(&bucket, "writes").under(&folder, 10).await.unwrap(), keys);
    for _ in 0..2 {
        stored(&bucket, "writes").delete(&keys).await.unwrap();
        assert_eq!(stored(&bucket, "writes").under(&folder, 10).await.unwrap(), []);
    }
    assert_eq!(
        stored(&bucket, "writes").under(&BlobKey::bundles_of(other.user), 10).await.unwrap(),
        [others]
    );
}

#[tokio::test]
async fn a_link_gives_the_bundle_under_its_name_whole_or_in_parts() {
    let bucket = bucket().await;
    let key = BlobKey::of_export(&export());
    written(&bucket, &key, "0123456789").await;
    let links = signed(&bucket, "signs", &key);
    assert_eq!(links.expires_at, at(3_600));
    let whole = get(&links.get).await;
    let looked = Client::new().head(&links.head).send().await.unwrap();
    for answer in [&whole, &looked] {
        assert_eq!(answer.status(), 200);
        let named = "attachment; filename=\"account-export-2030-03-17.zip\"";
        assert_eq!(answer.headers()["content-disposition"], named);
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        assert_eq!(answer.headers()["content-type"], "application/zip");
        assert_eq!(answer.headers()["content-length"], "10");
        assert_eq!(answer.headers()["accept-ranges"], "bytes");
    }
    assert_eq!(whole.text().await.unwrap(), "0123456789");
    let part = Client::new().get(&links.get).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 2-4/10".parse().unwrap())
    );
    assert_eq!(part.text().await.unwrap(), "234");
}

#[tokio::test]
async fn a_link_ends_after_an_hour() {
    let bucket = bucket().await;
    let key = BlobKey::of_export(&export());
    written(&bucket, &key, "x").await;
    let links = signed(&bucket, "signs", &key);
    bucket.advance(60 * 60 - 1);
    assert_eq!((get(&links.get).await.status().as_u16(), head(&links.head).await), (200, 200));
    bucket.advance(61);
    assert_eq!((get(&links.get).await.status().as_u16(), head(&links.head).await), (403, 403));
    let forever = SignedDuration::from_hours(24 * 8);
    let refused = bucket.boot(Region::Eu, "signs").presigner().get(&key, "x.zip", at(0), forever);
    assert!(why(refused).starts_with("broken: "));
}

#[tokio::test]
async fn a_link_is_for_one_bundle_one_hour_and_one_method() {
    let bucket = bucket().await;
    let (key, other) = (BlobKey::of_export(&export()), BlobKey::of_export(&export()));
    written(&bucket, &key, "mine").await;
    written(&bucket, &other, "yours").await;
    let links = signed(&bucket, "signs", &key);
    for url in [&links.get, &links.head] {
        let longer = url.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000");
        let (start, signature) = url.split_once("X-Amz-Signature=").unwrap();
        let first = if signature.starts_with('0') { '1' } else { '0' };
        let forged = format!("{start}X-Amz-Signature={first}{}", &signature[1..]);
        let renamed = url.replace("2030-03-17", "2030-03-18");
        for changed in [url.replace(key.as_str(), other.as_str()), longer, forged, renamed] {
            assert_ne!(changed, *url);
            assert_eq!(
                (get(&changed).await.status().as_u16(), head(&changed).await),
                (403, 403),
                "{changed}"
            );
        }
    }
    assert_eq!((head(&links.get).await, get(&links.head).await.status().as_u16()), (403, 403));
    assert_eq!(Client::new().put(&links.get).body("x").send().await.unwrap().status(), 403);
    assert_eq!(Client::new().delete(&links.get).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn bundle_access_beyond_grants_is_denied() {
    let bucket = bucket().await;
    let key = BlobKey::of_export(&export());
    written(&bucket, &key, "x").await;
    let refused = "s3 rejects the request: AccessDenied";
    let folder = BlobKey::bundles_of(id());
    for function in ["signs", "files"] {
        let (bundles, stored) = (of(&bucket, function), stored(&bucket, function));
        assert_eq!(why(bundles.begin(&key, Format::Zip).await), refused, "{function}");
        assert_eq!(why(bundles.put_part(&key, "x", 1, Vec::new()).await), refused, "{function}");
        assert_eq!(why(bundles.complete(&key, "x", &["x".to_owned()]).await), refused, "{function}");
        assert_eq!(why(stored.abort(&key, "x").await), refused, "{function}");
        assert_eq!(why(stored.under(&folder, 1).await), refused, "{function}");
        assert_eq!(why(stored.delete(std::slice::from_ref(&key)).await), refused, "{function}");
    }
    for function in ["writes", "files", "nobody"] {
        let links = signed(&bucket, function, &key);
        assert_eq!(
            (get(&links.get).await.status().as_u16(), head(&links.head).await),
            (403, 403),
            "{function}"
        );
    }
    let workspace: WorkspaceId = id();
    let writes = stored(&bucket, "writes");
    assert_eq!(why(writes.stored_length(&BlobKey::of_upload(workspace, "a")).await), refused);
    assert_eq!(why(writes.delete(&[BlobKey::of_upload(workspace, "a")]).await), refused);
}
