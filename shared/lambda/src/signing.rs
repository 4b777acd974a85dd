//! [Signature Version 4] for the calls that functions make: the SDK's own signatures, with less work.
//!
//! The SDK derives the signing key anew for every call, though it is the same all day. Here it is kept. What is not a plain
//! request in memory is left to the SDK.
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
use jiff::{Timestamp, tz::Offset};
use ring::{digest, hmac};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
const AUTHORIZATION: &str = "authorization";
const HOST: &str = "host";
/// What somebody on the way may change.
const UNSIGNED: [&str; 3] = ["user-agent", "x-amzn-trace-id", "transfer-encoding"];
/// What is signed of an endpoint's own rules, should it have any: the SDK knows how.
const RULES: [&str; 4] = ["signingName", "signingRegion", "disableDoubleEncoding", "disableNormalizePath"];

/// The scheme `sigv4` for one client.
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
    kept: Mutex<Option<Kept>>,
}

/// A signing key, and what it was derived from.
struct Kept {
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
        headers.try_insert(DATE, date)?;
        if let Some(token) = token {
            headers.try_insert(TOKEN, token)?;
        }
        headers.try_insert(AUTHORIZATION, authorization)?;
        Ok(())
    }
}

/// Whether nothing is to be signed in another way than usual.
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

/// The headers that make a request a signed one.
struct Signed {
    date: String,
    token: Option<String>,
    authorization: String,
}

impl Signer {
    /// Signs a request; nothing, if it is one that takes more than is done here.
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
        headers.extend([(DATE, date.as_str()), (HOST, host)]);
        headers.extend(token.map(|token| (TOKEN, token)));
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
        text.extend(["\n", &names, "\n", Hex::sha256(request.body().bytes()?).as_str()]);
        let canonical = Hex::sha256(text.as_bytes());
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

    /// The signature over `text`, with the key of this scope.
    fn seal(&self, credentials: &Credentials, scope: &str, text: &[u8]) -> Hex {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = credentials.secret_access_key();
        let is_right = |kept: &Kept| kept.scope == scope && kept.credentials.secret_access_key() == secret;
        let kept = match kept.take().filter(is_right) {
            Some(right) => kept.insert(right),
            None => kept.insert(Kept {
                scope: scope.to_owned(),
                credentials: credentials.clone(),
                key: derive(secret, scope),
            }),
        };
        Hex::new(hmac::sign(&kept.key, text).as_ref())
    }
}

/// The signing key of a scope: each of its parts, authenticated under the one before.
fn derive(secret: &str, scope: &str) -> hmac::Key {
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let first = Zeroizing::new(["AWS4", secret].concat());
    scope
        .split('/')
        .fold(key(first.as_bytes()), |last, part| key(hmac::sign(&last, part.as_bytes()).as_ref()))
}

/// The host as it is sent, and the path, if it is written in one way only.
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

/// Whether a header's value is signed as it is: with no spaces to be left out.
fn is_tidy(value: &str) -> bool {
    !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("  ")
}

/// 32 bytes in lower-case hexadecimal digits.
struct Hex([u8; 64]);

impl Hex {
    fn new(bytes: &[u8]) -> Self {
        let mut digits = [b'0'; 64];
        // 32 bytes fill it.
        let _ = hex::encode_to_slice(bytes, &mut digits);
        Self(digits)
    }

    fn sha256(bytes: &[u8]) -> Self {
        Self::new(digest::digest(&digest::SHA256, bytes).as_ref())
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
