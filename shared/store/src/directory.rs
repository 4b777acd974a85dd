//! Claim on a name, reserved handle, public signing key.  Table `directory`: PK `HANDLE#<handle>`, `ADDRESS#<address hash>` or
//! `IDENTITY#<identity hash>`  SK `CLAIM`; PK `PENDING#<region>`  SK as the claim's PK, while it waits to be confirmed; PK `RESERVED#<sha256 of a handle>`
//! SK `RESERVED`, gone when the handle is free again; PK `FOLLOWERS#<account hash>`  SK `<region>`; PK `CREDIT#<mailbox hash>`
//! SK `ACCOUNT` or `PROMO#<code>` (free credit, never changed); PK `CREDITDAY#<network or organization hash>#<end>`  SK `DAY`, gone after the day; PK `SIGNING-KEYS`  SK `<region>#<kid>`; PK `RETIRED-KEYS`, the same.
//! Reads: the holder of a name (get in the region's replica), whether a handle is free (the same, then a strongly consistent
//! batch get of claim and reservation in the authority), the numbers of followers of an account (query), a region's unconfirmed claims (query in the authority), signing keys
//! (query, once a container), retired keys (query).
//! Writes: in the authority only. A number of followers is a conditional put: a later one stays. One transaction claims free credit, unless somebody did, and counts it; one writes a claim, its pending mark, and the reservation of a freed handle; one
//! retires a signing key.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, operation::put_item::PutItemError};
use domain::{
    Timestamp,
    directory::{Claim, Holder, Name, PENDING},
    follow::{FollowedHash, FollowerCount, RegionalCount},
    free_credit::{CreditClaim, CreditCounter, CreditGrant, MOST_A_DAY},
    handle::Handle,
    money::MicroUsd,
    ports::{Claimed, CreditClaimed, Failure, Outcome, PublicKey},
    provider::IdentityHash,
    region::Region,
    secret::Digest256,
    throttle::end_of_day,
    user::EmailHash,
};
use serde::{Deserialize, Serialize};
use tables::{ItemKind, TTL};

use crate::{
    client::Store,
    condition::Expression,
    failure::failure,
    item::{Key, from_item, number, text, to_expiring_item, to_item},
    transaction::Condition,
    usage::millis,
};

/// More than exist: each of three regions has a current key, one or two earlier ones and a next one.
const MOST_KEYS: usize = 100;
/// Enough for 27 years with one rotation a month in each region.
const MOST_RETIRED: usize = 1_000;
/// The most overdue claims for one run, up to a page more.
const MOST_OVERDUE: usize = 1_000;
const A_PAGE: usize = 500;
/// The most handles whose holders a container caches. A confirmed handle stays with its holder. A container keeps one that was
/// given up elsewhere, but no container lives until the end of the handle's reservation.
const REMEMBERED: usize = 1_000;

/// The directory: this region's replica for reads, the authority for writes.
pub struct DirectoryStore {
    replica: Store,
    /// Created on first use.
    authority: LazyLock<Store, Box<dyn FnOnce() -> Store + Send + Sync>>,
    handles: Mutex<HashMap<Name, Holder>>,
}

/// A claim's item. An unconfirmed claim has a deadline.
#[derive(Serialize, Deserialize)]
struct ClaimItem {
    home: Region,
    id: String,
    deadline: Option<Timestamp>,
}

/// The mark of an unconfirmed claim.
#[derive(Serialize, Deserialize)]
struct PendingItem {
    sk: String,
    id: String,
    deadline: Timestamp,
}

/// The reservation of a handle, stored under its hash.
#[derive(Serialize, Deserialize)]
struct ReservedItem {
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    until: Timestamp,
}

/// The number of followers that a region published.
#[derive(Serialize, Deserialize)]
struct TotalItem {
    #[serde(rename = "sk")]
    region: Region,
    followers: i64,
    version: u64,
}

/// The free credit of a mailbox.
#[derive(Serialize, Deserialize)]
struct CreditItem {
    holder: Digest256,
    grant: CreditGrant,
    amount: MicroUsd,
}

impl DirectoryStore {
    /// The directory in `table`, read in this region and written in the authority.
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

