//! Claim on a name, public signing key.  Table `directory`: PK `HANDLE#<handle>` or `ADDRESS#<address hash>`  SK `CLAIM`; PK
//! `PENDING#<region>`  SK as the claim's PK, while it waits to be confirmed; PK `SIGNING-KEYS`  SK `<region>#<kid>`.
//! Reads: whose a name is (get in the own region's replica; strongly consistent in the authority where a miss must be
//! certain), a region's unconfirmed claims (query in the authority), all signing keys (query, once a container).
//! Writes: in the authority only, a claim and its pending mark in one transaction.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use domain::{
    Timestamp,
    directory::{Claim, Holder, Name},
    handle::Handle,
    ports::{Claimed, Failure, Outcome, PublicKey},
    region::Region,
    secret::Digest256,
    user::EmailHash,
};
use serde::{Deserialize, Serialize};
use tables::Items;

use crate::{
    Store,
    failure::unavailable,
    item::{Key, from_item, text, to_item},
    transaction::Condition,
};

/// More than there are: three regions, each with a key in use, one or two before and one to come.
const MOST_KEYS: usize = 100;
/// So many overdue claims are enough for one run, give or take a page.
const MOST_OVERDUE: usize = 1_000;
const A_PAGE: usize = 500;
/// Handles whose holders a container remembers: a confirmed one stays with its holder.
const REMEMBERED: usize = 1_000;

/// The directory: this region's replica, and the authority that is written.
pub struct Directory {
    replica: Store,
    /// Made when it is first needed, which is when names are claimed.
    authority: LazyLock<Store, Box<dyn FnOnce() -> Store + Send + Sync>>,
    handles: Mutex<HashMap<Name, Holder>>,
}

/// A claim's item; it has a deadline until it is confirmed.
#[derive(Serialize, Deserialize)]
struct ClaimItem {
    home: Region,
    id: String,
    deadline: Option<Timestamp>,
}

/// What marks a claim as unconfirmed.
#[derive(Serialize, Deserialize)]
struct PendingItem {
    sk: String,
    id: String,
    deadline: Timestamp,
}

impl Directory {
    /// The directory in `table`, read in this region and written where the authority is.
    pub fn new(
        replica: Client,
        authority: impl FnOnce() -> Client + Send + Sync + 'static,
        table: String,
    ) -> Self {
        let replica = Store::of_one_table(replica, table.clone());
        let authority = move || Store::of_one_table(authority(), table);
        Self { replica, authority: LazyLock::new(Box::new(authority)), handles: Mutex::default() }
    }

    fn remembered(&self, name: &Name) -> Option<Holder> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn remember(&self, name: &Name, holder: &Holder) {
        if holder.confirmed && matches!(name, Name::Handle(_)) {
            let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
            if handles.len() >= REMEMBERED {
                handles.clear();
            }
            handles.insert(name.clone(), holder.clone());
        }
    }

    async fn ask_authority(&self, name: &Name) -> Outcome<Option<Holder>> {
        self.authority.get(claim_key(name)).await?.map(from_item).transpose().map(of_item)
    }
}

fn of_item(item: Option<ClaimItem>) -> Option<Holder> {
    item.map(|item| Holder { region: item.home, id: item.id, confirmed: item.deadline.is_none() })
}

fn name_of(partition: &str) -> Outcome<Name> {
    let rest = |kind: Items| partition.strip_prefix(kind.prefix());
    let handle = rest(Items::HandleClaims).and_then(|handle| Handle::parse_existing(handle).ok());
    let address = rest(Items::AddressClaims).and_then(Digest256::from_base64);
    let name = handle.map(Name::Handle).or(address.map(|hash| Name::Address(EmailHash(hash))));
    name.ok_or_else(|| Failure::Broken(format!("{partition} is no name")))
}

fn claim_key(name: &Name) -> Key {
    match name {
        Name::Handle(handle) => Key::new(Items::HandleClaims, handle.as_str(), "CLAIM"),
        Name::Address(address) => Key::new(Items::AddressClaims, address, "CLAIM"),
    }
}

fn signing_key(region: Region, kid: &str) -> Key {
    Key::new(Items::SigningKeys, "", format!("{region}#{kid}"))
}

fn pending_key(region: Region, name: &Name) -> Key {
    Key::new(Items::PendingClaims, region, claim_key(name).pk)
}

/// The claim is absent or, as `held` says, this holder's.
fn free_or(held: &'static str, claim: &Claim) -> Condition {
    Condition::of(held, [(":home", text(claim.region)), (":id", text(&claim.id))])
}

