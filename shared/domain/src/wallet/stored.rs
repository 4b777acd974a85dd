//! The wallet of a workspace: as it is stored, or as the opening credit of the workspace makes it.

use jiff::Timestamp;

use super::{Booking, Posting, Wallet};
use crate::workspace::Workspace;

/// A wallet, with the posting that a wallet begins with that is not stored yet.
pub struct StoredWallet {
    /// The wallet.
    pub wallet: Wallet,
    /// Its first posting, if neither is stored yet.
    pub opening: Option<Posting>,
}

impl StoredWallet {
    /// The wallet of a workspace whose record was read.
    pub fn of(workspace: &Workspace, stored: Option<Wallet>) -> Self {
        match stored {
            Some(wallet) => Self { wallet, opening: None },
            None => {
                let (wallet, opening) = Wallet::unopened(workspace);
                Self { wallet, opening }
            }
        }
    }

    /// Begins a change.
    pub fn booking(self, now: Timestamp) -> Booking {
        Booking::begin(self.wallet, self.opening, now)
    }
}
