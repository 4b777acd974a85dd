//! Free credit: once for a mailbox over all regions, also after a deletion, and for few accounts a day of a network and of an organization.
//!
//! Not run in outages: it claims names all the time.

use std::collections::BTreeSet;

use domain::region::Region;
use futures::future::{join, join_all};
use kit::ItemKind;
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::{
    emails,
    fixtures::billing::{balance, promotes},
    privacy::{looked_once, until_delivered},
    wallets::recomputed,
};

const WORKER: &str = "credit-company-address";

/// A person with an account at an address, before onboarding.
async fn newcomer(app: &App, handle: &str, email: &str) -> Person {
    let token = app.sign_up(email).await.expect(202).text_at("/signUpToken");
    let code = app.code(email).await;
    let tokens = app.verify(email, &code, &token).await.expect(200);
    Person::new(app.clone(), handle, email, &tokens)
}

/// The same once more, after the account was deleted: the `mails`th code.
async fn again(app: &App, handle: &str, email: &str, mails: usize) -> Person {
    // The next code waits for a minute.
    app.advance(61).await;
    app.sign_up(email).await.expect(202);
    let code = app.codes(email, mails).await.remove(0);
    let form = json!({ "email": email, "code": code, "password": PASSWORD });
    Person::new(app.clone(), handle, email, &app.post("/api/auth/verify", form).await.expect(200))
}

async fn onboards(who: &Person, code: Option<&str>) -> Answer {
    let mut form = json!({ "username": who.handle, "displayName": "F" });
    if let Some(code) = code {
        form["promoCode"] = json!(code);
    }
    who.post("/api/onboarding", form).await
}

/// The same person on a network of their own.
fn apart(who: &Person) -> Person {
    Person { app: who.app.in_network(&who.email), ..who.clone() }
}

/// A person with an account and a workspace, who signed up with an address from a network of their own.
pub async fn opens(app: &App, handle: &str, email: &str) -> Person {
    let who = newcomer(app, handle, email).await;
    onboards(&apart(&who), None).await.expect(201);
    who
}

async fn cents(who: &Person) -> Value {
    balance(who).await["creditsCents"].clone()
}

/// Waits until somebody has so much credit.
async fn has_credit(who: &Person, expected: i64) {
    until_delivered(&who.app, "the credit does not come", || async { cents(who).await == expected }).await;
}

/// Somebody with a personal address gets the rest of the credit for a company address.
pub async fn gets_company_bonus(app: &App, name: &str) -> Person {
    let who = opens(app, name, &format!("{name}@gmail.com")).await;
    emails::add_verified(&who, &format!("{name}@{name}.example")).await;
    has_credit(&who, 2_500).await;
    who
}

/// Waits until the worker claimed credit for a mailbox after the `since`th call.
pub async fn claimed(app: &App, since: u64) {
    until_delivered(app, "the worker claims nothing", || async {
        app.calls_of(WORKER, since).await.iter().any(|call| call["operation"] == "TransactWriteItems")
    })
    .await;
}

/// Stops the clock at the next midnight, so that no day ends in between.
async fn begin_a_day(app: &App) {
    app.stop_clock().await;
    let now = app.now().await.as_second();
    app.advance(86_400 - now.rem_euclid(86_400)).await;
}

async fn makes(app: &App, code: &str, most: u64) -> Answer {
    let promotion = json!({ "code": code, "amountMicroUsd": 10_000_000, "most": most });
    app.as_service(Method::POST, "/internal/promotions", promotion).await.expect(200)
}

#[tokio::test]
async fn spellings_of_a_mailbox_get_credit_once() {
    let app = App::start().await;
    for (n, (email, expected)) in [
        ("ada.love@gmail.com", 500),
        ("adalove@gmail.com", 0),
        ("A.Da.Love+one@gmail.com", 0),
        ("adalove+two@googlemail.com", 0),
        ("bea@acme-spellings.example", 2_500),
        ("Bea+one@acme-spellings.example", 0),
        ("b.ea@acme-spellings.example", 2_500),
        ("adalove@acme-spellings.example", 2_500),
    ]
    .into_iter()
    .enumerate()
    {
        let who = opens(&app, &format!("spelling-{n}"), email).await;
        assert_eq!(cents(&who).await, expected, "{email}");
    }
}

