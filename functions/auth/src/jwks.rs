//! `GET /.well-known/jwks.json`: the public keys of every region's access tokens ([RFC 7517]); with `?retired=true` those that
//! were, for receipts, which are kept longer than the keys are used.
//!
//! [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517

use std::sync::Arc;

use domain::ports::{Directory, Failure, PublicKey};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Anyone, Call, Endpoint, Grant, Items, Output, Params, Ports, Problem, Spec, input::YesNo, spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the public keys.
pub struct Jwks;

/// What it works with.
pub struct Deps {
    directory: Arc<dyn Directory>,
}

/// Which keys.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// `true`: those that are not used any more.
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

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Jwks {
    const SPEC: Spec = spec("jwks", Get, "/.well-known/jwks.json")
        .summary("The public keys that access tokens are verified with")
        .grants(&[Grant::items("Query", Items::SigningKeys), Grant::items("Query", Items::RetiredKeys)]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<Which>;
    type Output = KeySet;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { directory: ports.directory() }
    }

    async fn handle(deps: &Deps, _: &Call<Anyone>, Params(which): Params<Which>) -> Result<KeySet, Error> {
        let directory = &deps.directory;
        let keys = if which.retired == Some(YesNo::True) {
            directory.retired_keys().await?
        } else {
            directory.signing_keys().await?
        };
        Ok(KeySet { keys: keys.into_iter().map(Jwk::from).collect() })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed(failure) => failure.into(),
        }
    }
}
