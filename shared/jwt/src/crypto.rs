//! The algorithms, by ring, in the form that `jsonwebtoken` takes them: Ed25519 ([RFC 8032]) for our own tokens, and, only to
//! verify, RS256 and ES256 ([RFC 7518, section 3]) for id tokens of providers.
//!
//! [RFC 8032]: https://www.rfc-editor.org/rfc/rfc8032
//! [RFC 7518, section 3]: https://www.rfc-editor.org/rfc/rfc7518#section-3

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature,
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

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
    match (algorithm, key.family()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => Ok(Box::new(Signing(key_pair(key.as_bytes())?))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
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

/// A public key with its algorithm.
enum PublicKey {
    /// A point, and the algorithm that it is used with.
    Point(Algorithm, &'static dyn VerificationAlgorithm, Vec<u8>),
    /// Modulus and exponent.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let point = |by: &'static dyn VerificationAlgorithm| {
        Ok(PublicKey::Point(*algorithm, by, key.try_get_as_bytes()?.to_vec()))
    };
    let key: Result<PublicKey, Error> = match (algorithm, key.family(), key.kind()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed, _) => point(&ED25519),
        (Algorithm::ES256, AlgorithmFamily::Ec, _) => point(&ECDSA_P256_SHA256_FIXED),
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Ok(PublicKey::Rsa { n: n.clone(), e: e.clone() })
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    };
    Ok(Box::new(key?))
}

impl signature::Verifier<Vec<u8>> for PublicKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match self {
            Self::Point(_, by, point) => UnparsedPublicKey::new(*by, point).verify(message, signature),
            Self::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for PublicKey {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Point(algorithm, ..) => *algorithm,
            Self::Rsa { .. } => Algorithm::RS256,
        }
    }
}