#[tokio::test]
async fn deleted_account_leaves_neither_credit_nor_promo_code_to_get_again() {
    let app = App::start().await;
    let email = "free-again@gmail.com";
    let mut who = opens(&app, "free-again", email).await;
    for region in Region::ALL {
        makes(&app.living_in(region), "ONCE-EACH", 9).await;
    }
    who.post("/api/billing/promo", json!({ "code": "ONCE-EACH" })).await.expect(200);
    assert_eq!(cents(&who).await, 1_500);
    for (mails, region) in [(2, app.home()), (3, Region::Ap), (4, Region::Eu)] {
        who.ask_to_be_deleted().await.expect(202);
        looked_once(&who).await;
        let app = app.living_in(region);
        // A tag does not make it another mailbox.
        let (email, mails) = if mails == 4 { ("free-again+tag@gmail.com", 1) } else { (email, mails) };
        who = again(&app, &format!("free-again-{region}-{mails}"), email, mails).await;
        assert_eq!(onboards(&apart(&who), Some("ONCE-EACH")).await.brief(), "422 PROMO_INVALID", "{region}");
        onboards(&apart(&who), None).await.expect(201);
        assert_eq!(cents(&who).await, 0, "{region}");
        let redeemed = who.post("/api/billing/promo", json!({ "code": "ONCE-EACH" })).await;
        assert_eq!(redeemed.brief(), "409 PROMO_UNAVAILABLE", "{region}");
        assert!(who.get("/api/billing/transactions").await.expect(200).text.contains("[]"));
    }
}

#[tokio::test]
async fn network_gets_credit_for_twenty_accounts_a_day() {
    let app = App::start().await;
    begin_a_day(&app).await;
    let dormitory = app.in_network("dormitory");
    for n in 0..20 {
        let who = dormitory.user(&format!("dormitory-{n}")).await;
        assert_eq!(cents(&who).await, 2_500, "{n}");
    }
    let last = dormitory.user("dormitory-last").await;
    assert_eq!(cents(&last).await, 0);
    // A username that is taken uses up nothing, and neither does another network.
    assert_eq!(cents(&app.user("at-home").await).await, 2_500);
    app.advance(86_400).await;
    let tomorrow = dormitory.newcomer("dormitory-tomorrow").await;
    for _ in 0..21 {
        let form = json!({ "username": last.handle, "displayName": "T" });
        assert_eq!(tomorrow.post("/api/onboarding", form).await.brief(), "409 USERNAME_TAKEN");
    }
    onboards(&tomorrow, None).await.expect(201);
    assert_eq!(cents(&tomorrow).await, 2_500);
}

#[tokio::test]
async fn organization_gets_its_amount_for_twenty_addresses_a_day() {
    let app = App::start().await;
    begin_a_day(&app).await;
    for n in 0..20 {
        let email = format!("catch-{n}@s{n}.catch-all.example");
        let who = opens(&app, &format!("catch-{n}"), &email).await;
        assert_eq!(cents(&who).await, 2_500, "{n}");
    }
    let last = opens(&app, "catch-last", "last@catch-all.example").await;
    assert_eq!(cents(&last).await, 500);
    assert_eq!(cents(&opens(&app, "catch-other", "a@catch-others.example").await).await, 2_500);
    // Nor does an address that is added later get more.
    let since = app.last_call().await;
    let mover = opens(&app, "catch-mover", "catch-mover@gmail.com").await;
    emails::add_verified(&mover, "mover@catch-all.example").await;
    claimed(&app, since).await;
    assert_eq!(cents(&mover).await, 500);
    app.advance(86_400).await;
    let tomorrow = opens(&app, "catch-tomorrow", "tomorrow@catch-all.example").await;
    assert_eq!(cents(&tomorrow).await, 2_500);
}