    async fn keys(&self, kind: ItemKind, most: usize) -> Outcome<Vec<PublicKey>> {
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
    let rest = |kind: ItemKind| partition.strip_prefix(kind.prefix());
    let handle = rest(ItemKind::HandleClaims).and_then(|handle| Handle::parse_existing(handle).ok());
    let address = rest(ItemKind::AddressClaims).and_then(Digest256::from_base64);
    let identity = rest(ItemKind::IdentityClaims).and_then(Digest256::from_base64);
    let name = handle.map(Name::Handle).or(address.map(|hash| Name::Address(EmailHash(hash))));
    let name = name.or(identity.map(|hash| Name::Identity(IdentityHash(hash))));
    name.ok_or_else(|| Failure::Broken(format!("{partition} is no name")))
}

fn claim_key(name: &Name) -> Key {
    match name {
        Name::Handle(handle) => Key::new(ItemKind::HandleClaims, handle.as_str(), "CLAIM"),
        Name::Address(address) => Key::new(ItemKind::AddressClaims, address, "CLAIM"),
        Name::Identity(identity) => Key::new(ItemKind::IdentityClaims, identity, "CLAIM"),
    }
}

fn reserved_key(handle: &Handle) -> Key {
    Key::new(ItemKind::ReservedHandles, Digest256::of(handle.as_str()).to_hex(), "RESERVED")
}

/// The handle has no current reservation.
fn unreserved(now: Timestamp) -> Condition {
    let over = "attribute_not_exists(pk) OR #until <= :now";
    Condition::of(over, [(":now", millis(now))]).naming("#until", "until")
}

fn signing_key(region: Region, kid: &str) -> Key {
    Key::new(ItemKind::SigningKeys, "", format!("{region}#{kid}"))
}

fn retired_key(region: Region, kid: &str) -> Key {
    Key::new(ItemKind::RetiredKeys, "", format!("{region}#{kid}"))
}

fn pending_key(region: Region, name: &Name) -> Key {
    Key::new(ItemKind::PendingClaims, region, claim_key(name).pk)
}

/// The claim is absent or, as `held` says, this holder's.
fn free_or(held: &'static str, claim: &Claim) -> Condition {
    Condition::of(held, [(":home", text(claim.region)), (":id", text(&claim.id))])
}

/// The stored claim is this one, unconfirmed.
fn is_this(claim: &Claim) -> Condition {
    let values =
        [(":home", text(claim.region)), (":id", text(&claim.id)), (":deadline", text(claim.deadline))];
    Condition::of("home = :home AND id = :id AND deadline = :deadline", values)
}

#[async_trait]
impl domain::ports::Directory for DirectoryStore {
    async fn find(&self, name: &Name) -> Outcome<Option<Holder>> {
        if let Some(holder) = self.remembered(name) {
            return Ok(Some(holder));
        }
        let found = self.replica.get_eventual(claim_key(name)).await?.map(from_item).transpose()?;
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
        let held = match &claim.name {
            Name::Handle(_) => {
                "attribute_not_exists(pk) OR (home = :home AND id = :id AND attribute_exists(deadline))"
            }
            // The holder may have removed the address, which is being freed: the new claim must outlast that.
            Name::Address(_) | Name::Identity(_) => "attribute_not_exists(pk) OR (home = :home AND id = :id)",
        };
        let mut transaction = self
            .authority
            .transaction()
            .put("claim", &key, item, free_or(held, claim))
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
        // Another holder has the name, or this one confirmed it.
        match self.ask_authority(&claim.name).await? {
            Some(holder) if holder.region == claim.region && holder.id == claim.id => Ok(Claimed::Yes),
            Some(_) => Ok(Claimed::Taken),
            None => Err(Failure::Raced),
        }
    }

    async fn confirm(&self, claim: &Claim) -> Outcome<bool> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let item = to_item(&key, &ClaimItem { home: claim.region, id: claim.id.clone(), deadline: None })?;
        let condition = match &claim.name {
            Name::Handle(_) => free_or("attribute_not_exists(pk) OR (home = :home AND id = :id)", claim),
            Name::Address(_) | Name::Identity(_) => is_this(claim),
        };
        let refused = self
            .authority
            .transaction()
            .put("claim", &key, item, condition)
            .delete("pending", &mark, Condition::none())
            .commit()
            .await?;
        if refused.is_none() || matches!(claim.name, Name::Handle(_)) {
            return Ok(refused.is_none());
        }
        match self.ask_authority(&claim.name).await? {
            // It is confirmed already, or is another claim of the holder, which is settled on its own.
            Some(holder) => Ok(holder.region == claim.region && holder.id == claim.id),
            None => Err(Failure::Raced),
        }
    }

