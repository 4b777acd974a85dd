//! Saved cards and billing details: Stripe has them, and the platform stores none of them.

use domain::{ports::RateWindows, throttle::end_of_hour};
use reqwest::Method;
use tests::{Answer, App, Person, cards, json};

use super::{again, store_of};
use crate::search::{Needles, search};

const METHODS: &str = "/api/billing/payment-methods";

/// Opens a page on which a card can be saved.
async fn setup_page(who: &Person) -> String {
    who.send(Method::POST, &format!("{METHODS}/setup"), None).await.expect(200).text_at("/url")
}

async fn lists(who: &Person) -> Answer {
    who.get(METHODS).await.expect(200)
}

/// The saved cards, newest first: the last digits, with a star if it is the default.
fn shown(list: &Answer) -> Vec<String> {
    let methods = list.at("/paymentMethods").as_array().unwrap();
    let line = |method: &tests::Value| {
        let star = if method["isDefault"] == true { "*" } else { "" };
        format!("{}{star}", method["card"]["last4"].as_str().unwrap())
    };
    methods.iter().map(line).collect()
}

/// Waits until the saved cards are these.
async fn until_saved(who: &Person, expected: &[&str]) {
    let is_so = async || shown(&lists(who).await) == expected;
    who.app.until(&format!("the cards do not become {expected:?}"), is_so).await;
}