#[tokio::test]
async fn spellings_of_a_mailbox_and_repetitions_use_up_no_limit() {
    let app = App::start().await;
    begin_a_day(&app).await;
    // All from one network, which gets credit for one of them.
    let campus = app.in_network("campus");
    let mut people = Vec::new();
    for n in 0..22 {
        people.push(newcomer(&campus, &format!("tagged-{n}"), &format!("one+{n}@tagged.example")).await);
    }
    let opened = join_all(people.iter().map(|who| onboards(who, None))).await;
    assert!(opened.iter().all(|answer| answer.status == 201));
    let mut credit = Vec::new();
    for who in &people {
        credit.push(cents(who).await);
    }
    assert_eq!(credit.iter().filter(|cents| **cents == json!(2_500)).count(), 1, "{credit:?}");
    // Somebody whose account does not open tries again and again.
    let stuck = newcomer(&campus, "tagged-stuck", "stuck@tagged.example").await;
    let fault = json!({
        "service": "dynamodb", "operation": "TransactWriteItems", "function": "onboarding", "kind": "refused",
        "containing": "workspaces", "times": 0,
    });
    app.faults(json!([fault])).await;
    for _ in 0..22 {
        assert_eq!(onboards(&stuck, None).await.status, 503);
    }
    app.no_faults().await;
    onboards(&stuck, None).await.expect(201);
    assert_eq!(cents(&stuck).await, 2_500);
    let colleague = newcomer(&campus, "tagged-colleague", "colleague@tagged.example").await;
    onboards(&colleague, None).await.expect(201);
    assert_eq!(cents(&colleague).await, 2_500);
}

#[tokio::test]
async fn company_address_brings_the_rest_of_the_credit_once() {
    let app = App::start().await;
    let ada = gets_company_bonus(&app, "ada-bonus").await;
    let postings = recomputed(&ada).await;
    let amounts: Vec<i64> = postings.iter().map(|posting| posting.amount.micros()).collect();
    assert_eq!(amounts, [5_000_000, 20_000_000]);
    let rows = ada.get("/api/billing/transactions").await.expect(200);
    assert_eq!(
        (rows.at("/transactions/0/type"), rows.at("/transactions/1/type")),
        (&json!("signup"), &json!("signup"))
    );
    // Neither another company address nor the same one again brings more.
    for email in ["ada@other-bonus.example", "ada-bonus+tag@ada-bonus.example"] {
        emails::add_verified(&ada, email).await;
    }
    // The messages about these were handled when that of a later one is.
    gets_company_bonus(&app, "bea-bonus").await;
    assert_eq!(cents(&ada).await, 2_500);
    assert_eq!(recomputed(&ada).await.len(), 2);
}

#[tokio::test]
async fn company_address_that_moves_to_another_account_brings_nothing() {
    let app = App::start().await;
    // One address brought the rest of the credit, the other opened an account.
    let (ada, owner) = (gets_company_bonus(&app, "ada-moved").await, app.user("own-moved").await);
    let bonus = "ada-moved@ada-moved.example";
    let listed = ada.get("/api/settings/emails").await.expect(200);
    let mut rows = listed.at("/emails").as_array().unwrap().iter();
    let id = rows.find(|row| row["email"] == bonus).unwrap()["id"].as_str().unwrap().to_owned();
    emails::remove(&ada, &id).await.expect(200);
    let first = owner.get("/api/settings/emails").await.text_at("/emails/0/id");
    let other = emails::add_verified(&owner, "own-other@people.example").await;
    emails::set_primary(&owner, &other).await.expect(200);
    emails::remove(&owner, &first).await.expect(200);
    for (handle, email) in [("bob-moved", bonus), ("cyd-moved", owner.email.as_str())] {
        let who = opens(&app, handle, &format!("{handle}@gmail.com")).await;
        let since = app.last_call().await;
        emails::verify_once_free(&who, email).await.expect(200);
        claimed(&app, since).await;
        let tokens = app.sign_in(&who.email, PASSWORD).await.expect(200);
        let who = Person::new(app.clone(), handle, &who.email, &tokens);
        assert_eq!(cents(&who).await, 500, "{email}");
    }
}

