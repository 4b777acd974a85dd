//! Tokens of a session: in JSON or, with `?session=cookie`, in cookies that scripts can't read.

use domain::{
    Timestamp,
    device::{self, DeviceToken},
    ports::{Failure, Outcome, TokenKeys},
    region::Region,
    secret::Secret,
    session::{self, Claims, RefreshToken, Session},
};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Output,
    credentials::{DEVICE_COOKIE, REFRESH_COOKIE, SESSION_COOKIE, set_cookie},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The format of the returned tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenDeliveryQuery {
    /// `cookie`: return the tokens as cookies only. Absent: return the tokens in the body.
    #[serde(default)]
    pub session: Option<Cookies>,
}

/// Values of `session`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Cookies {
    /// Return the tokens as cookies.
    Cookie,
}

/// Tokens for a session.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// A JWT to send as `Authorization: Bearer`. Absent with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Lifetime of the access token, in seconds.
    expires_in: i64,
    /// The token for `auth-refresh`. Absent with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Send this token in the `X-CSRF-Token` header of state-changing requests. Present only with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
    /// Send this token with later sign-ins on this device, so that failed attempts from other devices don't delay the sign-in.
    /// Present only with the first tokens of a session. Absent with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    /// The user's data region.
    region: Region,
    /// Whether onboarding is complete.
    onboarded: bool,
    #[serde(skip)]
    cookies: Vec<String>,
}

impl Output for Tokens {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let values = self.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok());
        values.map(|value| (header::SET_COOKIE, value)).collect()
    }
}

impl Tokens {
    /// Adds a header that deletes an obsolete cookie.
    pub fn forgetting(mut self, cookie: &str) -> Self {
        self.cookies.push(set_cookie(cookie, "", 0));
        self
    }
}

/// Signs an access token for `session` and returns it with `refresh`.
pub async fn hand_out(
    keys: &dyn TokenKeys,
    session: &Session,
    refresh: &RefreshToken,
    onboarded: bool,
    cookies: Option<Cookies>,
    now: Timestamp,
) -> Outcome<Tokens> {
    let region = refresh.region;
    let key = keys.derivation_key(session.id.made_at()).await?;
    let csrf = cookies.map(|Cookies::Cookie| session::csrf_token(session.id, &key));
    // A session that was never refreshed gets its first tokens.
    let is_first = session.refreshed_at == session.created_at;
    let device = is_first.then(|| DeviceToken::of(session.user, session.id, &key).text());
    let access = keys.sign(&Claims::of(session, region, csrf.as_ref(), now)).await?;
    let text = |secret: Secret| secret.expose().to_owned();
    let refresh = refresh.text();
    let tokens = Tokens {
        access_token: None,
        token_type: "Bearer",
        expires_in: session::ACCESS_VALID.as_secs(),
        refresh_token: None,
        csrf_token: None,
        device_token: None,
        region,
        onboarded,
        cookies: Vec::new(),
    };
    Ok(match csrf {
        None => Tokens {
            access_token: Some(text(access)),
            refresh_token: Some(text(refresh)),
            device_token: device.map(text),
            ..tokens
        },
        Some(csrf) => {
            let mut cookies = vec![
                set_cookie(SESSION_COOKIE, access.expose(), session::ACCESS_VALID.as_secs()),
                set_cookie(REFRESH_COOKIE, refresh.expose(), seconds_left(session, now)?),
            ];
            let known = |token: Secret| set_cookie(DEVICE_COOKIE, token.expose(), device::VALID.as_secs());
            cookies.extend(device.map(known));
            Tokens { csrf_token: Some(text(csrf)), cookies, ..tokens }
        }
    })
}

fn seconds_left(session: &Session, now: Timestamp) -> Outcome<i64> {
    let left = session.expires_at().as_second() - now.as_second();
    if left > 0 { Ok(left) } else { Err(Failure::Broken("a session that is over".to_owned())) }
}
