//! The wallet of a workspace: as it is stored, or as the opening credit of the workspace makes it.

use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::{Outcome, Wallets, Workspaces},
    wallet::{Booked, Booking, Cause, Posting, Wallet},
    workspace::Workspace,
};

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

/// The wallet and what it remembers of causes. Reads the record of the workspace only if no wallet is stored. `None`: there is no such
/// workspace in this region.
pub async fn read(
    wallets: &dyn Wallets,
    workspaces: &dyn Workspaces,
    id: WorkspaceId,
    causes: &[Cause],
) -> Outcome<Option<(StoredWallet, Vec<Option<Booked>>)>> {
    let (stored, booked) = wallets.with_causes(id, causes).await?;
    let wallet = match stored {
        Some(wallet) => StoredWallet { wallet, opening: None },
        None => match workspaces.find(id).await? {
            Some(workspace) => StoredWallet::of(&workspace, None),
            None => return Ok(None),
        },
    };
    Ok(Some((wallet, booked)))
}
