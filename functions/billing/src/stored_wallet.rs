//! The wallet of a workspace: as it is stored, or as the opening credit of the workspace makes it.

pub use domain::wallet::StoredWallet;
use domain::{
    id::WorkspaceId,
    ports::{Outcome, Wallets, Workspaces},
    wallet::{Booked, Cause},
};

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
