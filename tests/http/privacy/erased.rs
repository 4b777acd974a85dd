//! What is left of a deleted account: nothing, anywhere.

use std::collections::BTreeMap;

use domain::{region::Region, role::Role};
use tests::{App, Value, json};

use super::{account::Account, erase, everything::Everything};
use crate::search::{Needles, search};

/// Which of these are in which files of the data folder, but for the mail: that is its recipient's.
async fn found(app: &App, needles: &Needles) -> BTreeMap<String, Vec<String>> {
    app.post("/_local/compact", json!(null)).await.expect(204);
    let mut found = search(needles, &app.data());
    found.retain(|file, _| !file.starts_with("mail/"));
    found
}

/// What is stored of somebody, but for what tells of the other as well, and for messages and the like.
async fn stored(app: &App, of: &Account, but: &Account) -> BTreeMap<String, Value> {
    let (of, but) = (of.who.id().bare(), but.who.id().bare());
    let Everything { items, objects } = Everything::of(app).await;
    let mut stored: BTreeMap<String, Value> =
        items.into_iter().filter(|(key, _)| !key.contains("-operations ")).collect();
    stored.retain(|_, item| item.to_string().contains(&of) && !item.to_string().contains(&but));
    stored.extend(
        objects.into_iter().filter(|(key, _)| key.contains(&of)).map(|(key, size)| (key, json!(size))),
    );
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_deleted_account_nothing_is_left_in_any_byte_and_others_lose_nothing() {
    let app = App::start().await;
    let mut ada = Account::new(&app, "planted", "#7fae3d").await;
    let bob = Account::new(&app, "strange", "#3dae7f").await;
    bob.who.join(ada.who.workspace(), Role::Admin).await;
    ada.who.join(bob.who.workspace(), Role::Editor).await;
    let form = json!({ "slug": ada.values.plant("slug"), "name": ada.values.plant("guest") });
    bob.who.post(&format!("/api/datasets?owner={}", ada.who.handle), form).await.expect(201);
    ada.who.export("zip").await;
    ada.signs_in().await;

    let (mut values, mut ids) = (Needles::default(), Needles::default());
    ada.values.all.iter().chain(&ada.contents).for_each(|value| values.keep(value, value));
    ada.ids.iter().for_each(|id| ids.keep(id, id));
    let before = stored(&app, &bob, &ada).await;
    assert!(before.len() > 100, "{}", before.len());
    let embedded = std::env::var_os("ACCOUNT_TEST_AWS").is_none();
    if embedded {
        let all =
            found(&app, &values).await.into_values().flatten().collect::<std::collections::BTreeSet<_>>();
        let missed: Vec<_> =
            ada.values.all.iter().chain(&ada.contents).filter(|value| !all.contains(*value)).collect();
        assert!(missed.is_empty(), "the search does not reach {missed:?}");
    }

    erase(&ada.who).await;
    assert_eq!(stored(&app, &bob, &ada).await, before, "somebody else lost something, or got something");
    let mut left = Vec::new();
    for region in Region::ALL {
        left.extend(Everything::of(&app.living_in(region)).await.tell_of(&ada.values.all));
    }
    assert_eq!(left, Vec::<String>::new());
    if embedded {
        assert_eq!(found(&app, &values).await, BTreeMap::new());
    }
    // What is to be done later names what it is to be done with: after a month, nothing does.
    app.advance(31 * 86_400).await;
    app.run_worker("purge-trash").await;
    if embedded {
        assert_eq!(found(&app, &ids).await, BTreeMap::new());
    }
}
