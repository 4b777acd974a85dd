//! New passwords: strength check and hash, off the async threads.

use domain::{
    credential::{CannotHash, PasswordHash},
    password::Password,
    text::Invalid,
};
use kit::{Interrupted, Problem, RequestContext};

kit::errors! {
    pub enum PasswordError from CannotHash, Interrupted {
        /// The password is too easy to guess.
        Weak(invalid: Invalid) => Problem::field("password", &invalid),
    }
}

/// Hashes a password that is strong enough against an attacker who knows all `about` its owner.
pub async fn hash<C>(
    call: &RequestContext<C>,
    password: Password,
    about: Vec<String>,
) -> Result<PasswordHash, PasswordError> {
    let entropy = call.shared_entropy();
    let work = move || {
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        password.judge(&about).map_err(PasswordError::Weak)?;
        Ok(PasswordHash::make(&password, &*entropy)?)
    };
    call.run_blocking(work).await?
}
