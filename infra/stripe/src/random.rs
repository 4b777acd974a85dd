//! Randomness for ids and secrets.

/// The letters and digits of ids.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random letters and digits.
#[expect(clippy::disallowed_methods, reason = "the randomness of Stripe is not that of a request")]
pub(crate) fn random_text(length: usize) -> String {
    let mut bytes = vec![0; length];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Continuing would give two objects the same id.
        tracing::error!(%error, "no randomness from the operating system");
        std::process::abort();
    }
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
    letters.map(|letter| char::from(*letter)).collect()
}

/// A generator whose numbers follow from its seed (SplitMix64), for deliveries that tests can repeat.
pub(crate) fn next_number(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_length_and_differ() {
        let (one, other) = (random_text(24), random_text(24));
        assert_eq!(one.len(), 24);
        assert_ne!(one, other);
    }

    #[test]
    fn same_seed_gives_the_same_numbers() {
        let numbers = |mut seed| [next_number(&mut seed), next_number(&mut seed)];
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }
}
