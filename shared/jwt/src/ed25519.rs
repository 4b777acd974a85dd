//! Ed25519 ([RFC 8032]) by ring, in the form that `jsonwebtoken` takes it.
//!
//! [RFC 8032]: https://www.rfc-editor.org/rfc/rfc8032

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature,
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this the process's cryptography for tokens.
pub fn install() {
    // It may be that already.
    let _ = PROVIDER.install_default();
}

/// A private key's public half.
pub fn public_key(private: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(key_pair(private)?.public_key().as_ref().to_vec())
}

/// PKCS #8 need not hold the public key beside the private one ([RFC 8410, section 7]).
///
/// [RFC 8410, section 7]: https://www.rfc-editor.org/rfc/rfc8410#section-7
fn key_pair(private: &[u8]) -> Result<Ed25519KeyPair, Error> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(private).map_err(|_| ErrorKind::InvalidEddsaKey.into())
}

struct Signing(Ed25519KeyPair);

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    is_ours(*algorithm, key.family())?;
    Ok(Box::new(Signing(key_pair(key.as_bytes())?)))
}

impl signature::Signer<Vec<u8>> for Signing {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Signing {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Verifying(UnparsedPublicKey<Vec<u8>>);

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    is_ours(*algorithm, key.family())?;
    Ok(Box::new(Verifying(UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec()))))
}

impl signature::Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn is_ours(algorithm: Algorithm, family: AlgorithmFamily) -> Result<(), Error> {
    match (algorithm, family) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => Ok(()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}