#[async_trait]
impl domain::ports::Directory for Directory {
    async fn find(&self, name: &Name) -> Outcome<Option<Holder>> {
        if let Some(holder) = self.remembered(name) {
            return Ok(Some(holder));
        }
        let found = self.replica.glance(claim_key(name)).await?.map(from_item).transpose()?;
        let found = of_item(found);
        if let Some(holder) = &found {
            self.remember(name, holder);
        }
        Ok(found)
    }

    async fn find_for_certain(&self, name: &Name) -> Outcome<Option<Holder>> {
        if !self.replica.is_where(&self.authority)
            && let Some(holder) = self.find(name).await?
        {
            return Ok(Some(holder));
        }
        self.ask_authority(name).await
    }

    async fn claim(&self, claim: &Claim) -> Outcome<Claimed> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let deadline = Some(claim.deadline);
        let item = to_item(&key, &ClaimItem { home: claim.region, id: claim.id.clone(), deadline })?;
        let pending = PendingItem { sk: mark.sk.clone(), id: claim.id.clone(), deadline: claim.deadline };
        let unconfirmed =
            "attribute_not_exists(pk) OR (home = :home AND id = :id AND attribute_exists(deadline))";
        let refused = self
            .authority
            .transaction()
            .put("claim", &key, item, free_or(unconfirmed, claim))
            .put("pending", &mark, to_item(&mark, &pending)?, Condition::none())
            .commit()
            .await?;
        if refused.is_none() {
            return Ok(Claimed::Yes);
        }
        // Another's, or this holder's for good.
        match self.ask_authority(&claim.name).await? {
            Some(holder) if holder.region == claim.region && holder.id == claim.id => Ok(Claimed::Yes),
            Some(_) => Ok(Claimed::Taken),
            None => Err(Failure::Raced),
        }
    }

    async fn confirm(&self, claim: &Claim) -> Outcome<bool> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let item = to_item(&key, &ClaimItem { home: claim.region, id: claim.id.clone(), deadline: None })?;
        let held = "attribute_not_exists(pk) OR (home = :home AND id = :id)";
        let refused = self
            .authority
            .transaction()
            .put("claim", &key, item, free_or(held, claim))
            .delete("pending", &mark, Condition::none())
            .commit()
            .await?;
        Ok(refused.is_none())
    }

    async fn release(&self, claim: &Claim) -> Outcome<()> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let values =
            [(":home", text(claim.region)), (":id", text(&claim.id)), (":deadline", text(claim.deadline))];
        let same = Condition::of("home = :home AND id = :id AND deadline = :deadline", values);
        let transaction = self.authority.transaction();
        transaction.delete("claim", &key, same).delete("pending", &mark, Condition::none()).commit().await?;
        Ok(())
    }

    async fn overdue(&self, region: Region, now: Timestamp) -> Outcome<Vec<Claim>> {
        // Their order is that of the names, so all are looked at: what is not confirmed within a second is a mishap.
        let mut overdue = Vec::new();
        let mut below = "~".to_owned();
        loop {
            let range = ("!".to_owned(), below.clone());
            let page = self.authority.range(Items::PendingClaims, region, range, A_PAGE).await?;
            for item in page.items {
                let PendingItem { sk, id, deadline } = from_item(item)?;
                if sk != below && deadline <= now {
                    overdue.push(Claim { name: name_of(&sk)?, region, id, deadline });
                }
                below = sk;
            }
            if !page.more || overdue.len() >= MOST_OVERDUE {
                return Ok(overdue);
            }
        }
    }

    async fn signing_keys(&self) -> Outcome<Vec<PublicKey>> {
        let all = ("!".to_owned(), "~".to_owned());
        let page = self.replica.range(Items::SigningKeys, "", all, MOST_KEYS).await?;
        page.items.into_iter().map(from_item).collect()
    }

    async fn publish_signing_key(&self, key: &PublicKey) -> Outcome<()> {
        let place = signing_key(key.region, &key.kid);
        let item = to_item(&place, key)?;
        let table = self.authority.name(place.table);
        let request = self.authority.client.put_item().table_name(table).set_item(Some(item));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }

    async fn withdraw_signing_key(&self, region: Region, kid: &str) -> Outcome<()> {
        let place = signing_key(region, kid);
        let table = self.authority.name(place.table);
        let request = self.authority.client.delete_item().table_name(table).set_key(Some(place.attributes()));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_from_its_partition() {
        for name in [
            Name::Handle(Handle::parse("ada-l").unwrap()),
            Name::Address(EmailHash(Digest256::of("ada@people.example"))),
        ] {
            assert_eq!(name_of(&claim_key(&name).pk).unwrap(), name);
        }
        assert!(name_of("SIGNING-KEYS").is_err());
    }
}
