//! `GET /.well-known/jwks.json`: lists the public keys for access tokens of all regions ([RFC 7517]). `?retired=true`
//! lists retired keys, for receipts, which outlive the keys.
//!
//! [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517

use std::sync::Arc;

use domain::ports::{Directory, Failure, PublicKey};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Anyone, Endpoint, Output, Params, Ports, RequestContext, Spec, grants::directory, parameters::YesNo,
    spec, spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the public keys.
pub struct Jwks;

/// Dependencies.
pub struct Deps {
    directory: Arc<dyn Directory>,
}

/// Whether to list retired keys.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySetQuery {
    /// `true`: list retired keys.
    #[serde(default)]
    retired: Option<YesNo>,
}

/// A set of JSON Web Keys.
#[derive(Serialize, JsonSchema)]
pub struct KeySet {
    /// The keys.
    keys: Vec<Jwk>,
}

/// A public key for EdDSA with Ed25519 (RFC 8037).
#[derive(Serialize, JsonSchema)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
}

impl Output for KeySet {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        vec![(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))]
    }
}

impl From<PublicKey> for Jwk {
    fn from(key: PublicKey) -> Self {
        Self { kty: "OKP", crv: "Ed25519", r#use: "sig", alg: "EdDSA", kid: key.kid, x: key.x }
    }
}

impl Endpoint for Jwks {
    const SPEC: Spec = spec("jwks", Get, "/.well-known/jwks.json")
        .summary("Get the public keys that verify access tokens")
        .uses(&[directory::SIGNING_KEYS, directory::RETIRED_KEYS]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<KeySetQuery>;
    type Output = KeySet;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory() }
    }

    async fn handle(
        deps: &Deps,
        _: &RequestContext<Anyone>,
        Params(which): Params<KeySetQuery>,
    ) -> Result<KeySet, Failure> {
        let directory = &deps.directory;
        let keys = if which.retired == Some(YesNo::True) {
            directory.retired_keys().await?
        } else {
            directory.signing_keys().await?
        };
        Ok(KeySet { keys: keys.into_iter().map(Jwk::from).collect() })
    }
}
