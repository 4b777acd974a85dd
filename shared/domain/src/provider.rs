//! Sign-in by providers: Google ([OpenID Connect]) and GitHub ([OAuth 2.0]), with the authorization code flow and PKCE.
//!
//! An identity is the pair of issuer and subject, never an email address or a login name, which change hands. It is stored as a
//! keyed hash. Until the person has chosen a region, what the provider said exists only sealed in the person's browser.
//!
//! [OpenID Connect]: https://openid.net/specs/openid-connect-core-1_0.html
//! [OAuth 2.0]: https://www.rfc-editor.org/rfc/rfc6749

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    entropy::{self, Entropy},
    id::UserId,
    region::Region,
    secret::{Derived, Digest256, MacKey, decode_base64},
    text::Invalid,
    time::after,
};

/// Time for an authorization at the provider.
pub const AUTHORIZED_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Lifetime of an identity ticket.
pub const TICKET_VALID: SignedDuration = SignedDuration::from_mins(10);
/// Tolerance for the clocks of providers.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Provider {
    /// Google, an OpenID provider.
    Google,
    /// GitHub, which has OAuth 2.0 and an API that says who somebody is.
    GitHub,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 2] = [Self::Google, Self::GitHub];

    /// The name in paths and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::GitHub => "github",
        }
    }

    /// The name for people.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Google => "Google",
            Self::GitHub => "GitHub",
        }
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Provider {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|provider| provider.as_str() == text);
        found.ok_or(Invalid::new("Unknown provider."))
    }
}

/// What a provider says about a person. `Debug` is absent: it is personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderIdentity {
    /// The provider.
    pub provider: Provider,
    /// The issuer of the subject: the issuer's identifier of an OpenID provider, or the provider's address.
    pub issuer: String,
    /// The person at that issuer: the claim `sub`, or GitHub's numeric id.
    pub subject: String,
    /// The person's address at the provider, if it is one that mail can be sent to.
    pub email: Option<EmailAddress>,
    /// Whether the provider has verified the address.
    pub email_verified: bool,
}

impl ProviderIdentity {
    /// The address, if the provider has verified it.
    pub fn verified_email(&self) -> Option<&EmailAddress> {
        self.email.as_ref().filter(|_| self.email_verified)
    }
}

/// HMAC-SHA-256 of issuer and subject. The same in every region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentityHash(pub Digest256);

impl std::fmt::Display for IdentityHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

/// A provider's identity that a user may sign in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The user.
    pub user: UserId,
    /// The provider. An account has at most one identity of each.
    pub provider: Provider,
    /// The identity.
    pub identity: IdentityHash,
    /// Time of the connection.
    pub connected_at: Timestamp,
}

/// What a provider said about the person at this browser, on its way from the callback to the request that uses it. Sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct IdentityTicket {
    /// The identity.
    pub identity: ProviderIdentity,
    /// The id of the user, if an account is opened: a repeated request opens the same one.
    pub user: UserId,
    /// The account that the identity is to be connected to. `None`: the identity is to sign in.
    #[serde(default)]
    pub connects: Option<ConnectsTo>,
    /// Expiry.
    pub expires_at: Timestamp,
}

/// The account that began an authorization in order to connect an identity, as the SHA-256 of its user's id. Nobody else can use
/// what the provider said: not with another session in the same browser, and not to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectsTo(Digest256);

impl ConnectsTo {
    /// This user's account.
    pub fn account_of(user: UserId) -> Self {
        Self(Digest256::of(user.to_string()))
    }
}

impl IdentityTicket {
    /// A ticket for a person that the provider has just authenticated.
    pub fn new(
        identity: ProviderIdentity,
        user: UserId,
        connects: Option<ConnectsTo>,
        now: Timestamp,
    ) -> Self {
        Self { identity, user, connects, expires_at: after(now, TICKET_VALID) }
    }
}

/// The parameter `state` of an authorization request: `<region>_<43 characters>`. Names the region that has the record.
#[derive(Clone)]
pub struct OauthState {
    /// The region of the record.
    pub region: Region,
    secret: [u8; 32],
}

impl OauthState {
    /// A new state.
    pub fn new(region: Region, entropy: &dyn Entropy) -> Self {
        Self { region, secret: entropy::bytes(entropy) }
    }

    /// The text for the provider.
    pub fn text(&self) -> String {
        format!("{}_{}", self.region, Digest256::from_bytes(self.secret).to_base64())
    }

    /// The hash under which the record is stored.
    pub fn hash(&self) -> Digest256 {
        Digest256::of(self.text())
    }
}

impl std::str::FromStr for OauthState {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let state = text.split_once('_').and_then(|(region, secret)| {
            let secret = decode_base64(secret)?.try_into().ok()?;
            Some(Self { region: region.parse().ok()?, secret })
        });
        state.filter(|state| state.text() == text).ok_or(Invalid::new("Invalid state."))
    }
}

/// The secret of a browser, in its cookie. Binds authorizations to the browser that began them: without it, an attacker could have
/// somebody else's browser finish the attacker's sign-in. PKCE verifier and nonce derive from it, so that nothing is stored that
/// could replace it.
#[derive(Clone)]
pub struct BrowserSecret(Derived);

