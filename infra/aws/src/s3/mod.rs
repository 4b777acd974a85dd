//! S3 (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html>): s3s reads and writes its
//! protocol and checks signed headers; presigned URLs are checked in [`crate::signature`], because they
//! expire by the local clock.
//!
//! The store is ours, and not `s3s-fs`: that one keeps a key as a path, so that `a` and `a/b` exclude each
//! other, `../` leaves the bucket, and two conditional puts both win. Here a key is data. Versions, lifecycle
//! rules, ACLs and copies of parts are not here.

mod api;
mod blob;
mod list;
mod store;
mod uploads;

use std::sync::Arc;

use http::request::Parts;
use http_body_util::BodyExt;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpRequest, S3Result};

use crate::answer::{Answer, BoxError};
use crate::{Config, SECRET_ACCESS_KEY, StartError};
use store::Store;

/// The stand-in.
pub(crate) struct S3 {
    service: S3Service,
}

/// Every function has the same secret.
struct OneSecret;

#[async_trait::async_trait]
impl S3Auth for OneSecret {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(SECRET_ACCESS_KEY))
    }
}

/// What gets here without a signature was presigned, and has been checked.
struct Checked;

#[async_trait::async_trait]
impl S3Access for Checked {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}

impl S3 {
    pub(crate) fn open(config: &Config) -> Result<Self, StartError> {
        let store = Store::open(config.folder.join("s3"), Arc::clone(&config.now))?;
        let mut builder =
            S3ServiceBuilder::new(api::Api { store: Arc::new(store), region: config.region.clone() });
        builder.set_auth(OneSecret);
        builder.set_access(Checked);
        let mut settings = S3Config::default();
        // The local clock may be far from the system's, which s3s compares with.
        settings.presigned_url_max_skew_time_secs = u32::MAX;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(settings))));
        Ok(Self { service: builder.build() })
    }

    pub(crate) async fn apply(
        &self,
        mut parts: Parts,
        body: Body,
        presigned: bool,
    ) -> Result<Answer, BoxError> {
        if presigned {
            parts.uri = unsigned(&parts)?;
        }
        let answer = self.service.call(HttpRequest::from_parts(parts, body)).await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        Ok(answer.map(BodyExt::boxed_unsync))
    }
}

/// The URL without its signature.
fn unsigned(parts: &Parts) -> Result<http::Uri, BoxError> {
    const SIGNATURE: [&str; 7] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    ];
    let kept = |pair: &&str| !SIGNATURE.contains(&pair.split_once('=').map_or(*pair, |(name, _)| name));
    let query: Vec<&str> = parts.uri.query().unwrap_or("").split('&').filter(kept).collect();
    let target = match query.as_slice() {
        [] | [""] => parts.uri.path().to_owned(),
        query => format!("{}?{}", parts.uri.path(), query.join("&")),
    };
    Ok(target.parse()?)
}
