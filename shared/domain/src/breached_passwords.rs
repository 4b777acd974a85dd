//! Breached passwords that the estimator takes for strong: common ones of earlier leaks, as a filter of 16-bit fingerprints.
//!
//! `infra/tools/breached-passwords` makes the filter. It holds no passwords, and one in 65,000 other passwords matches too.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use xorf::{BinaryFuse16Ref, Filter, FilterRef};

/// The filter's bytes, where 16-bit numbers may stand.
#[repr(C, align(2))]
struct Aligned<T: ?Sized>(T);

/// A descriptor of 20 bytes, padded to 32, and the fingerprints.
static BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!("breached_passwords.bin"));

/// The length of the descriptor with its padding.
pub const DESCRIPTOR: usize = 32;

static FILTER: LazyLock<Option<BinaryFuse16Ref<'static>>> = LazyLock::new(|| {
    let (descriptor, fingerprints) = BYTES.0.split_at_checked(DESCRIPTOR)?;
    Some(BinaryFuse16Ref::from_dma(descriptor, fingerprints))
});

/// Whether a password is among the breached ones. Capital and small letters are the same here, as they are to guessers.
pub fn contains(password: &str) -> bool {
    FILTER.as_ref().is_some_and(|filter| filter.contains(&key_of(password)))
}

/// The key of a password in the filter.
pub fn key_of(password: &str) -> u64 {
    let digest = Sha256::digest(password.to_lowercase());
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breached_password_is_found_in_any_case() {
        for (password, breached) in [
            ("Xristina290386", true),
            ("xRISTINA290386", true),
            ("one green kettle on the stove", false),
            ("a plain lamp above the desk", false),
        ] {
            assert_eq!(contains(password), breached, "{password}");
        }
    }

    #[test]
    fn few_other_passwords_match() {
        let matches = (0..200_000).filter(|n| contains(&format!("nobody has this one {n}"))).count();
        assert!(matches < 20, "{matches}");
    }
}
