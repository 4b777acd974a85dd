//! The secret that identifies the caller's sign-up attempt: the token from the sign-up response, as a field or a
//! cookie, or the password.

use domain::{
    credential::{CannotHash, PasswordHash, Verdict},
    id::AttemptId,
    password::Password,
    ports::{Codes, Failure},
    region::Region,
    sign_up::{Attempt, SignUp, SignUpToken, VerificationCode},
};
use kit::{Anyone, Interrupted, RequestContext};

kit::errors! {
    pub enum SecretError from Failure, CannotHash, Interrupted {}
}

/// The secret in a verification request. If token and password are present, both must match.
pub struct SignUpSecret {
    token: Option<SignUpToken>,
    password: Option<Password>,
}

impl SignUpSecret {
    /// Reads the fields of the form, and the cookie only if the form has neither.
    pub fn of<C>(
        call: &RequestContext<C>,
        token: Option<SignUpToken>,
        password: Option<Password>,
    ) -> Option<Self> {
        let from_cookie = || call.sign_up_cookie()?.parse().ok();
        let token = if password.is_none() { token.or_else(from_cookie) } else { token };
        (token.is_some() || password.is_some()).then_some(Self { token, password })
    }

    /// The region of the attempt, from the token or, without a token, from the code.
    pub fn home(&self, code: &VerificationCode) -> Region {
        self.token.as_ref().map_or_else(|| code.region(), |token| token.region)
    }

    /// Whether the token, if present, belongs to this attempt.
    pub async fn is_of(&self, codes: &dyn Codes, attempt: AttemptId) -> Result<bool, Failure> {
        let Some(token) = &self.token else { return Ok(true) };
        Ok(codes.sign_up_token(attempt).await?.matches(token))
    }

    /// The caller's attempts among the live ones. A password is compared with all of them, at most an hour's attempts
    /// of an address. Without any, it is compared with a dummy hash, so that timing does not reveal whether an attempt
    /// exists.
    pub async fn attempts(
        self,
        codes: &dyn Codes,
        call: &RequestContext<Anyone>,
        waiting: Option<&SignUp>,
    ) -> Result<Vec<AttemptId>, SecretError> {
        let live: Vec<&Attempt> = waiting.map(|waiting| waiting.live(call.now).collect()).unwrap_or_default();
        let mut own = Vec::new();
        for attempt in live {
            if self.token.as_ref().is_none_or(|token| token.attempt == attempt.id)
                && self.is_of(codes, attempt.id).await?
            {
                own.push((Some(attempt.id), attempt.password.clone()));
            }
        }
        let Some(password) = self.password else {
            return Ok(own.into_iter().filter_map(|(id, _)| id).collect());
        };
        if own.is_empty() {
            own.push((None, PasswordHash::nobody()));
        }
        let compare = move || {
            let fits = |(id, hash): (Option<AttemptId>, PasswordHash)| match hash.verify(&password) {
                Ok(Verdict::Wrong) => None,
                Ok(Verdict::Right | Verdict::RightButOutdated) => id.map(Ok),
                Err(error) => Some(Err(error)),
            };
            own.into_iter().filter_map(fits).collect::<Result<Vec<_>, CannotHash>>()
        };
        Ok(call.run_blocking(compare).await??)
    }
}
