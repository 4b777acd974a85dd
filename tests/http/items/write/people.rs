//! People: accounts, their identities and their addresses.

use domain::{
    id,
    ports::{
        Accounts, AddressSaved, AuthorizationRequests, Connected, ConnectedAccount, ConnectedBy, Connections,
        MailBlocks, NewAccount, NewPassword, Opened, OtherWay, PasswordResets, Replaces, Saved, Sessions,
        SignUps, UserAddresses,
    },
    provider::Connection,
    secret::Digest256,
    user_addresses::Verification,
};
use serde_json::from_value;
use tests::{Value, json};

use super::{super::Tables, at, none, nth, session, user};

/// Opens an account.
pub async fn open_account(tables: &Tables, n: u64) -> NewAccount {
    let store = &tables.store;
    let email = format!("person-{n}@people.example");
    let attempt = json!({
        "id": nth::<id::OfAttempt>(n), "password": format!("hash {n}"), "region": "us", "at": at(0), "tries": 0,
        "superseded": false,
    });
    let hash = Digest256::of(&email);
    let sign_up = json!({
        "email_hash": hash, "email": email, "user": user(n), "attempts": [attempt], "version": 1,
    });
    let person = json!({ "id": user(n), "region": "us", "primary_email": email, "created_at": at(5) });
    let account = NewAccount {
        sign_up: from_value(sign_up).unwrap(),
        user: from_value(person).unwrap(),
        password: from_value(json!(format!("hash {n}"))).unwrap(),
        session: session(n, n, None),
    };
    SignUps::save(store, &account.sign_up, none()).await.unwrap();
    assert_eq!(store.open_account(&account, none()).await.unwrap(), Opened::Yes);
    account
}

/// Accounts, a sign-up that waits, a session that was refreshed, a password that was reset.
pub async fn accounts(tables: &Tables) {
    let store = &tables.store;
    open_account(tables, 1).await;
    open_account(tables, 2).await;
    let attempt = |n: u64, superseded: bool| {
        json!({
            "id": nth::<id::OfAttempt>(n), "password": format!("hash of attempt {n}"), "region": "eu",
            "at": at(i64::try_from(n).unwrap()), "tries": n, "superseded": superseded,
        })
    };
    let address = Digest256::of("waiting");
    let sign_up = json!({
        "email_hash": address, "email": "Waiting@people.example", "user": user(9),
        "attempts": [attempt(11, true), attempt(12, false)], "version": 1,
    });
    SignUps::save(store, &from_value(sign_up).unwrap(), none()).await.unwrap();
    let block = json!({ "address": address, "reason": "bounce", "at": at(83) });
    MailBlocks::put(store, &from_value(block).unwrap()).await.unwrap();
    let (before, after) = (session(1, 1, None), session(1, 1, Some("previous 1")));
    Sessions::replace(store, &before, &after).await.unwrap();
    let asked = json!({ "address": address, "at": [at(21), at(82)], "version": 1 });
    store.ask(&from_value(asked).unwrap(), none()).await.unwrap();
    let new = NewPassword {
        user: user(1),
        password: from_value(json!("hash after the reset")).unwrap(),
        by: from_value(json!({ "id": nth::<id::OfReset>(1), "at": at(22) })).unwrap(),
        replaces: Replaces::AfterToken(None),
        sessions: Vec::new(),
        throttles: vec!["none".to_owned()],
    };
    PasswordResets::set(store, &new, none()).await.unwrap();
    addresses(tables).await;
    assert!(store.password(user(1)).await.unwrap().is_some());
}

/// An account that a provider's identity opened, a second identity, and an authorization that was begun.
pub async fn connections(tables: &Tables) {
    let store = &tables.store;
    let connection = |provider: &str| {
        json!({
            "user": user(5), "provider": provider, "identity": Digest256::of(provider), "connected_at": at(51),
        })
    };
    let email = "connected@people.example";
    let account = ConnectedAccount {
        user: from_value(
            json!({ "id": user(5), "region": "us", "primary_email": email, "created_at": at(51) }),
        )
        .unwrap(),
        address: from_value(json!(Digest256::of(email))).unwrap(),
        connection: from_value(connection("google")).unwrap(),
        session: session(5, 5, None),
    };
    assert_eq!(store.open_connected(&account, none()).await.unwrap(), Opened::Yes);
    let github: Connection = from_value(connection("github")).unwrap();
    assert_eq!(store.connect(&github, ConnectedBy::User, none()).await.unwrap(), Connected::Yes);
    // Another account connected one, and disconnected it.
    let other = json!({
        "user": user(2), "provider": "github", "identity": Digest256::of("other"), "connected_at": at(51),
    });
    let other: Connection = from_value(other).unwrap();
    assert_eq!(store.connect(&other, ConnectedBy::User, none()).await.unwrap(), Connected::Yes);
    let disconnected = store.disconnect(&other, OtherWay::Password, none()).await.unwrap();
    assert_eq!(disconnected, Saved::Yes);
    let request = json!({
        "state": Digest256::of("state"), "provider": "google", "browser": Digest256::of("browser"),
        "redirect_uri": "https://us.example/api/auth/oauth/google/callback", "return_to": "/sign-in",
        "expires_at": at(52),
    });
    AuthorizationRequests::save(store, &from_value(request).unwrap()).await.unwrap();
}

/// A verified address, one that waits, and a former primary one.
async fn addresses(tables: &Tables) {
    let store = &tables.store;
    let hash = |n: u64| Digest256::of(format!("address {n}"));
    let waiting = |n: u64, tries: u64| {
        json!({
            "id": nth::<id::OfAddress>(n), "email": format!("More-{n}@people.example"), "hash": hash(n),
            "added_at": at(84), "attempt": nth::<id::OfAttempt>(20 + n), "sent_at": at(85), "tries": tries,
        })
    };
    let sent = [21, 22].map(|n| json!({ "address": hash(n), "at": at(86) }));
    let former =
        json!([{ "id": nth::<id::OfAddress>(2), "email": "Former@people.example", "until": at(87) }]);
    let pending = |version: u64, addresses: Vec<Value>| {
        let record = json!({
            "user": user(2), "addresses": addresses, "sent": sent, "former": former, "version": version,
        });
        from_value(record).unwrap()
    };
    let before = pending(1, vec![waiting(21, 0), waiting(22, 3)]);
    store.save_pending(&before, 0, none()).await.unwrap();
    let address = json!({
        "id": nth::<id::OfAddress>(21), "email": "More-21@people.example", "hash": hash(21), "added_at": at(84),
        "verified_at": at(88),
    });
    let verified = json!({ "user": user(2), "addresses": [address], "had_company": true, "version": 1 });
    let verification = Verification {
        address: from_value(address).unwrap(),
        verified: from_value(verified).unwrap(),
        pending: pending(2, vec![waiting(22, 4)]),
        is_first_company: true,
    };
    assert_eq!(store.verify(&verification, none()).await.unwrap(), AddressSaved::Yes);
}
