//! S3 (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html>). The s3s crate implements the protocol
//! and verifies signed headers; [`crate::signature`] verifies presigned URLs, because they expire by the local clock.
//!
//! `s3s-fs` is not used: it maps keys to paths, so that `a` and `a/b` exclude each other, `../` leaves the bucket, and
//! two conditional puts may both succeed. Versioning, lifecycle rules, ACLs and UploadPartCopy are not implemented.

mod api;
mod blob;
mod cors;
mod list;
mod records;
mod store;
mod uploads;

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use http_body_util::BodyExt;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpRequest, S3Result};

use crate::account::SECRET_ACCESS_KEY;
use crate::answer::{Answer, BoxError};
use crate::config::StandInConfig;
use crate::start_error::StandInError;
use store::Store;

/// The S3 stand-in.
pub(crate) struct S3 {
    service: S3Service,
    store: Arc<Store>,
}

/// All callers share one secret access key.
struct SharedSecret;

#[async_trait::async_trait]
impl S3Auth for SharedSecret {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(SECRET_ACCESS_KEY))
    }
}

/// Accepts unsigned requests: presigned URLs, whose signature was already verified and removed.
struct AcceptPresigned;

#[async_trait::async_trait]
impl S3Access for AcceptPresigned {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}

impl S3 {
    pub(crate) fn open(config: &StandInConfig) -> Result<Self, StandInError> {
        let store = Arc::new(Store::open(config.folder.join("s3"), Arc::clone(&config.now))?);
        let mut builder =
            S3ServiceBuilder::new(api::Api { store: Arc::clone(&store), region: config.region.clone() });
        builder.set_auth(SharedSecret);
        builder.set_access(AcceptPresigned);
        let mut settings = S3Config::default();
        // s3s compares with the system clock, which may differ from the local clock.
        settings.presigned_url_max_skew_time_secs = u32::MAX;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(settings))));
        Ok(Self { service: builder.build(), store })
    }

    /// Answers a CORS preflight request.
    pub(crate) fn preflight(&self, parts: &Parts) -> Answer {
        cors::preflight(&self.cors_rules(parts), parts)
    }

    /// The CORS headers of the response to a request.
    pub(crate) fn cors_grant(&self, parts: &Parts) -> HeaderMap {
        cors::grant(&self.cors_rules(parts), parts)
    }

    /// The CORS rules of the bucket in the request's path.
    fn cors_rules(&self, parts: &Parts) -> Vec<cors::Rule> {
        let path = parts.uri.path().trim_start_matches('/');
        let bucket = path.split('/').next().unwrap_or_default();
        self.store.with(bucket, |bucket| Ok(bucket.cors.clone())).unwrap_or_default()
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
