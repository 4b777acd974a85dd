//! A bounded number of retries on records that others changed.

use super::outcome::{Failure, Outcome};

/// Rounds of reading, deciding and writing. A round whose write is [`Saved::Stale`](super::Saved::Stale) is followed by
/// another one, until they are used up: the request then ends with [`Failure::Raced`], which is worth a retry.
///
/// ```
/// # use domain::ports::{Outcome, Rounds, Saved};
/// # fn read() -> Outcome<u32> { Ok(1) }
/// # fn write(_: u32) -> Outcome<Saved> { Ok(Saved::Yes) }
/// # fn change() -> Outcome<()> {
/// let mut rounds = Rounds::new();
/// loop {
///     rounds.begin()?;
///     let seen = read()?;
///     if write(seen)? == Saved::Yes {
///         return Ok(());
///     }
/// }
/// # }
/// # change().unwrap();
/// ```
#[derive(Debug)]
pub struct Rounds {
    left: u32,
}

impl Rounds {
    /// At least one of the competing writers succeeds in each round, so this many may compete for one record.
    const MOST: u32 = 32;

    /// All rounds are left.
    pub const fn new() -> Self {
        Self { left: Self::MOST }
    }

    /// Begins a round.
    ///
    /// # Errors
    ///
    /// [`Failure::Raced`] if none is left.
    pub fn begin(&mut self) -> Outcome<()> {
        self.left = self.left.checked_sub(1).ok_or(Failure::Raced)?;
        Ok(())
    }
}

impl Default for Rounds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_end_with_a_lost_race() {
        let mut rounds = Rounds::new();
        let begun = std::iter::from_fn(|| rounds.begin().ok()).count();
        assert_eq!(begun, 32);
        for _ in 0..2 {
            assert!(matches!(rounds.begin(), Err(Failure::Raced)));
        }
    }
}