#[tokio::test]
async fn account_with_a_company_address_gets_no_more_for_another() {
    let app = App::start().await;
    let who = app.user("own-enough").await;
    emails::add_verified(&who, "own-enough@enough.example").await;
    gets_company_bonus(&app, "ada-enough").await;
    assert_eq!(cents(&who).await, 2_500);
}

#[tokio::test]
async fn promo_code_is_redeemed_when_the_account_opens() {
    let app = App::start().await;
    makes(&app, "OPENING-1", 1).await;
    let ada = app.newcomer("ada-opening").await;
    for wrong in ["NO-SUCH", "a b", "#"] {
        let refused = onboards(&ada, Some(wrong)).await;
        assert_eq!(refused.brief(), "422 PROMO_INVALID", "{wrong}");
        assert_eq!(
            refused.at("/detail"),
            "This promo code is not valid any more, or never was. Check the code, or continue without it."
        );
    }
    // Nothing was created.
    assert_eq!(ada.get("/api/settings").await.brief(), "403 ONBOARDING_REQUIRED");
    let free = app.get(&format!("/api/username/check?username={}", ada.handle)).await.expect(200);
    assert_eq!(free.at("/available"), true);
    onboards(&ada, Some(" opening-1\n")).await.expect(201);
    assert_eq!(cents(&ada).await, 3_500);
    let types: Vec<&str> = recomputed(&ada).await.iter().map(|posting| posting.r#type.as_str()).collect();
    assert_eq!(types, ["signup", "promo"]);
    let again = ada.post("/api/billing/promo", json!({ "code": "OPENING-1" })).await.expect(200);
    assert_eq!((again.at("/alreadyRedeemed"), again.at("/creditsCents")), (&json!(true), &json!(3_500)));
    let bea = app.newcomer("bea-opening").await;
    let refused = onboards(&bea, Some("OPENING-1")).await;
    assert_eq!(
        (refused.brief().as_str(), refused.at("/detail")),
        (
            "422 PROMO_INVALID",
            &json!(
                "This promo code is not valid any more, or never was. Check the code, or continue without it."
            )
        )
    );
    onboards(&bea, None).await.expect(201);
    assert_eq!(cents(&bea).await, 2_500);
}

#[tokio::test]
async fn last_redemption_goes_to_one_of_two_new_accounts() {
    let app = App::start().await;
    for round in 0..4 {
        let code = format!("LAST-{round}");
        makes(&app, &code, 1).await;
        let people = [
            app.newcomer(&format!("one-last-{round}")).await,
            app.newcomer(&format!("two-last-{round}")).await,
        ];
        let (one, two) = join(onboards(&people[0], Some(&code)), onboards(&people[1], Some(&code))).await;
        let opened: BTreeSet<String> = [one.brief(), two.brief()].into();
        assert_eq!(opened, BTreeSet::from(["201".to_owned(), "422 PROMO_INVALID".to_owned()]));
        let (winner, loser) = if one.status == 201 { (0, 1) } else { (1, 0) };
        onboards(&people[loser], None).await.expect(201);
        let credit = [cents(&people[winner]).await, cents(&people[loser]).await];
        assert_eq!(credit, [json!(3_500), json!(2_500)]);
        assert_eq!(makes(&app, &code, 1).await.at("/redeemed"), 1);
    }
}

#[tokio::test]
async fn codes_tried_before_and_after_onboarding_share_a_limit() {
    let app = App::start().await;
    begin_a_day(&app).await;
    let who = app.newcomer("tries-codes").await;
    for n in 0..20 {
        assert_eq!(onboards(&who, Some(&format!("GUESS-{n}"))).await.brief(), "422 PROMO_INVALID");
    }
    let refused = onboards(&who, Some("GUESS-20")).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), Some("86400"));
    onboards(&who, None).await.expect(201);
    let refused = who.post("/api/billing/promo", json!({ "code": "GUESS-20" })).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
}