/// The id of a saved card.
async fn id_of(who: &Person, last4: &str) -> String {
    let list = lists(who).await;
    let methods = list.at("/paymentMethods").as_array().unwrap();
    let found = methods.iter().find(|method| method["card"]["last4"] == last4).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

/// Saves a card.
async fn saves(who: &Person, card: &str) {
    who.app.stripe().pay(&setup_page(who).await, card).await.expect(303);
}

async fn makes_default(who: &Person, id: &str) -> Answer {
    who.post(&format!("{METHODS}/default"), json!({ "paymentMethodId": id })).await
}

async fn removes(who: &Person, id: &str) -> Answer {
    who.delete(&format!("{METHODS}/{id}")).await
}

#[tokio::test]
async fn first_saved_card_is_the_default_and_the_default_moves() {
    let app = App::start().await;
    let who = app.user("saver").await;
    assert_eq!(
        lists(&who).await.body,
        json!({
            "paymentMethods": [], "billingInfo": { "address": {}, "taxIds": [] },
        })
    );
    // A declined card is not saved. The page stays open.
    let page = setup_page(&who).await;
    let declined = app.stripe().pay(&page, cards::DECLINED).await.expect(200);
    assert!(declined.text.contains("role=\"alert\""), "{}", declined.text);
    app.stripe().pay(&page, cards::VISA).await.expect(303);
    until_saved(&who, &["4242*"]).await;
    saves(&who, cards::MASTERCARD).await;
    until_saved(&who, &["4444", "4242*"]).await;
    saves(&who, "378282246310005").await;
    until_saved(&who, &["0005", "4444", "4242*"]).await;
    let first = lists(&who).await.at("/paymentMethods/2").clone();
    assert_eq!((&first["type"], &first["card"]["brand"]), (&json!("card"), &json!("visa")));
    assert_eq!(first["card"].as_object().unwrap().len(), 4, "{first}");

    let (visa, mastercard) = (id_of(&who, "4242").await, id_of(&who, "4444").await);
    for _ in 0..2 {
        makes_default(&who, &mastercard).await.expect(200);
        assert_eq!(shown(&lists(&who).await), ["0005", "4444*", "4242"]);
    }
    // Another than the default goes, then the default: the newest of the others takes its place.
    removes(&who, &visa).await.expect(200);
    assert_eq!(shown(&lists(&who).await), ["0005", "4444*"]);
    removes(&who, &mastercard).await.expect(200);
    assert_eq!(shown(&lists(&who).await), ["0005*"]);
    assert_eq!(removes(&who, &mastercard).await.brief(), "404 NOT_FOUND");
    let last = id_of(&who, "0005").await;
    removes(&who, &last).await.expect(200);
    assert_eq!(shown(&lists(&who).await), Vec::<String>::new());
    assert_eq!(makes_default(&who, &last).await.brief(), "404 NOT_FOUND");
    // After that, the first card is the default again.
    saves(&who, cards::VISA).await;
    until_saved(&who, &["4242*"]).await;
}

#[tokio::test]
async fn card_of_another_workspace_looks_like_none() {
    let app = App::start().await;
    let (ada, bea) = (app.user("cards-ada").await, app.user("cards-bea").await);
    for who in [&ada, &bea] {
        saves(who, cards::VISA).await;
        until_saved(who, &["4242*"]).await;
    }
    let foreign = id_of(&ada, "4242").await;
    let missing = "pm_000000000000000000000000";
    for id in [foreign.as_str(), missing, "pm_", "pm-1", "cus_1", "card_1", "x"] {
        let (chosen, removed) = (makes_default(&bea, id).await, removes(&bea, id).await);
        assert_eq!([chosen.brief(), removed.brief()], ["404 NOT_FOUND"; 2], "{id}");
        // Nothing tells a foreign card from none.
        let of_none = makes_default(&bea, missing).await;
        assert_eq!(chosen.at("/detail"), of_none.at("/detail"));
    }
    for who in [&ada, &bea] {
        assert_eq!(shown(&lists(who).await), ["4242*"]);
    }
    // Somebody who never had a customer.
    let cyd = app.user("cards-cyd").await;
    assert_eq!(removes(&cyd, &foreign).await.brief(), "404 NOT_FOUND");
}

#[tokio::test]
async fn billing_details_are_set_replaced_and_unset() {
    let app = App::start().await;
    let who = app.user("detailed").await;
    let all = json!({
        "name": "Ada's Motors", "email": "books@motors.example",
        "address": { "line1": "1 Way", "city": "Bonn", "postalCode": "53111", "country": "de" },
        "taxId": { "type": "eu_vat", "value": "DE123456789" },
    });
    let changed = who.patch(METHODS, all.clone()).await.expect(200);
    let expected = json!({
        "name": "Ada's Motors", "email": "books@motors.example",
        "address": { "line1": "1 Way", "city": "Bonn", "postalCode": "53111", "country": "DE" },
        "taxIds": [{ "type": "eu_vat", "value": "DE123456789" }],
    });
    assert_eq!(changed.at("/billingInfo"), &expected);
    // Doing it twice changes nothing; what is left out stays.
    assert_eq!(who.patch(METHODS, all).await.expect(200).at("/billingInfo"), &expected);
    who.patch(METHODS, json!({})).await.expect(200);
    assert_eq!(lists(&who).await.at("/billingInfo"), &expected);
    // The address is replaced as a whole, and so is the tax id.
    let other = json!({
        "address": { "country": "GB" }, "taxId": { "type": "gb_vat", "value": "GB123456789" },
    });
    let changed = who.patch(METHODS, other).await.expect(200);
    assert_eq!(changed.at("/billingInfo/address"), &json!({ "country": "GB" }));
    assert_eq!(changed.at("/billingInfo/taxIds"), &json!([{ "type": "gb_vat", "value": "GB123456789" }]));
    assert_eq!(changed.at("/billingInfo/name"), "Ada's Motors");
    let none = json!({ "name": null, "email": "", "address": {}, "taxId": null });
    let changed = who.patch(METHODS, none).await.expect(200);
    assert_eq!(changed.at("/billingInfo"), &json!({ "address": {}, "taxIds": [] }));
}

#[tokio::test]
async fn value_that_stripe_refuses_is_an_error_of_its_field() {
    let app = App::start().await;
    let who = app.user("refused-vat").await;
    let vat = |value: &str| json!({ "taxId": { "type": "eu_vat", "value": value } });
    who.patch(METHODS, vat("DE123456789")).await.expect(200);
    for (change, complaint) in [
        (vat("DE1"), "taxId INVALID"),
        (vat("XX123456789"), "taxId INVALID"),
        (json!({ "taxId": { "type": "no_such_type", "value": "1" } }), "taxId INVALID"),
    ] {
        let answer = who.patch(METHODS, change.clone()).await;
        assert_eq!((answer.status, answer.complaints().as_str()), (400, complaint), "{change}");
    }
    // These do not reach Stripe.
    let before = app.stripe().last_call().await;
    for change in [
        json!({ "email": "nobody" }),
        json!({ "name": "a\nb" }),
        json!({ "address": { "country": "DEU" } }),
        json!({ "taxId": "DE123456789" }),
        json!({ "phone": "1" }),
    ] {
        assert_eq!(who.patch(METHODS, change.clone()).await.brief(), "400 VALIDATION_ERROR", "{change}");
    }
    assert!(app.stripe().calls(before).await.is_empty());
    let kept = lists(&who).await.at("/billingInfo/taxIds").clone();
    assert_eq!(kept, json!([{ "type": "eu_vat", "value": "DE123456789" }]));
}

#[tokio::test]
async fn what_people_enter_for_invoices_is_stored_at_stripe_alone() {
    let app = App::start().await;
    let (who, stripe) = (app.user("invoiced").await, app.stripe());
    let entered = [
        ("name", "Quillon Zephyrine Motors"),
        ("email", "ledger@quillon-zephyrine.example"),
        ("line", "77 Marigold Passage"),
        ("city", "Thistlewick"),
        ("postal code", "QX7 4ZW"),
        ("tax id", "DE811907980"),
        ("payer", "Wilhelmina Okonkwo-Brandt"),
        ("payer's email", "wilhelmina@okonkwo-brandt.example"),
        ("card", cards::VISA),
    ];
    let of = |name: &str| entered.iter().find(|entry| entry.0 == name).unwrap().1;
    let details = json!({
        "name": of("name"), "email": of("email"),
        "address": { "line1": of("line"), "city": of("city"), "postalCode": of("postal code"), "country": "GB" },
        "taxId": { "type": "eu_vat", "value": of("tax id") },
    });
    who.patch(METHODS, details).await.expect(200);
    let form = [
        ("action", "pay"),
        ("card", of("card")),
        ("name", of("payer")),
        ("email", of("payer's email")),
        ("country", "GB"),
    ];
    stripe.submit(&setup_page(&who).await, &form).await.expect(303);
    until_saved(&who, &["4242*"]).await;
    assert!(lists(&who).await.text.contains(of("line")));
    let page = who.checkout(2_000).await.expect(200).text_at("/url");
    stripe.submit(&page, &form).await.expect(303);
    who.until_balance(45_000_000).await;
    app.stop().await;

    let mut needles = Needles::default();
    for (name, text) in entered {
        needles.keep(name, text);
    }
    // The stand-in for Stripe keeps its objects in one file of the same folder.
    let mut found = search(&needles, &app.data());
    let at_stripe = found.remove("stripe.jsonl").unwrap();
    assert_eq!(at_stripe.len(), entered.len(), "the search does not reach all of them: {at_stripe:?}");
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn workspace_calls_stripe_so_often_in_an_hour_and_no_more() {
    let app = App::start().await;
    let (who, stripe) = (app.user("eager").await, app.stripe());
    // The hour does not end meanwhile.
    app.stop_clock().await;
    who.checkout(2_000).await.expect(200);
    let hour = end_of_hour(app.now().await);
    for (name, most) in [("stripe", 60), ("stripe-reads", 600)] {
        let name = format!("{name}/{}", who.workspace());
        let store = store_of(&app);
        // All but one of the rest of the hour.
        let used = RateWindows::take(&store, &name, hour, 1, most).await.unwrap().used;
        RateWindows::take(&store, &name, hour, most - used - 1, most).await.unwrap();
    }
    assert_eq!(makes_default(&who, "pm_1").await.brief(), "404 NOT_FOUND");
    lists(&who).await;
    let before = stripe.last_call().await;
    let refused = [
        who.checkout(2_000).await,
        who.send(Method::POST, &format!("{METHODS}/setup"), None).await,
        makes_default(&who, "pm_1").await,
        who.patch(METHODS, json!({ "name": "Ada" })).await,
        who.get(METHODS).await,
        who.get("/api/billing/invoices").await,
    ];
    for answer in refused {
        assert_eq!(answer.brief(), "429 RATE_LIMITED");
        assert!(answer.header("retry-after").is_some());
    }
    assert!(stripe.calls(before).await.is_empty());
    // Another workspace has an allowance of its own, and the next hour another one.
    app.user("patient").await.checkout(2_000).await.expect(200);
    app.advance(3_600).await;
    again(&who).await.checkout(2_000).await.expect(200);
}
