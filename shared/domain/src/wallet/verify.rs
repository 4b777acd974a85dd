//! Recomputing a wallet from its postings.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Lots, Posting, Wallet};
use crate::money::MicroUsd;

/// The first posting that does not fit to those before it, or the wallet that does not fit to its postings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The number of the posting. After the last one: the wallet.
    pub number: u64,
    /// What differs.
    pub what: &'static str,
}

/// The sums of the postings so far, which anybody can recompute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recomputation {
    number: u64,
    balance: MicroUsd,
    lots: Lots,
    at: Timestamp,
}

impl Recomputation {
    /// Before the first posting.
    pub fn new() -> Self {
        Self { number: 0, balance: MicroUsd::ZERO, lots: Lots::default(), at: Timestamp::MIN }
    }

    /// The number of the last posting.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Adds the next posting.
    ///
    /// # Errors
    ///
    /// It does not fit.
    pub fn add(&mut self, posting: &Posting) -> Result<(), Mismatch> {
        let number = self.number.saturating_add(1);
        let expect = |holds: bool, what| if holds { Ok(()) } else { Err(Mismatch { number, what }) };
        expect(posting.number == number, "number")?;
        expect(posting.at >= self.at, "time")?;
        expect(posting.amount != MicroUsd::ZERO, "amount")?;
        expect(self.balance.plus(posting.amount) == Some(posting.balance), "balance")?;
        self.lots.add_all(&posting.lots);
        expect(self.lots.iter().all(|lot| lot.amount > MicroUsd::ZERO), "lots")?;
        expect(self.lots.total() == posting.balance.max(MicroUsd::ZERO), "sum of the lots")?;
        (self.number, self.balance, self.at) = (number, posting.balance, posting.at);
        Ok(())
    }

    /// Compares the sums with the wallet.
    ///
    /// # Errors
    ///
    /// It differs.
    pub fn end(&self, wallet: &Wallet) -> Result<(), Mismatch> {
        let number = self.number.saturating_add(1);
        let expect = |holds: bool, what| if holds { Ok(()) } else { Err(Mismatch { number, what }) };
        expect(wallet.postings == self.number, "number of postings")?;
        expect(wallet.balance() == self.balance, "balance")?;
        let mut lots = wallet.lots.clone();
        for hold in &wallet.holds {
            lots.add_all(&hold.lots);
        }
        expect(lots == self.lots, "lots")?;
        expect(wallet.debt == self.balance.min(MicroUsd::ZERO).negated(), "debt")
    }
}

impl Default for Recomputation {
    fn default() -> Self {
        Self::new()
    }
}