#[tokio::test]
async fn repeated_onboarding_gets_the_credit_of_the_first_request() {
    let app = App::start().await;
    makes(&app, "REPEATED", 2).await;
    let form = |who: &Person| json!({ "username": who.handle, "displayName": "F", "promoCode": "REPEATED" });
    let ada = app.newcomer("ada-repeats").await;
    let once = async || ada.post_once("/api/onboarding", form(&ada), "the-key").await.expect(201);
    let (first, second) = (once().await, once().await);
    assert_eq!(first.body, second.body);
    assert_eq!((cents(&ada).await, recomputed(&ada).await.len()), (json!(3_500), 2));
    // The claims are made, and the account does not open. The mailbox is the user's still.
    let bea = app.newcomer("bea-repeats").await;
    let fault = json!({
        "service": "dynamodb", "operation": "TransactWriteItems", "function": "onboarding", "kind": "refused",
        "nth": 4, "times": 0,
    });
    app.faults(json!([fault])).await;
    assert_eq!(bea.post("/api/onboarding", form(&bea)).await.status, 503);
    app.no_faults().await;
    bea.post("/api/onboarding", form(&bea)).await.expect(201);
    assert_eq!((cents(&bea).await, recomputed(&bea).await.len()), (json!(3_500), 2));
    assert_eq!(makes(&app, "REPEATED", 2).await.at("/redeemed"), 2);
}

#[tokio::test]
async fn promo_code_of_a_mailbox_is_refused_to_another_account() {
    let app = App::start().await;
    let home = app.user("at-the-promoter").await;
    promotes(&home, "MAILBOX-1", 9).await.expect(200);
    let (one, other) = (
        opens(&app, "one-mailbox", "mail.box@gmail.com").await,
        opens(&app, "other-mailbox", "mailbox+2@gmail.com").await,
    );
    let redeem = async |who: &Person| who.post("/api/billing/promo", json!({ "code": "MAILBOX-1" })).await;
    redeem(&one).await.expect(200);
    let refused = redeem(&other).await;
    assert_eq!(refused.brief(), "409 PROMO_UNAVAILABLE");
    assert_eq!(refused.at("/detail"), "This promo code was redeemed with your email address before.");
    assert_eq!(redeem(&one).await.expect(200).at("/alreadyRedeemed"), true);
    let line = "updated billing Promo code redeemed".to_owned();
    assert_eq!((one.activity().await.contains(&line), other.activity().await.contains(&line)), (true, false));
}

#[tokio::test]
async fn directory_has_hashes_of_mailboxes_and_users_only() {
    let app = App::start().await;
    let who = gets_company_bonus(&app, "hashes-only").await;
    app.replicated().await;
    let scan = app.tables().scan().table_name("account-directory").send().await.unwrap();
    let items = scan.items.unwrap_or_default().into_iter();
    let items: Vec<Value> = items.map(|item| serde_dynamo::from_item(item).unwrap()).collect();
    let is_credit = |item: &&Value| item["pk"].as_str().unwrap().starts_with(ItemKind::FreeCredits.prefix());
    let credit: Vec<&Value> = items.iter().filter(is_credit).collect();
    assert_eq!(credit.len(), 2, "one for each mailbox");
    for item in credit {
        let names: BTreeSet<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["amount", "grant", "holder", "pk", "sk"]));
        for text in ["hashes-only", "gmail", who.id().bare().as_str()] {
            assert!(!item.to_string().contains(text), "{item}");
        }
    }
}
