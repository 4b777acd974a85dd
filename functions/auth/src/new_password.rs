//! New passwords: strength check and hash, off the async threads; and a lookup among breached ones, where the deployment has one.

use domain::{
    credential::{CannotHash, PasswordHash},
    password::{self, Password},
    ports::{BreachedPasswords, Resettable},
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

/// Hashes the password in a field of the request, if it is strong enough against an attacker who knows all `about` its owner, and
/// not among breached ones.
///
/// Callers have counted the request, and refused those that may not set a password: strangers must not cause any number of calls
/// to a third party.
pub async fn hash<C>(
    call: &RequestContext<C>,
    breached: &dyn BreachedPasswords,
    (field, password): (&'static str, Password),
    about: Vec<String>,
) -> Result<PasswordHash, PasswordError> {
    let weak = |reason| PasswordError::Weak(WeakPassword { field, reason });
    let judged = password.clone();
    let judge = move || {
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        judged.judge(&about)
    };
    call.run_blocking(judge).await?.map_err(weak)?;
    let (entropy, hashed) = (call.shared_entropy(), password.clone());
    let make = call.run_blocking(move || PasswordHash::make(&hashed, &*entropy));
    // The lookup ends while there is time left to save the password.
    let (is_breached, hash) = futures::join!(call.in_time(breached.contains(&password)), make);
    if is_breached.unwrap_or(false) {
        return Err(weak(password::BREACHED));
    }
    Ok(hash??)
}
