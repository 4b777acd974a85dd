//! Password hashes: Argon2id in the PHC string format ([RFC 9106]), 19 MiB, 2 passes, 1 lane ([OWASP]).
//!
//! [RFC 9106]: https://www.rfc-editor.org/rfc/rfc9106
//! [OWASP]: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html

use std::sync::{Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use serde::{Deserialize, Serialize};

use crate::{
    entropy::{self, Entropy},
    password::Password,
};

/// A password hash. Less sensitive than the password, but never shown or logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

/// The result of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password does not match.
    Wrong,
    /// The password matches.
    Right,
    /// The password matches a hash with weaker parameters than today's. Hash the password again.
    RightButOutdated,
}

/// A hash that no password matches. Compared when no account exists, so that both cases take the same time.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$6mLPlaMHUkJzSmKQ4vsiCzW7f3Qp3Xq7NE2bJ0lLxTg";

impl PasswordHash {
    /// Hashes `password` with a random salt. Takes tens of milliseconds; do not run on an async thread.
    pub fn make(password: &Password, entropy: &dyn Entropy) -> Result<Self, CannotHash> {
        let salt: [u8; 16] = entropy::bytes(entropy);
        Ok(Self(hash(password, &salt, params()?)?.to_string()))
    }

    /// A hash that no password matches and that takes as long to compare as a real hash.
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Compares in constant time for all hashes with the same parameters.
    pub fn verify(&self, password: &Password) -> Result<Verdict, CannotHash> {
        let wanted = phc::PasswordHash::new(&self.0).map_err(|_| CannotHash)?;
        let (Some(salt), Some(output)) = (wanted.salt, wanted.hash) else { return Err(CannotHash) };
        if wanted.algorithm != Algorithm::Argon2id.ident() || wanted.version != Some(Version::V0x13.into()) {
            return Err(CannotHash);
        }
        let made_with = Params::try_from(&wanted).map_err(|_| CannotHash)?;
        let outdated = made_with != params()?;
        let given = hash(password, &salt, made_with)?;
        // `Output` compares in constant time.
        Ok(match (given.hash == Some(output), outdated) {
            (false, _) => Verdict::Wrong,
            (true, true) => Verdict::RightButOutdated,
            (true, false) => Verdict::Right,
        })
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

/// The stored hash or the parameters are unusable: a defect, not the caller's fault.
#[derive(Debug, thiserror::Error)]
#[error("a password hash can't be computed")]
pub struct CannotHash;

fn params() -> Result<Params, CannotHash> {
    Params::new(19 * 1024, 2, 1, Some(32)).map_err(|_| CannotHash)
}

/// Reuses wiped memory of earlier hashes. Allocating 19 MiB for each hash fragments the allocator's arenas: 100
/// concurrent sign-ups kept 790 MB.
static SPARE: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

fn hash(password: &Password, salt: &[u8], params: Params) -> Result<phc::PasswordHash, CannotHash> {
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let mut output = [0; Output::MAX_LENGTH];
    let output =
        output.get_mut(..params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN)).ok_or(CannotHash)?;
    let mut memory = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(algorithm, version, params.clone());
    let hashed =
        argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, output, &mut memory);
    memory.fill(Block::default());
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    hashed.map_err(|_| CannotHash)?;
    Ok(phc::PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params).map_err(|_| CannotHash)?,
        salt: Some(Salt::new(salt).map_err(|_| CannotHash)?),
        hash: Some(Output::new(output).map_err(|_| CannotHash)?),
    })
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
    fn hash_matches_only_its_password() {
        let password = Password::parse("correct horse battery").unwrap();
        let hash = PasswordHash::make(&password, &Counting).unwrap();
        assert_eq!(hash.verify(&password).unwrap(), Verdict::Right);
        let other = Password::parse("correct horse batterz").unwrap();
        assert_eq!(hash.verify(&other).unwrap(), Verdict::Wrong);
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn dummy_hash_never_matches() {
        let password = Password::parse("correct horse battery").unwrap();
        assert_eq!(PasswordHash::nobody().verify(&password).unwrap(), Verdict::Wrong);
        assert_eq!(Params::try_from(&phc::PasswordHash::new(NOBODY).unwrap()).unwrap(), params().unwrap());
    }

    #[test]
    fn weak_hash_requests_rehash() {
        let password = Password::parse("correct horse battery").unwrap();
        let weak = hash(&password, &[1; 16], Params::new(8 * 1024, 1, 1, Some(32)).unwrap()).unwrap();
        assert_eq!(PasswordHash(weak.to_string()).verify(&password).unwrap(), Verdict::RightButOutdated);
        let other = Password::parse("correct horse batterz").unwrap();
        assert_eq!(PasswordHash(weak.to_string()).verify(&other).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn foreign_hash_verifies() {
        // Made by the reference implementation: argon2 "somesalt" with -id -t 2 -k 65536 -p 1 and the password "password".
        let reference =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let password = Password::parse("password").unwrap();
        assert_eq!(PasswordHash(reference.to_owned()).verify(&password).unwrap(), Verdict::RightButOutdated);
    }
}