    async fn unconfirm(&self, claim: &Claim) -> Outcome<()> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let deadline = Some(claim.deadline);
        let item = to_item(&key, &ClaimItem { home: claim.region, id: claim.id.clone(), deadline })?;
        let pending = PendingItem { sk: mark.sk.clone(), id: claim.id.clone(), deadline: claim.deadline };
        // Also if it was never confirmed. A later claim of the same holder has a later deadline, and stays.
        let earlier =
            "home = :home AND id = :id AND (attribute_not_exists(deadline) OR deadline < :deadline)";
        let values =
            [(":home", text(claim.region)), (":id", text(&claim.id)), (":deadline", text(claim.deadline))];
        let earlier = Condition::of(earlier, values);
        let transaction = self.authority.transaction().put("claim", &key, item, earlier).put(
            "pending",
            &mark,
            to_item(&mark, &pending)?,
            Condition::none(),
        );
        // A refusal means that it is claimed again or another's.
        transaction.commit().await?;
        Ok(())
    }

    async fn release(&self, claim: &Claim) -> Outcome<()> {
        let (key, mark) = (claim_key(&claim.name), pending_key(claim.region, &claim.name));
        let transaction = self.authority.transaction();
        transaction
            .delete("claim", &key, is_this(claim))
            .delete("pending", &mark, Condition::none())
            .commit()
            .await?;
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
        // A refusal means that another holder has it, or that this was done before.
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
        // Claims are ordered by name, so this reads all. There are few: a claim is normally confirmed within a second.
        let mut overdue = Vec::new();
        let mut below = "~".to_owned();
        loop {
            let range = ("!".to_owned(), below.clone());
            let page = self.authority.range(ItemKind::PendingClaims, region, range, A_PAGE).await?;
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

    async fn follower_totals(&self, account: FollowedHash) -> Outcome<Vec<RegionalCount>> {
        let all = ("!".to_owned(), "~".to_owned());
        let page = self.replica.range(ItemKind::FollowerTotals, account, all, Region::ALL.len()).await?;
        let total = |item| {
            let TotalItem { region, followers, version } = from_item(item)?;
            Ok(RegionalCount { region, count: FollowerCount { followers, version } })
        };
        page.items.into_iter().map(total).collect()
    }

    async fn publish_followers(
        &self,
        account: FollowedHash,
        region: Region,
        count: FollowerCount,
    ) -> Outcome<()> {
        let key = Key::new(ItemKind::FollowerTotals, account, region.as_str());
        let FollowerCount { followers, version } = count;
        let item = to_item(&key, &TotalItem { region, followers, version })?;
        let table = self.authority.name(key.table);
        let request = self.authority.client.put_item().table_name(table).set_item(Some(item));
        let answer = request
            .condition_expression("attribute_not_exists(pk) OR version < :version")
            .expression_attribute_values(":version", number(version))
            .send()
            .await;
        let Err(error) = answer else { return Ok(()) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(failure(error)),
        }
    }

    async fn grant_credit(
        &self,
        claim: &CreditClaim,
        counters: &[CreditCounter],
        now: Timestamp,
    ) -> Outcome<CreditClaimed> {
        let CreditClaim { mailbox, grant, holder, amount } = claim;
        let key = Key::new(ItemKind::FreeCredits, mailbox, grant.to_string());
        let credit = CreditItem { holder: *holder, grant: grant.clone(), amount: *amount };
        let mut transaction =
            self.authority.transaction().put("claim", &key, to_item(&key, &credit)?, Condition::absent());
        let ends = end_of_day(now).as_second();
        for counter in counters {
            let label = match counter {
                CreditCounter::Network(_) => "network",
                CreditCounter::Organization(_) => "organization",
            };
            let key = Key::new(ItemKind::CreditDays, format!("{counter}#{ends}"), "DAY");
            let values = [(":one", number(1)), (":ttl", number(ends.saturating_add(60)))];
            let values = values.map(|(name, value)| (name.to_owned(), value));
            let count = Expression::new("ADD used :one SET #ttl = :ttl".to_owned(), values);
            let room = "attribute_not_exists(used) OR used < :most";
            let room = Condition::of(room, [(":most", number(MOST_A_DAY))]);
            transaction = transaction.change(label, &key, count.naming("#ttl", TTL), room);
        }
        let full = match transaction.commit().await? {
            None => return Ok(CreditClaimed::Yes(*amount)),
            Some("network") => CreditClaimed::NetworkFull,
            Some("organization") => CreditClaimed::OrganizationFull,
            Some(_) => {
                let first = self.authority.get(key).await?.ok_or(Failure::Raced)?;
                let first: CreditItem = from_item(first)?;
                let is_same = first.holder == *holder && first.grant == *grant;
                return Ok(if is_same { CreditClaimed::Yes(first.amount) } else { CreditClaimed::Taken });
            }
        };
        Ok(full)
    }

    async fn signing_keys(&self) -> Outcome<Vec<PublicKey>> {
        self.keys(ItemKind::SigningKeys, MOST_KEYS).await
    }

    async fn retired_keys(&self) -> Outcome<Vec<PublicKey>> {
        self.keys(ItemKind::RetiredKeys, MOST_RETIRED).await
    }

    async fn publish_signing_key(&self, key: &PublicKey) -> Outcome<()> {
        let place = signing_key(key.region, &key.kid);
        let item = to_item(&place, key)?;
        let table = self.authority.name(place.table);
        let request = self.authority.client.put_item().table_name(table).set_item(Some(item));
        request.send().await.map_err(failure)?;
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
    fn name_reads_back_from_its_partition() {
        for name in [
            Name::Handle(Handle::parse("ada-l").unwrap()),
            Name::Address(EmailHash(Digest256::of("ada@people.example"))),
        ] {
            assert_eq!(name_of(&claim_key(&name).pk).unwrap(), name);
        }
        assert!(name_of("SIGNING-KEYS").is_err());
    }
}
