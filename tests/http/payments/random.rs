//! Random numbers that a seed determines, so that a run can be repeated.

/// A generator ([SplitMix64](https://prng.di.unimi.it/splitmix64.c)).
pub struct Random(u64);

impl Random {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `most - 1`.
    pub fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// A place in a list of so many elements.
    pub fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(u64::try_from(count).unwrap())).unwrap()
    }

    /// A number from 1 to `most`.
    pub fn amount(&mut self, most: u64) -> i64 {
        i64::try_from(self.below(most)).unwrap() + 1
    }
}
