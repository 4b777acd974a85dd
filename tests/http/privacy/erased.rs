//! Nothing is left of a deleted account, anywhere.

use std::collections::BTreeMap;

use domain::{region::Region, resource::Kind, role::Role};
use kit::ItemKind;
use tests::{App, Value, json};

use super::{account::Account, erase, everything::Everything, looked_once};
use crate::{
    many,
    search::{Needles, search},
};

/// A day, in seconds.
const DAY: i64 = 86_400;

/// Which of these are in which files of the data folder, but for the mail: that is its recipient's.
async fn found(app: &App, needles: &Needles) -> BTreeMap<String, Vec<String>> {
    app.post("/_local/compact", json!(null)).await.expect(204);
    let mut found = search(needles, &app.data());
    found.retain(|file, _| !file.starts_with("mail/"));
    found
}

/// The same without the records of Stripe, whose stand-in keeps its events for a month.
async fn found_by_us(app: &App, needles: &Needles) -> BTreeMap<String, Vec<String>> {
    let mut found = found(app, needles).await;
    found.remove("stripe.jsonl");
    found
}

/// The items of one person, without those that also name the other, and without messages and the like.
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

/// The due records that name one of these ids.
async fn due_notes(app: &App, ids: &[String]) -> Vec<String> {
    let mut notes = Everything::of(app).await.tell_of(ids);
    notes.retain(|item| item.contains("\"DUE#"));
    notes
}

#[tokio::test]
async fn due_records_are_deleted_with_the_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-due").await;
    let kept = app.user("bob-due").await;
    for (who, name) in [(&ada, "of-ada"), (&kept, "of-bob")] {
        let dataset = who.make(Kind::Dataset, name).await;
        who.upload(&dataset, "1234").await;
        who.begin_upload(&dataset, 5).await.expect(200);
        let trashed = who.make(Kind::Model, "thrown-away").await;
        who.trash(&trashed).await.expect(200);
    }
    let id = [ada.id().bare()];
    // Two uploads are swept, and a model expires.
    assert_eq!(due_notes(&app, &id).await.len(), 3);
    let others = due_notes(&app, &[kept.id().bare()]).await;
    ada.ask_to_be_deleted().await.expect(202);
    looked_once(&ada).await;
    assert_eq!(due_notes(&app, &id).await, Vec::<String>::new());
    assert_eq!((others.len(), due_notes(&app, &[kept.id().bare()]).await), (3, others));
}

#[tokio::test]
async fn emptied_trash_leaves_no_note_with_the_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-emptied").await;
    for n in 0..2 {
        let dataset = ada.make(Kind::Dataset, &format!("set-{n}")).await;
        ada.upload(&dataset, "1234").await;
        ada.trash(&dataset).await.expect(200);
        ada.send(reqwest::Method::DELETE, "/api/trash/empty", None).await.expect(200);
        many::none_left(&app, ItemKind::Purges, &ada.workspace().to_string()).await;
    }
    ada.ask_to_be_deleted().await.expect(202);
    looked_once(&ada).await;
    assert_eq!(due_notes(&app, &[ada.id().bare()]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_account_leaves_no_bytes_and_others_lose_nothing() {
    tests::needs_every_region!();
    let app = App::start().await;
    // At midnight, wallets that changed are verified, also those of others.
    let next_noon = DAY - (app.now().await.as_second() - DAY / 2).rem_euclid(DAY);
    app.advance(next_noon).await;
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
        assert_eq!(found_by_us(&app, &values).await, BTreeMap::new());
    }
    // Due records are erased together with the records that they name.
    assert_eq!(due_notes(&app, &ada.ids).await, Vec::<String>::new());
    // Messages and receipts of requests name ids, and go within days.
    app.advance(31 * 86_400).await;
    app.run_worker("purge-trash").await;
    if embedded {
        assert_eq!(found_by_us(&app, &ids).await, BTreeMap::new());
    }
}
