//! What a session's bearer gets: tokens in JSON, or, with `?session=cookie`, as cookies that scripts can't read.

use domain::{
    Timestamp,
    ports::{Failure, Outcome, TokenKeys},
    region::Region,
    secret::Secret,
    session::{self, Claims, RefreshToken, Session},
};
use http::{HeaderName, HeaderValue, header};
use kit::{
    Output,
    caller::{REFRESH_COOKIE, SESSION_COOKIE, set_cookie},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the client wants its tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// `cookie`: only as cookies. Absent: in the answer.
    #[serde(default)]
    pub session: Option<Cookies>,
}

/// The one word that `session` takes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Cookies {
    /// As cookies.
    Cookie,
}

/// Tokens for a session.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// A JWT to send as `Authorization: Bearer`. Not in the answer with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the access token is good for, in seconds.
    expires_in: i64,
    /// What the next pair of tokens is asked for with. Not in the answer with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Repeat it in the `X-CSRF-Token` header of state-changing requests. Only with `?session=cookie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
    /// The user's data region.
    region: Region,
    /// Whether onboarding is done.
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

/// Signs an access token for `session` and hands it out with `refresh`.
pub async fn hand_out(
    keys: &dyn TokenKeys,
    session: &Session,
    refresh: &RefreshToken,
    onboarded: bool,
    cookies: Option<Cookies>,
    now: Timestamp,
) -> Outcome<Tokens> {
    let region = refresh.region;
    let csrf = match cookies {
        Some(Cookies::Cookie) => {
            Some(session::csrf_token(session.id, &keys.derivation_key(session.id.made_at()).await?))
        }
        None => None,
    };
    let access = keys.sign(&Claims::of(session, region, csrf.as_ref(), now)).await?;
    let text = |secret: Secret| secret.expose().to_owned();
    let refresh = refresh.text();
    let tokens = Tokens {
        access_token: None,
        token_type: "Bearer",
        expires_in: session::ACCESS_VALID.as_secs(),
        refresh_token: None,
        csrf_token: None,
        region,
        onboarded,
        cookies: Vec::new(),
    };
    Ok(match csrf {
        None => Tokens { access_token: Some(text(access)), refresh_token: Some(text(refresh)), ..tokens },
        Some(csrf) => {
            let cookies = vec![
                set_cookie(SESSION_COOKIE, access.expose(), session::ACCESS_VALID.as_secs()),
                set_cookie(REFRESH_COOKIE, refresh.expose(), seconds_left(session, now)?),
            ];
            Tokens { csrf_token: Some(text(csrf)), cookies, ..tokens }
        }
    })
}

fn seconds_left(session: &Session, now: Timestamp) -> Outcome<i64> {
    let left = session.expires_at().as_second() - now.as_second();
    if left > 0 { Ok(left) } else { Err(Failure::Broken("a session that is over".to_owned())) }
}