impl BrowserSecret {
    /// A new secret.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(Derived::new(&MacKey::new(entropy::bytes(entropy)), "browser", &[]))
    }

    /// The secret of a cookie.
    pub fn parse(text: &str) -> Option<Self> {
        Derived::parse(text).map(Self)
    }

    /// The text of the cookie.
    pub fn text(&self) -> String {
        self.0.text()
    }

    /// The hash that the record has.
    pub fn hash(&self) -> Digest256 {
        Digest256::of(self.text())
    }

    /// The PKCE code verifier of an authorization ([RFC 7636], section 4.1).
    ///
    /// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
    pub fn code_verifier(&self, state: &OauthState) -> String {
        self.derive("pkce", state)
    }

    /// The PKCE code challenge, by S256 (section 4.2).
    pub fn code_challenge(&self, state: &OauthState) -> String {
        Digest256::of(self.code_verifier(state)).to_base64()
    }

    /// The nonce of an authorization.
    pub fn nonce(&self, state: &OauthState) -> String {
        self.derive("nonce", state)
    }

    fn derive(&self, purpose: &str, state: &OauthState) -> String {
        let key = MacKey::of(&self.text());
        Derived::new(&key, purpose, &[state.text().as_bytes()]).text()
    }
}

/// The path to which the browser goes after an authorization: a page of the same origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnPath(String);

impl ReturnPath {
    const LONGEST: usize = 200;
    const PATTERN: &str = "^/(?:[A-Za-z0-9_-][A-Za-z0-9/_-]*)?(?:\\?[A-Za-z0-9=&_-]*)?$";

    /// Parses a path, perhaps with a query. Two slashes at the beginning would name another host.
    ///
    /// # Errors
    ///
    /// When the text is no path of plain characters.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let is_plain = |text: &str, more: &str| {
            text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c) || more.contains(c))
        };
        let is_path = path.starts_with('/') && !path.starts_with("//") && is_plain(path, "/");
        if is_path && is_plain(query, "=&") && text.len() <= Self::LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "Use a path of this site with letters, digits, `/`, `-` and `_`, such as /sign-in.",
            ))
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path with one more parameter.
    pub fn with(&self, name: &str, value: &str) -> String {
        let before = if self.0.contains('?') { '&' } else { '?' };
        format!("{}{before}{name}={value}", self.0)
    }
}

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/sign-in".to_owned())
    }
}

impl TryFrom<String> for ReturnPath {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<ReturnPath> for String {
    fn from(path: ReturnPath) -> Self {
        path.0
    }
}

impl JsonSchema for ReturnPath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReturnPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": Self::LONGEST, "pattern": Self::PATTERN })
    }
}

/// An authorization that was begun and not finished. Usable once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The hash of the state.
    pub state: Digest256,
    /// The provider.
    pub provider: Provider,
    /// The hash of the browser's secret.
    pub browser: Digest256,
    /// Where the provider sends the browser: the same text again when the code is redeemed.
    pub redirect_uri: String,
    /// The page that the browser sees afterwards.
    pub return_to: ReturnPath,
    /// The account that the identity is to be connected to. `None`: the identity is to sign in.
    #[serde(default)]
    pub connects: Option<ConnectsTo>,
    /// Expiry.
    pub expires_at: Timestamp,
}

/// Why an authorization gave no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationError {
    /// The person refused, or the provider did.
    Denied,
    /// The provider refuses the code, or says something that is not genuine.
    Invalid,
    /// The provider does not answer, or not in a form that can be understood.
    Unavailable,
}

impl AuthorizationError {
    /// The name in the address of the page that the browser sees.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "access_denied",
            Self::Invalid => "invalid_authorization",
            Self::Unavailable => "provider_unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    #[test]
    fn state_has_one_text_form_and_names_its_region() {
        let state = OauthState::new(Region::Eu, &Ones);
        let text = state.text();
        assert_eq!(text.parse::<OauthState>().map(|state| state.region).ok(), Some(Region::Eu));
        for other in ["", "eu_", "eu", &text[1..], &format!("{text}A"), &text.replace("eu_", "mars_")] {
            assert!(other.parse::<OauthState>().is_err(), "{other}");
        }
    }

    #[test]
    fn verifier_and_nonce_belong_to_browser_and_state() {
        let (browser, state) = (BrowserSecret::new(&Ones), OauthState::new(Region::Eu, &Ones));
        let other_state = OauthState::new(Region::Us, &Ones);
        let other_browser = BrowserSecret::parse(&Digest256::of("x").to_base64()).unwrap();
        let verifier = browser.code_verifier(&state);
        assert_eq!(verifier.len(), 43);
        assert_eq!(browser.code_challenge(&state), Digest256::of(&verifier).to_base64());
        let others = [
            browser.nonce(&state),
            browser.code_verifier(&other_state),
            other_browser.code_verifier(&state),
            browser.text(),
        ];
        assert!(others.iter().all(|other| *other != verifier));
        assert_eq!(BrowserSecret::parse(&browser.text()).unwrap().hash(), browser.hash());
    }

    #[test]
    fn return_path_leads_nowhere_else() {
        for path in ["/", "/sign-in", "/settings?tab=security", "/a/b_c?x=1&y=2"] {
            assert_eq!(ReturnPath::parse(path).unwrap().as_str(), path);
        }
        let long = format!("/{}", "a".repeat(200));
        for path in [
            "",
            "sign-in",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a%2f",
            "/a#b",
            "/a?b?c",
            "/a?u=https://x",
            "/\t/evil.example",
            "/ä",
            &long,
        ] {
            assert!(ReturnPath::parse(path).is_err(), "{path}");
        }
        assert_eq!(ReturnPath::parse("/a?b=c").unwrap().with("error", "x"), "/a?b=c&error=x");
        assert_eq!(ReturnPath::default().with("error", "x"), "/sign-in?error=x");
    }
}
