//! Password hashes: Argon2id in the PHC string format ([RFC 9106]), 19 MiB, 2 passes, 1 lane ([OWASP]).
//!
//! [RFC 9106]: https://www.rfc-editor.org/rfc/rfc9106
//! [OWASP]: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use serde::{Deserialize, Serialize};

use crate::{
    entropy::{self, Entropy},
    password::Password,
};

/// A password's hash. Not a secret like the password, but never shown or logged either.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

/// What comparing a password with a hash says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another password.
    Wrong,
    /// The password.
    Right,
    /// The password, hashed with weaker parameters than today's: hash it anew.
    RightButOutdated,
}

/// The hash of a password nobody has: compared with when there is no account, so that both take the same time.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$6mLPlaMHUkJzSmKQ4vsiCzW7f3Qp3Xq7NE2bJ0lLxTg";

impl PasswordHash {
    /// Hashes `password` with a random salt. Takes tens of milliseconds: keep it off the async threads.
    pub fn make(password: &Password, entropy: &dyn Entropy) -> Result<Self, CannotHash> {
        let salt: [u8; 16] = entropy::bytes(entropy);
        let hash: phc::PasswordHash =
            today()?.hash_password_with_salt(password.expose().as_bytes(), &salt).map_err(|_| CannotHash)?;
        Ok(Self(hash.to_string()))
    }

    /// A hash that no password matches and that costs as much to compare as a real one.
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Compares in constant time for any hash made with the same parameters.
    pub fn verify(&self, password: &Password) -> Result<Verdict, CannotHash> {
        let hash = phc::PasswordHash::new(&self.0).map_err(|_| CannotHash)?;
        if today()?.verify_password(password.expose().as_bytes(), &hash).is_err() {
            return Ok(Verdict::Wrong);
        }
        let outdated = Params::try_from(&hash).map_err(|_| CannotHash)? != params()?;
        Ok(if outdated { Verdict::RightButOutdated } else { Verdict::Right })
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

/// The stored hash or the parameters can't be used: a defect, never the caller's fault.
#[derive(Debug, thiserror::Error)]
#[error("a password hash can't be computed")]
pub struct CannotHash;

fn params() -> Result<Params, CannotHash> {
    Params::new(19 * 1024, 2, 1, Some(32)).map_err(|_| CannotHash)
}

fn today() -> Result<Argon2<'static>, CannotHash> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    #[test]
    fn a_hash_matches_its_password_only() {
        let password = Password::parse("correct horse battery").unwrap();
        let hash = PasswordHash::make(&password, &Counting).unwrap();
        assert_eq!(hash.verify(&password).unwrap(), Verdict::Right);
        let other = Password::parse("correct horse batterz").unwrap();
        assert_eq!(hash.verify(&other).unwrap(), Verdict::Wrong);
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn nobodys_hash_is_compared_like_any_other_and_never_matches() {
        let password = Password::parse("correct horse battery").unwrap();
        assert_eq!(PasswordHash::nobody().verify(&password).unwrap(), Verdict::Wrong);
        assert_eq!(Params::try_from(&phc::PasswordHash::new(NOBODY).unwrap()).unwrap(), params().unwrap());
    }

    #[test]
    fn a_hash_with_weaker_parameters_asks_to_be_made_anew() {
        let password = Password::parse("correct horse battery").unwrap();
        let weak =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8 * 1024, 1, 1, Some(32)).unwrap());
        let hash: phc::PasswordHash =
            weak.hash_password_with_salt(password.expose().as_bytes(), &[1; 16]).unwrap();
        assert_eq!(PasswordHash(hash.to_string()).verify(&password).unwrap(), Verdict::RightButOutdated);
    }
}
