//! Signs the calls of functions with [Signature Version 4]: the same signatures as the SDK, with less work.
//!
//! The SDK derives the signing key for every call, although it changes only daily. This signer caches it and delegates
//! requests with special requirements to the SDK.
//!
//! [Signature Version 4]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

use std::{
    fmt::{self, Write},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use aws_credential_types::Credentials;
use aws_runtime::auth::{
    PayloadSigningOverride, SigV4OperationSigningConfig, SigV4SessionTokenNameOverride, SigningOptions,
    sigv4::{SCHEME_ID, SigV4Signer},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign},
        identity::{Identity, SharedIdentityResolver},
        orchestrator::HttpRequest,
        runtime_components::{GetIdentityResolver, RuntimeComponents},
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::{SigningName, region::SigningRegion};
use domain::secret::Hex;
use http::{HeaderName, header::AUTHORIZATION};
use jiff::{Timestamp, tz::Offset};
use ring::{digest, hmac};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Header names in the form that `http` stores. It would parse and copy a string in every call.
static DATE: HeaderName = HeaderName::from_static("x-amz-date");
static TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const HOST: &str = "host";
/// The headers that proxies may change.
const UNSIGNED: [&str; 3] = ["user-agent", "x-amzn-trace-id", "transfer-encoding"];
/// Endpoint properties with special signing requirements, which the SDK handles.
const RULES: [&str; 4] = ["signingName", "signingRegion", "disableDoubleEncoding", "disableNormalizePath"];

/// The `sigv4` authentication scheme of one client.
#[derive(Debug, Default)]
pub struct Signing(Signer);

impl AuthScheme for Signing {
    fn scheme_id(&self) -> AuthSchemeId {
        SCHEME_ID
    }

    fn identity_resolver(&self, resolvers: &dyn GetIdentityResolver) -> Option<SharedIdentityResolver> {
        resolvers.identity_resolver(SCHEME_ID)
    }

    fn signer(&self) -> &dyn Sign {
        &self.0
    }
}

#[derive(Default)]
struct Signer {
    sdk: SigV4Signer,
    kept: Mutex<Option<CachedKey>>,
}

/// A cached signing key and the values it derives from.
struct CachedKey {
    scope: String,
    credentials: Credentials,
    key: hmac::Key,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Sign for Signer {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        endpoint: AuthSchemeEndpointConfig<'_>,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let time = components.time_source().unwrap_or_default().now();
        let signed = is_plain(&endpoint, config).then(|| {
            let (region, service) = (config.load::<SigningRegion>()?, config.load::<SigningName>()?);
            let place = (region.as_ref(), service.as_ref());
            self.sign(request, identity.data::<Credentials>()?, place, time)
        });
        let Some(Signed { date, token, authorization }) = signed.flatten() else {
            return self.sdk.sign_http_request(request, identity, endpoint, components, config);
        };
        let headers = request.headers_mut();
        headers.try_insert(DATE.clone(), date)?;
        if let Some(token) = token {
            headers.try_insert(TOKEN.clone(), token)?;
        }
        headers.try_insert(AUTHORIZATION, authorization)?;
        Ok(())
    }
}

/// Whether the request needs no special signing.
fn is_plain(endpoint: &AuthSchemeEndpointConfig<'_>, config: &ConfigBag) -> bool {
    let is_usual = |operation: &SigV4OperationSigningConfig| {
        *operation
            == SigV4OperationSigningConfig {
                signing_options: SigningOptions::default(),
                ..Default::default()
            }
    };
    RULES.iter().all(|rule| endpoint.get(rule).is_none())
        && config.load::<SigV4OperationSigningConfig>().is_some_and(is_usual)
        && config.load::<PayloadSigningOverride>().is_none()
        && config.load::<SigV4SessionTokenNameOverride>().is_none()
}

/// The headers that a signature adds.
struct Signed {
    date: String,
    token: Option<String>,
    authorization: String,
}

impl Signer {
    /// Signs a request. Returns `None` if the SDK must sign it.
    fn sign(
        &self,
        request: &HttpRequest,
        credentials: &Credentials,
        (region, service): (&str, &str),
        time: SystemTime,
    ) -> Option<Signed> {
        let now = Offset::UTC.to_datetime(Timestamp::try_from(time).ok()?);
        let (year, month, day) = (now.year(), now.month(), now.day());
        let (hour, minute, second) = (now.hour(), now.minute(), now.second());
        let mut date = String::with_capacity("20260101T000000Z".len());
        write!(date, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z").ok()?;
        let (today, _) = date.split_once('T')?;
        let scope = [today, "/", region, "/", service, "/aws4_request"].concat();
        let token = credentials.session_token();

        let (host, path) = host_and_path(request.uri())?;
        let mut headers = Vec::with_capacity(request.headers().len() + 3);
        headers.extend([(DATE.as_str(), date.as_str()), (HOST, host)]);
        headers.extend(token.map(|token| (TOKEN.as_str(), token)));
        headers.extend(request.headers().iter().filter(|(name, _)| !UNSIGNED.contains(name)));
        headers.sort_unstable();
        if !headers.is_sorted_by(|(a, _), (b, _)| a < b) || headers.iter().any(|(_, value)| !is_tidy(value)) {
            return None;
        }
        let mut names = String::with_capacity(128);
        for (name, _) in &headers {
            let between = if names.is_empty() { "" } else { ";" };
            names.extend([between, name]);
        }

        let mut text = String::with_capacity(512 + token.map_or(0, str::len));
        text.extend([request.method(), "\n", path, "\n\n"]);
        for (name, value) in &headers {
            text.extend([name, ":", value, "\n"]);
        }
        text.extend(["\n", &names, "\n", sha256(request.body().bytes()?).as_str()]);
        let canonical = sha256(text.as_bytes());
        text.clear();
        text.extend([ALGORITHM, "\n", &date, "\n", &scope, "\n", canonical.as_str()]);
        let signature = self.seal(credentials, &scope, text.as_bytes());
        let authorization = [
            ALGORITHM,
            " Credential=",
            credentials.access_key_id(),
            "/",
            &scope,
            ", SignedHeaders=",
            &names,
            ", Signature=",
            signature.as_str(),
        ]
        .concat();
        Some(Signed { token: token.map(str::to_owned), authorization, date })
    }

    /// The signature of `text` with the key of this scope.
    fn seal(&self, credentials: &Credentials, scope: &str, text: &[u8]) -> Hex {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = credentials.secret_access_key();
        let is_right =
            |kept: &CachedKey| kept.scope == scope && kept.credentials.secret_access_key() == secret;
        let kept = match kept.take().filter(is_right) {
            Some(right) => kept.insert(right),
            None => kept.insert(CachedKey {
                scope: scope.to_owned(),
                credentials: credentials.clone(),
                key: derive(secret, scope),
            }),
        };
        Hex::of(hmac::sign(&kept.key, text))
    }
}

/// The signing key of a scope, derived from its parts one after another.
fn derive(secret: &str, scope: &str) -> hmac::Key {
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let first = Zeroizing::new(["AWS4", secret].concat());
    scope
        .split('/')
        .fold(key(first.as_bytes()), |last, part| key(hmac::sign(&last, part.as_bytes()).as_ref()))
}

/// The host and the path of a URI. Returns `None` if the path is not in canonical form.
fn host_and_path(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    let is_simple = path.bytes().all(simple) && !path.contains("//") && !authority.contains('@');
    is_simple.then(|| (authority.strip_suffix(port).unwrap_or(authority), path))
}

/// Whether a header value is signed unchanged: it contains no spaces to remove.
fn is_tidy(value: &str) -> bool {
    !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("  ")
}

/// SHA-256 in lower-case hexadecimal.
fn sha256(bytes: &[u8]) -> Hex {
    Hex::of(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests;
