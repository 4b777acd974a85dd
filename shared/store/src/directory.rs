//! Claim on a name, reserved handle, public signing key.  Table `directory`: PK `HANDLE#<handle>` or `ADDRESS#<address hash>`
//! SK `CLAIM`; PK `PENDING#<region>`  SK as the claim's PK, while it waits to be confirmed; PK `RESERVED#<sha256 of a handle>`
//! SK `RESERVED`, gone when the handle is free again; PK `SIGNING-KEYS`  SK `<region>#<kid>`; PK `RETIRED-KEYS`, the same.
//! Reads: whose a name is (get in the own region's replica), whether a handle is free (the same, then a strongly consistent
//! batch get of claim and reservation in the authority), a region's unconfirmed claims (query in the authority), all signing
//! keys (query, once a container), those that were (query).
//! Writes: in the authority only, a claim and its pending mark in one transaction, with the reservation where one ends; a signing key is
//! retired in one.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use domain::{
    Timestamp,
    directory::{Claim, Holder, Name, PENDING},
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
    item::{Key, from_item, text, to_expiring_item, to_item},
    transaction::Condition,
    usage::millis,
};

/// More than there are: three regions, each with a key in use, one or two before and one to come.
const MOST_KEYS: usize = 100;
/// With a rotation a month in each region, those of 27 years.
const MOST_RETIRED: usize = 1_000;
/// So many overdue claims are enough for one run, give or take a page.
const MOST_OVERDUE: usize = 1_000;
const A_PAGE: usize = 500;
/// Handles whose holders a container remembers: a confirmed one stays with its holder. One that was given up elsewhere is
/// remembered as long as the container lives; by the time anybody may have it, none does that knew of the old holder.
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

/// Says that nobody gets a handle, without telling which.
#[derive(Serialize, Deserialize)]
struct ReservedItem {
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    until: Timestamp,
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

    fn forget(&self, name: &Name) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    async fn keys(&self, kind: Items, most: usize) -> Outcome<Vec<PublicKey>> {
        let all = ("!".to_owned(), "~".to_owned());
        let page = self.replica.range(kind, "", all, most).await?;
        page.items.into_iter().map(from_item).collect()
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

fn reserved_key(handle: &Handle) -> Key {
    Key::new(Items::ReservedHandles, Digest256::of(handle.as_str()).to_hex(), "RESERVED")
}

/// The handle is not reserved any more.
fn unreserved(now: Timestamp) -> Condition {
    let over = "attribute_not_exists(pk) OR #until <= :now";
    Condition::of(over, [(":now", millis(now))]).naming("#until", "until")
}

fn signing_key(region: Region, kid: &str) -> Key {
    Key::new(Items::SigningKeys, "", format!("{region}#{kid}"))
}

fn retired_key(region: Region, kid: &str) -> Key {
    Key::new(Items::RetiredKeys, "", format!("{region}#{kid}"))
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

    async fn claim(&self, claim: &Claim) -> Outcome<Claimed> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let deadline = Some(claim.deadline);
        let item = to_item(&key, &ClaimItem { home: claim.region, id: claim.id.clone(), deadline })?;
        let pending = PendingItem { sk: mark.sk.clone(), id: claim.id.clone(), deadline: claim.deadline };
        let unconfirmed =
            "attribute_not_exists(pk) OR (home = :home AND id = :id AND attribute_exists(deadline))";
        let mut transaction = self
            .authority
            .transaction()
            .put("claim", &key, item, free_or(unconfirmed, claim))
            .put("pending", &mark, to_item(&mark, &pending)?, Condition::none());
        if let Name::Handle(handle) = &claim.name {
            let now = claim.deadline.saturating_sub(PENDING).unwrap_or(Timestamp::MIN);
            transaction = transaction.check("reserved", &reserved_key(handle), unreserved(now));
        }
        match transaction.commit().await? {
            None => return Ok(Claimed::Yes),
            Some("reserved") => return Ok(Claimed::Taken),
            Some(_) => {}
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

    async fn give_up(&self, name: &Name, holder: &Holder, reserved_until: Timestamp) -> Outcome<()> {
        let (key, mark) = (claim_key(name), pending_key(holder.region, name));
        let values = [(":home", text(holder.region)), (":id", text(&holder.id))];
        let own = Condition::of("home = :home AND id = :id", values);
        let mut transaction = self.authority.transaction().delete("claim", &key, own).delete(
            "pending",
            &mark,
            Condition::none(),
        );
        if let Name::Handle(handle) = name {
            let key = reserved_key(handle);
            let item = to_expiring_item(&key, &ReservedItem { until: reserved_until }, reserved_until)?;
            transaction = transaction.put("reserved", &key, item, Condition::none());
        }
        // Refused, it is another's, or was given up before.
        transaction.commit().await?;
        self.forget(name);
        Ok(())
    }

    async fn is_free(&self, handle: &Handle, now: Timestamp) -> Outcome<bool> {
        let name = Name::Handle(handle.clone());
        if !self.replica.is_where(&self.authority) && self.find(&name).await?.is_some() {
            return Ok(false);
        }
        let found = self.authority.get_all(&[claim_key(&name), reserved_key(handle)]).await?;
        let mut found = found.into_iter();
        let mut next = || found.next().flatten();
        let (claimed, reserved) = (next(), next());
        let reserved: Option<ReservedItem> = reserved.map(from_item).transpose()?;
        Ok(claimed.is_none() && reserved.is_none_or(|reserved| reserved.until <= now))
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
        self.keys(Items::SigningKeys, MOST_KEYS).await
    }

    async fn retired_keys(&self) -> Outcome<Vec<PublicKey>> {
        self.keys(Items::RetiredKeys, MOST_RETIRED).await
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
        let (current, retired) = (signing_key(region, kid), retired_key(region, kid));
        let Some(item) = self.authority.get(current.clone()).await? else { return Ok(()) };
        let key: PublicKey = from_item(item)?;
        let transaction = self.authority.transaction();
        transaction
            .put("retired", &retired, to_item(&retired, &key)?, Condition::none())
            .delete("current", &current, Condition::none())
            .commit()
            .await?;
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
