//! New passwords: strength check and hash, off the async threads.

use domain::{
    credential::{CannotHash, PasswordHash},
    password::Password,
    ports::Resettable,
    text::Invalid,
};
use kit::{Interrupted, Problem, RequestContext};

kit::errors! {
    pub enum PasswordError from CannotHash, Interrupted {
        /// The password is too easy to guess.
        Weak(weak: WeakPassword) => Problem::field(weak.field, &weak.reason),
    }
}

/// Why a new password is refused.
#[derive(Debug)]
pub struct WeakPassword {
    /// The field of the request.
    field: &'static str,
    reason: Invalid,
}

/// What attackers know about a user: the address and names.
pub fn about(found: &Resettable) -> Vec<String> {
    let email = &found.user.primary_email;
    let known = [email.as_str(), email.domain()].map(str::to_owned).into_iter();
    known.chain(found.names.iter().cloned()).collect()
}

/// Hashes the password in a field of the request, if it is strong enough against an attacker who knows all `about` its owner.
pub async fn hash<C>(
    call: &RequestContext<C>,
    (field, password): (&'static str, Password),
    about: Vec<String>,
) -> Result<PasswordHash, PasswordError> {
    let entropy = call.shared_entropy();
    let work = move || {
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        password
            .judge(&about)
            .map_err(|reason| WeakPassword { field, reason })
            .map_err(PasswordError::Weak)?;
        Ok(PasswordHash::make(&password, &*entropy)?)
    };
    call.run_blocking(work).await?
}
