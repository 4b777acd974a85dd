//! What a bundle has: all that its owner entered, and nothing of anybody else, nor anything secret.

use domain::role::Role;
use tests::{App, json};

use super::{account::Account, bundle::Bundle};
use crate::search::Needles;

/// Two people who see each other's doings: in the workspace of one, and in a team of the other.
async fn two(app: &App) -> (Account, Account) {
    let mut ada = Account::new(app, "planted", "#7fae3d").await;
    let mut bob = Account::new(app, "strange", "#3dae7f").await;
    let team = bob.who.found_team("strange-team").await;
    ada.who.join(team, Role::Editor).await;
    bob.who.join(ada.who.workspace(), Role::Admin).await;
    ada.values.keep(team);
    for (who, theirs, owner) in
        [(&bob.who, &mut ada.values, "planted"), (&ada.who, &mut bob.values, "strange-team")]
    {
        let owner = if owner == "planted" { ada.who.handle.as_str() } else { owner };
        let form = json!({ "slug": theirs.plant("slug"), "name": theirs.plant("guest") });
        who.post(&format!("/api/datasets?owner={owner}"), form).await.expect(201);
    }
    (ada, bob)
}

/// What somebody is known by.
fn of_somebody(account: &Account) -> Needles {
    let mut needles = Needles::default();
    for value in account.values.all.iter().chain(&account.contents).chain(&account.ids) {
        needles.keep(value, value);
    }
    needles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundle_has_all_entered_data_and_no_secrets() {
    let app = App::start().await;
    let (ada, bob) = two(&app).await;
    let (hidden, of_bob) = (ada.hidden().await, of_somebody(&bob));
    let zip = ada.who.export("zip").await;
    let bundle = Bundle::of(&zip).await;
    let json = String::from_utf8(ada.who.export("json").await).unwrap();
    for (format, text) in [("zip", bundle.text()), ("json", json.clone())] {
        let all = ada.values.all.iter().chain(&ada.ids);
        let missing: Vec<_> = all.filter(|value| !text.contains(*value)).collect();
        assert!(missing.is_empty(), "not in the {format}: {missing:?}");
        let told = hidden.found_in(text.as_bytes());
        assert!(told.is_empty(), "the {format} tells secrets: {told:?}");
        let told = of_bob.found_in(text.as_bytes());
        assert!(told.is_empty(), "the {format} tells of somebody else: {told:?}");
        // No file's content either.
        let told: Vec<_> = ada.contents.iter().filter(|content| text.contains(*content)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
    // The searches find what they look for.
    assert!(!ada.hidden().await.found_in(ada.who.token.as_bytes()).is_empty());
    assert!(!of_bob.found_in(bob.who.email.as_bytes()).is_empty());
    // Both formats tell the same.
    let whole: tests::Value = serde_json::from_str(&json).unwrap();
    for name in bundle.0.keys().filter(|name| name.ends_with(".ndjson")) {
        let rows = bundle.rows(name);
        let same = &whole[name.strip_suffix(".ndjson").unwrap().replace("api-keys", "apiKeys")];
        let fewer = rows.len() <= same.as_array().unwrap_or_else(|| panic!("no {name} in the JSON")).len();
        assert!(fewer && rows.iter().all(|row| same.as_array().unwrap().contains(row)), "{name}");
    }
}
