//! Makes the directory agree with the tables of a region that were restored to an earlier time.
//!
//! The directory is not restored: other regions use it. A name that was claimed since the time of the copy has no account any
//! more, and is given up. A name that was given up since has an account again, which claims it, unless another has it by now.

use std::{collections::BTreeMap, fmt};

use aws_sdk_dynamodb::Client;
use domain::{
    deletion,
    directory::{Claim, Holder, Name},
    handle::Handle,
    ports::{Claimed, Directory, Outcome},
    provider::IdentityHash,
    region::Region,
    secret::Digest256,
    user::EmailHash,
};
use jiff::Timestamp;
use kit::ItemKind;
use serde::Deserialize;
use store::{
    DirectoryStore,
    tables::{PARTITION_KEY, Table},
};

use crate::{
    error::RestoreError,
    table_group::{StoredItem, TableGroup, text},
};

/// The names that a region's tables hold: partition keys of claims, with the ids of their holders.
type HeldNames = BTreeMap<String, String>;

/// The names that changed hands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NamesReport {
    /// Names that were given up, because no account has them any more. Handles are reserved for 30 days.
    pub given_up: u64,
    /// Names that were claimed again.
    pub claimed: u64,
    /// Accounts and workspaces whose name another has by now, in this region or elsewhere. They need another name.
    pub conflicts: Vec<String>,
}

impl fmt::Display for NamesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "given up   {}\nclaimed    {}", self.given_up, self.claimed)?;
        self.conflicts.iter().try_for_each(|id| writeln!(f, "{id} has a name that another has by now"))
    }
}

/// A claim in the directory. An unconfirmed one has a deadline, and is settled by `reap-claims`.
#[derive(Deserialize)]
struct StoredClaim {
    pk: String,
    home: Region,
    id: String,
    deadline: Option<Timestamp>,
}

/// Makes the directory agree with the tables of a region. With `only_looks`, counts what would be done.
///
/// # Errors
///
/// When a call fails or a name is invalid. The command can be repeated.
pub async fn settle_names(
    tables: &TableGroup,
    (authority, directory): (&Client, &str),
    region: Region,
    now: Timestamp,
    only_looks: bool,
) -> Result<NamesReport, RestoreError> {
    let mut held = held_names(tables).await?;
    let writer = authority.clone();
    let store = DirectoryStore::new(authority.clone(), move || writer, directory.to_owned());
    let reserved_until = now.saturating_add(deletion::RESERVED).unwrap_or(Timestamp::MAX);
    let mut report = NamesReport::default();
    let scan = authority.scan().table_name(directory).consistent_read(true);
    let mut items = scan.into_paginator().items().send();
    while let Some(item) = items.next().await {
        let item = item.map_err(RestoreError::call)?;
        let Some(claim) = claim_of(item)? else { continue };
        let holder = held.get(&claim.pk);
        if claim.home != region {
            report.conflicts.extend(held.remove(&claim.pk));
        } else if holder == Some(&claim.id) || claim.deadline.is_some() {
            held.remove(&claim.pk);
        } else {
            report.given_up += 1;
            if !only_looks {
                let gone = Holder { region, id: claim.id, confirmed: true };
                let freed = store.give_up(&name_of(&claim.pk)?, &gone, reserved_until).await;
                freed.map_err(RestoreError::call)?;
            }
        }
    }
    for (partition, id) in held {
        let claim = Claim { name: name_of(&partition)?, region, id: id.clone(), deadline: now };
        let is_ours = only_looks || claim_again(&store, &claim).await.map_err(RestoreError::call)?;
        if is_ours {
            report.claimed += 1;
        } else {
            report.conflicts.push(id);
        }
    }
    Ok(report)
}

/// Claims a name that was given up. A handle is confirmed without a claim, because its reservation is for its former holder.
async fn claim_again(store: &DirectoryStore, claim: &Claim) -> Outcome<bool> {
    let is_address = matches!(claim.name, Name::Address(_));
    if is_address && store.claim(claim).await? == Claimed::Taken {
        return Ok(false);
    }
    store.confirm(claim).await
}

/// The claim that an item is, if it is one.
fn claim_of(item: StoredItem) -> Result<Option<StoredClaim>, RestoreError> {
    let kind = ItemKind::of(Table::Directory, text(&item, PARTITION_KEY));
    match kind {
        Some(ItemKind::HandleClaims | ItemKind::AddressClaims | ItemKind::IdentityClaims) => {
            serde_dynamo::from_item(item).map(Some).map_err(RestoreError::call)
        }
        _ => Ok(None),
    }
}

async fn held_names(tables: &TableGroup) -> Result<HeldNames, RestoreError> {
    let mut held = HeldNames::new();
    for (kind, owner, claims) in [
        (ItemKind::Addresses, "user", ItemKind::AddressClaims),
        (ItemKind::Handles, "workspace", ItemKind::HandleClaims),
        (ItemKind::Identities, "user", ItemKind::IdentityClaims),
    ] {
        let mut after = None;
        loop {
            let (items, next) = tables.page(kind.table(), after).await?;
            for item in items {
                if let Some(name) = text(&item, PARTITION_KEY).strip_prefix(kind.prefix()) {
                    held.insert(claims.partition(name), text(&item, owner).to_owned());
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(held)
}

fn name_of(partition: &str) -> Result<Name, RestoreError> {
    let rest = |kind: ItemKind| partition.strip_prefix(kind.prefix());
    let handle = rest(ItemKind::HandleClaims).and_then(|handle| Handle::parse_existing(handle).ok());
    let address = rest(ItemKind::AddressClaims).and_then(Digest256::from_base64);
    let identity = rest(ItemKind::IdentityClaims).and_then(Digest256::from_base64);
    let name = handle.map(Name::Handle).or(address.map(|hash| Name::Address(EmailHash(hash))));
    let name = name.or(identity.map(|hash| Name::Identity(IdentityHash(hash))));
    name.ok_or(RestoreError::InvalidName)
}
