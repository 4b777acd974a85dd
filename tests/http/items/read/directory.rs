//! Reads the directory.

use domain::{
    Timestamp,
    directory::{Holder, Name},
    follow::FollowedHash,
    free_credit::{CreditClaim, CreditCounter, CreditGrant, MOST_A_DAY, MailboxHash, OrganizationHash},
    handle::Handle,
    money::MicroUsd,
    ports::{CreditClaimed, Directory as _},
    promotion::PromoCode,
    provider::IdentityHash,
    region::Region,
    secret::Digest256,
    throttle::NetworkHash,
    user::EmailHash,
};
use kit::ItemKind;
use tests::{Value, json};

use super::{GIVEN_UP, Tables, at, end, hash, nth, part};

pub async fn item(tables: &Tables, kind: ItemKind, of: &str, sk: &str) -> Value {
    let directory = &tables.directory;
    match kind {
        ItemKind::HandleClaims => claim(tables, Name::Handle(Handle::parse_existing(of).unwrap())).await,
        ItemKind::AddressClaims => claim(tables, Name::Address(EmailHash(hash(of)))).await,
        ItemKind::IdentityClaims => claim(tables, Name::Identity(IdentityHash(hash(of)))).await,
        ItemKind::ReservedHandles => {
            let handle = Handle::parse_existing(GIVEN_UP).unwrap();
            assert_eq!(Digest256::of(GIVEN_UP).to_hex().as_str(), of);
            let until = at(122);
            let just_before = Timestamp::from_millisecond(until.as_millisecond() - 1).unwrap();
            assert!(!directory.is_free(&handle, just_before).await.unwrap());
            assert!(directory.is_free(&handle, until).await.unwrap());
            json!({ "until": until.as_millisecond() })
        }
        ItemKind::PendingClaims => {
            let overdue = directory.overdue(part::<Region>(of), end()).await.unwrap().into_iter();
            let of_it = overdue.filter(|claim| sk.ends_with(&name_of(&claim.name)));
            let mut found = of_it.map(|claim| json!({ "id": claim.id, "deadline": claim.deadline }));
            found.next_back().unwrap_or_default()
        }
        ItemKind::FollowerTotals => {
            let found = directory.follower_totals(FollowedHash(hash(of))).await.unwrap().into_iter();
            json!(found.filter(|total| total.region.as_str() == sk).map(|total| total.count).next())
        }
        ItemKind::FreeCredits => free_credit(tables, of, sk).await,
        ItemKind::CreditDays => credit_day(tables, of).await,
        ItemKind::SigningKeys => public_key(directory.signing_keys().await.unwrap(), sk),
        ItemKind::RetiredKeys => public_key(directory.retired_keys().await.unwrap(), sk),
        other => panic!("{other:?} has no reader here"),
    }
}

/// How many claims of a day were counted: the limit without those for which there is room.
async fn credit_day(tables: &Tables, of: &str) -> Value {
    let (name, ends) = of.rsplit_once('#').unwrap();
    let now = Timestamp::from_second(part::<i64>(ends) - 1).unwrap();
    let counter = match name.split_once('/').unwrap() {
        ("network", of) => CreditCounter::Network(NetworkHash(hash(of))),
        (_, of) => CreditCounter::Organization(OrganizationHash(hash(of))),
    };
    let mut room = 0;
    loop {
        let mailbox = MailboxHash(Digest256::of(format!("{of} {room}")));
        let claim = CreditClaim::new(mailbox, CreditGrant::SignUp, nth(1), MicroUsd::ZERO);
        match tables.directory.grant_credit(&claim, &[counter], now).await.unwrap() {
            CreditClaimed::Yes(_) => room += 1,
            _ => return json!({ "used": MOST_A_DAY - room }),
        }
    }
}

/// The free credit of a mailbox: that of the one claim that is repeated.
async fn free_credit(tables: &Tables, of: &str, sk: &str) -> Value {
    let grants = match sk.strip_prefix("PROMO#") {
        Some(code) => vec![CreditGrant::Promo(PromoCode::parse(code).unwrap())],
        None => vec![CreditGrant::SignUp, CreditGrant::Company],
    };
    let mut found = Vec::new();
    for (grant, n) in grants.iter().flat_map(|grant| (1..=3).map(move |n| (grant, n))) {
        let user = nth::<domain::id::OfUser>(n);
        let claim = CreditClaim::new(MailboxHash(hash(of)), grant.clone(), user, MicroUsd::ZERO);
        if let CreditClaimed::Yes(amount) = tables.directory.grant_credit(&claim, &[], at(0)).await.unwrap() {
            found.push(json!({ "holder": claim.holder, "grant": claim.grant, "amount": amount }));
        }
    }
    assert_eq!(found.len(), 1, "{of} {sk}");
    found.remove(0)
}

fn name_of(name: &Name) -> String {
    match name {
        Name::Handle(handle) => handle.as_str().to_owned(),
        Name::Address(address) => address.to_string(),
        Name::Identity(identity) => identity.to_string(),
    }
}

fn public_key(keys: Vec<domain::ports::PublicKey>, sk: &str) -> Value {
    json!(keys.iter().find(|key| sk == format!("{}#{}", key.region, key.kid)))
}

/// Whose a name is. Until when it waits to be confirmed, the pending claim says to those who ask.
async fn claim(tables: &Tables, name: Name) -> Value {
    let Holder { region, id, confirmed } = tables.directory.find(&name).await.unwrap().unwrap();
    let pending = tables.directory.overdue(region, end()).await.unwrap();
    let pending = pending.into_iter().find(|claim| claim.name == name);
    assert_eq!(confirmed, pending.is_none(), "{name:?}");
    json!({ "home": region, "id": id, "deadline": pending.map(|claim| claim.deadline) })
}
