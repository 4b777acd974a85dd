//! Email addresses of an account.
//!
//! Not run in outages: it claims names all the time.

use domain::region::Region;
use futures::future::join_all;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::{
    fixtures::SOME_ULID,
    many,
    password::{self, NEW},
    privacy,
};

const PATH: &str = "/api/settings/emails";

/// Adds an address.
pub async fn add(who: &Person, email: &str) -> Answer {
    who.post(PATH, json!({ "email": email })).await
}

/// The newest code that was mailed to an address.
pub async fn code(app: &App, email: &str) -> String {
    newest(&codes(app, email, 1).await)
}

fn newest(codes: &[String]) -> String {
    codes.first().unwrap().clone()
}

/// The codes that were mailed to an address, newest first, once there are so many.
pub async fn codes(app: &App, email: &str, count: usize) -> Vec<String> {
    for n in 1..4_000 {
        let mail = app.mail(email).await;
        let codes = mail.iter().filter(|mail| mail["kind"] == "address-code");
        let digits = |mail: &Value| {
            let line = mail["text"].as_str().unwrap().lines().next().unwrap().to_owned();
            line.chars().filter(char::is_ascii_digit).collect::<String>()
        };
        let codes: Vec<String> = codes.map(digits).collect();
        if codes.len() >= count {
            return codes;
        }
        app.wait_for_message(n).await;
    }
    panic!("{count} codes did not come to {email}");
}

/// Enters a code.
pub async fn verify(who: &Person, id: &str, code: &str) -> Answer {
    who.post(&format!("{PATH}/{id}/verify"), json!({ "code": code })).await
}

pub async fn resend(who: &Person, id: &str) -> Answer {
    who.post(&format!("{PATH}/{id}/resend"), json!({})).await
}

pub async fn set_primary(who: &Person, id: &str) -> Answer {
    who.post(&format!("{PATH}/{id}/primary"), json!({})).await
}

pub async fn remove(who: &Person, id: &str) -> Answer {
    who.delete(&format!("{PATH}/{id}")).await
}

/// Adds an address and verifies it; its id.
pub async fn add_verified(who: &Person, email: &str) -> String {
    let id = add(who, email).await.expect(201).text_at("/id");
    let code = code(&who.app, email).await;
    who.app.claiming(verify(who, &id, &code)).await.expect(200);
    id
}

/// The addresses of the account with their labels: `ada@people.example primary verified company`.
pub async fn list(who: &Person) -> Vec<String> {
    let answer = who.get(PATH).await.expect(200);
    let line = |row: &Value| {
        let labels = row["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap());
        let all: Vec<&str> = [row["email"].as_str().unwrap()].into_iter().chain(labels).collect();
        all.join(" ")
    };
    answer.at("/emails").as_array().unwrap().iter().map(line).collect()
}

fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

/// The same person with a new session.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// Verifies an address once the directory has given it up.
pub async fn verify_once_free(who: &Person, email: &str) -> Answer {
    for _ in 0..20 {
        let who = again(who).await;
        let before = who.app.mail(email).await.len();
        let id = add(&who, email).await.expect(201).text_at("/id");
        for n in 1..500 {
            if who.app.mail(email).await.len() > before {
                break;
            }
            who.app.wait_for_message(n).await;
        }
        if who.app.mail(email).await[0]["kind"] == "address-code" {
            return verify(&who, &id, &code(&who.app, email).await).await;
        }
        remove(&who, &id).await.expect(200);
        // Five codes an hour.
        who.app.advance(721).await;
    }
    panic!("{email} does not become free");
}

#[tokio::test]
async fn address_is_added_verified_made_primary_and_removed() {
    let app = App::start().await;
    let ada = app.user("ada-emails").await;
    assert_eq!(list(&ada).await, ["ada-emails@people.example primary verified company"]);
    let added = add(&ada, "Ada@Home.example").await.expect(201);
    let id = added.text_at("/id");
    assert!(id.starts_with("adr_"));
    assert_eq!((added.at("/verified"), added.at("/primary")), (&json!(false), &json!(false)));
    assert_eq!(list(&ada).await[1], "Ada@Home.example unverified company");
    let verified = verify(&ada, &id, &code(&app, "Ada@Home.example").await).await.expect(200);
    assert_eq!(verified.text_at("/id"), id);
    let told = app.mail_of_kind(&ada.email, "address-added").await;
    assert!(told["text"].as_str().unwrap().contains("Ada@Home.example"));
    set_primary(&ada, &id).await.expect(200);
    app.mail_of_kind("ada-emails@people.example", "primary-address-changed").await;
    assert_eq!(
        list(&ada).await,
        ["Ada@Home.example primary verified company", "ada-emails@people.example verified company"]
    );
    assert_eq!(ada.get("/api/settings").await.expect(200).at("/email"), "Ada@Home.example");
    let first = ada.get(PATH).await.text_at("/emails/1/id");
    app.sign_in("ADA@home.example", PASSWORD).await.expect(200);
    app.sign_in("ada-emails@people.example", PASSWORD).await.expect(200);
    assert_eq!(remove(&ada, &first).await.expect(200).at("/deleted"), &json!(true));
    app.mail_of_kind("Ada@Home.example", "address-removed").await;
    assert_eq!(app.sign_in("ada-emails@people.example", PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
    assert_eq!(remove(&ada, &first).await.brief(), "404 NOT_FOUND");
    let history = ada.activity().await;
    assert_eq!(
        history[..3],
        [
            "deleted security Email address removed",
            "updated security Primary email address changed",
            "created security Email address verified"
        ]
    );
}

#[tokio::test]
async fn first_address_can_be_removed_and_verified_by_another_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-moves").await, app.living_in(Region::Ap).user("bob-moves").await);
    let first = ada.get(PATH).await.text_at("/emails/0/id");
    let other = add_verified(&ada, "ada-other@people.example").await;
    set_primary(&ada, &other).await.expect(200);
    remove(&ada, &first).await.expect(200);
    verify_once_free(&bob, "ada-moves@people.example").await.expect(200);
    assert!(list(&bob).await.contains(&"ada-moves@people.example verified company".to_owned()));
    assert_eq!(list(&ada).await, ["ada-other@people.example primary verified company"]);
}

#[tokio::test]
async fn address_of_another_account_answers_like_a_free_one() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-known").await, app.user("bob-known").await);
    let free = add(&bob, "nobody-known@people.example").await.expect(201);
    let taken = add(&bob, &ada.email).await.expect(201);
    let shape = |answer: &Answer| {
        let mut body = answer.body.clone();
        ["id", "email", "createdAt", "expiresAt"].iter().for_each(|name| body[*name] = Value::Null);
        body
    };
    assert_eq!(shape(&free), shape(&taken));
    app.mail_of_kind(&ada.email, "address-in-use").await;
    assert!(app.mail(&ada.email).await.iter().all(|mail| mail["kind"] != "address-code"));
    let id = taken.text_at("/id");
    assert_eq!(verify(&bob, &id, "000000").await.brief(), "422 CODE_INVALID");
    // The owner is not affected.
    app.sign_in(&ada.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn address_that_a_stranger_added_can_be_signed_up_and_verified_elsewhere() {
    let app = App::start().await;
    let mallory = app.user("mallory-adds").await;
    let victim = "victim-adds@people.example";
    let id = add(&mallory, victim).await.expect(201).text_at("/id");
    let stolen = code(&app, victim).await;
    let victim = app.user("victim-adds").await;
    assert_eq!(verify(&mallory, &id, &stolen).await.brief(), "409 EMAIL_TAKEN");
    assert_eq!(list(&victim).await, ["victim-adds@people.example primary verified company"]);
}

#[tokio::test]
async fn code_counts_its_tries_and_expires() {
    let app = App::start().await;
    let ada = app.user("ada-tries").await;
    let email = "tries@people.example";
    let id = add(&ada, email).await.expect(201).text_at("/id");
    let right = code(&app, email).await;
    for _ in 0..4 {
        assert_eq!(verify(&ada, &id, &wrong(&right)).await.brief(), "422 CODE_INVALID");
    }
    // The fifth is the last, and a success counts no less than a failure.
    assert_eq!(verify(&ada, &id, &wrong(&right)).await.brief(), "422 CODE_INVALID");
    assert_eq!(verify(&ada, &id, &right).await.brief(), "422 CODE_INVALID");
    assert_eq!(resend(&ada, &id).await.brief(), "429 RATE_LIMITED");
    app.advance(61).await;
    resend(&ada, &id).await.expect(202);
    let next = newest(&codes(&app, email, 2).await);
    assert_eq!(verify(&ada, &id, &wrong(&next)).await.brief(), "422 CODE_INVALID");
    app.advance(540).await;
    let ada = again(&ada).await;
    let pasted = format!(" {} {}\u{200b}\n", &next[..3], &next[3..]);
    verify(&ada, &id, &pasted).await.expect(200);
    // Another time it is refused after ten minutes.
    let email = "late@people.example";
    let id = add(&ada, email).await.expect(201).text_at("/id");
    let right = code(&app, email).await;
    app.advance(601).await;
    let ada = again(&ada).await;
    assert_eq!(verify(&ada, &id, &right).await.brief(), "422 CODE_INVALID");
    // A verified address is verified by whatever code: a retry finds it done.
    let done = ada.get(PATH).await.text_at("/emails/1/id");
    verify(&ada, &done, "000000").await.expect(200);
    assert_eq!(resend(&ada, &done).await.brief(), "409 EMAIL_ALREADY_ADDED");
}

#[tokio::test]
async fn refusals_stand_beside_what_is_accepted() {
    let app = App::start().await;
    let ada = app.user("ada-refused").await;
    let first = ada.get(PATH).await.text_at("/emails/0/id");
    for email in [&ada.email, &ada.email.to_uppercase()] {
        assert_eq!(add(&ada, email).await.brief(), "409 EMAIL_ALREADY_ADDED");
    }
    let pending = add(&ada, "one@Bücher.example").await.expect(201).text_at("/id");
    assert_eq!(add(&ada, " ONE@xn--bcher-kva.example ").await.brief(), "409 EMAIL_ALREADY_ADDED");
    assert_eq!(set_primary(&ada, &pending).await.brief(), "409 EMAIL_UNVERIFIED");
    assert_eq!(remove(&ada, &first).await.brief(), "409 EMAIL_IS_PRIMARY");
    set_primary(&ada, &first).await.expect(200);
    remove(&ada, &pending).await.expect(200);
    for id in [pending.as_str(), &format!("adr_{SOME_ULID}"), "nothing"] {
        for answer in [
            verify(&ada, id, "000000").await,
            resend(&ada, id).await,
            set_primary(&ada, id).await,
            remove(&ada, id).await,
        ] {
            assert_eq!(answer.brief(), "404 NOT_FOUND", "{id}");
        }
    }
    // Nobody reaches another account's address.
    let bob = app.user("bob-refused").await;
    assert_eq!(remove(&bob, &first).await.brief(), "404 NOT_FOUND");
    let newcomer = app.newcomer("new-refused").await;
    assert_eq!(newcomer.get(PATH).await.brief(), "403 ONBOARDING_REQUIRED");
    assert_eq!(add(&newcomer, "x@people.example").await.brief(), "403 ONBOARDING_REQUIRED");
    app.advance(901).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &tokens);
    assert_eq!(add(&ada, "x@people.example").await.brief(), "403 STEP_UP_REQUIRED");
    assert_eq!(set_primary(&ada, &first).await.brief(), "403 STEP_UP_REQUIRED");
    ada.step_up().await;
    add(&ada, "x@people.example").await.expect(201);
}

#[tokio::test]
async fn addresses_that_wait_are_limited_and_expire() {
    let app = App::start().await;
    let ada = app.user("ada-waits").await;
    for n in 0..5 {
        add(&ada, &format!("wait{n}@people.example")).await.expect(201);
    }
    assert_eq!(add(&ada, "wait5@people.example").await.brief(), "409 EMAIL_LIMIT_REACHED");
    app.advance(86_401).await;
    let ada = again(&ada).await;
    assert_eq!(list(&ada).await.len(), 1);
    add(&ada, "wait5@people.example").await.expect(201);
    assert_eq!(list(&ada).await.len(), 2);
}

#[tokio::test]
async fn mail_to_one_address_is_limited_over_all_accounts() {
    let app = App::start().await;
    let target = "target@people.example";
    app.stop_clock().await;
    for n in 0..20 {
        let who = app.user(&format!("flood-{n}")).await;
        let who = Person { app: app.in_network(&who.handle), ..who };
        add(&who, target).await.expect(201);
    }
    let more = app.user("flood-more").await;
    let more = Person { app: app.in_network("flood-more"), ..more };
    assert_eq!(add(&more, target).await.brief(), "429 RATE_LIMITED");
    add(&more, "another-target@people.example").await.expect(201);
}

#[tokio::test]
async fn concurrent_adds_keep_the_limit() {
    let app = App::start().await;
    let ada = app.user("ada-many").await;
    let adds = (0..10).map(|n| {
        let ada = ada.clone();
        async move { add(&ada, &format!("many{n}@people.example")).await }
    });
    let answers = join_all(adds).await;
    let added = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409 | 503)));
    assert!(added <= 5 && list(&ada).await.len() == 1 + added, "{added}");
}

/// Several people add one address and enter their codes at once, each twice; exactly one has the address then.
async fn race(people: &[Person], email: &str) {
    let mut entries = Vec::new();
    for (n, who) in people.iter().enumerate() {
        let id = add(who, email).await.expect(201).text_at("/id");
        let code = newest(&codes(&who.app, email, n + 1).await);
        entries.push((who, id, code));
    }
    let tries = entries.iter().chain(&entries);
    let answers = join_all(tries.map(|(who, id, code)| verify(who, id, code))).await;
    let answers: Vec<String> = answers.iter().map(Answer::brief).collect();
    let mut winners = 0;
    for (who, id, _) in &entries {
        winners += usize::from(list(who).await.contains(&format!("{email} verified company")));
        remove(who, id).await.expect(200);
    }
    assert_eq!(winners, 1, "{answers:?}");
    let expected = ["200", "409 EMAIL_TAKEN"];
    assert!(answers.iter().all(|answer| expected.contains(&answer.as_str())), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_verifications_have_one_winner_over_all_regions() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let mut people = Vec::new();
    for (n, region) in Region::ALL.into_iter().chain([Region::Us]).enumerate() {
        let who = app.living_in(region).user(&format!("racer-{n}")).await;
        people.push(Person { app: who.app.in_network(&who.handle), ..who });
    }
    for round in 0..many::number("ACCOUNT_TEST_ROUNDS", 50) {
        race(&people, &format!("prize{round}@people.example")).await;
        if round % 14 == 13 {
            // An account has 20 codes an hour, and a session lasts ten minutes.
            app.advance(3_601).await;
            for who in &mut people {
                *who = again(who).await;
            }
        }
    }
}

#[tokio::test]
async fn address_is_verified_through_any_endpoint() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-abroad").await;
    let abroad = ada.by_way_of(Region::Ap);
    let id = add_verified(&abroad, "abroad@people.example").await;
    set_primary(&abroad, &id).await.expect(200);
    assert_eq!(list(&ada).await, list(&abroad).await);
    app.replicated().await;
    app.by_way_of(Region::Us).first_sign_in("abroad@people.example").await;
}

#[tokio::test]
async fn former_primary_address_is_told_even_if_it_is_removed_at_once() {
    let app = App::start().await;
    let ada = app.user("ada-stolen").await;
    let first = ada.get(PATH).await.text_at("/emails/0/id");
    let other = add_verified(&ada, "thief@people.example").await;
    set_primary(&ada, &other).await.expect(200);
    remove(&ada, &first).await.expect(200);
    app.mail_of_kind("ada-stolen@people.example", "primary-address-changed").await;
}

#[tokio::test]
async fn reset_tokens_end_with_the_primary_address() {
    let app = App::start().await;
    let ada = app.user("ada-tokens").await;
    let other = add_verified(&ada, "tokens@people.example").await;
    app.first_sign_in(&ada.email).await;
    let before = password::token(&app, &ada.email).await;
    let ada = again(&ada).await;
    set_primary(&ada, &other).await.expect(200);
    assert_eq!(password::reset(&app, &before, NEW).await.brief(), "422 TOKEN_INVALID");
    app.advance(61).await;
    // The former address still belongs to the account: the token goes to the new one.
    password::forgot(&app, "ada-tokens@people.example").await.expect(202);
    let after = password::tokens(&app, "tokens@people.example", 1).await.remove(0);
    password::reset(&app, &after, NEW).await.expect(200);
    app.sign_in("ada-tokens@people.example", NEW).await.expect(200);
}

#[tokio::test]
async fn newest_reset_token_counts_over_all_addresses() {
    let app = App::start().await;
    let ada = app.user("ada-newest").await;
    add_verified(&ada, "newest@people.example").await;
    let older = password::token(&app, &ada.email).await;
    app.advance(61).await;
    password::forgot(&app, "newest@people.example").await.expect(202);
    let newer = password::tokens(&app, &ada.email, 2).await.remove(0);
    assert_eq!(password::reset(&app, &older, NEW).await.brief(), "422 TOKEN_INVALID");
    password::reset(&app, &newer, NEW).await.expect(200);
}

#[tokio::test]
async fn repeated_request_with_its_key_changes_once() {
    let app = App::start().await;
    let ada = app.user("ada-again").await;
    let form = json!({ "email": "again@people.example" });
    let first = ada.post_once(PATH, form.clone(), "add").await.expect(201);
    let second = ada.post_once(PATH, form, "add").await.expect(201);
    assert_eq!(first.body, second.body);
    let path = format!("{PATH}/{}/resend", first.text_at("/id"));
    app.advance(61).await;
    for _ in 0..2 {
        ada.post_once(&path, json!({}), "more").await.expect(202);
    }
    codes(&app, "again@people.example", 2).await;
    assert_eq!(app.mail("again@people.example").await.len(), 2);
}

#[tokio::test]
async fn deleted_account_frees_all_its_addresses() {
    let app = App::start().await;
    let ada = app.user("ada-deleted").await;
    add_verified(&ada, "second-deleted@people.example").await;
    add(&ada, "third-deleted@people.example").await.expect(201);
    privacy::erase(&ada).await;
    let bob = app.user("bob-deleted").await;
    for email in ["ada-deleted@people.example", "second-deleted@people.example"] {
        verify_once_free(&bob, email).await.expect(200);
    }
    let items = app.tables().scan().table_name(app.table("identity")).send().await.unwrap();
    let text = format!("{:?}", items.items.unwrap_or_default());
    assert!(!text.contains("third-deleted") && !text.contains(&ada.id().bare()));
}

#[tokio::test]
async fn list_says_which_address_gets_mail() {
    let app = App::start().await;
    let ada = app.user("ada-blocked").await;
    let email = "bounce+ada@simulator.amazonses.com";
    add(&ada, email).await.expect(201);
    for n in 1..500 {
        let answer = ada.get(&format!("{PATH}?expand=mail")).await.expect(200);
        assert!(answer.at("/emails/0/mail/block").is_null());
        if answer.at("/emails/1/mail/block/reason") == "bounce" {
            let id = answer.text_at("/emails/1/id");
            app.advance(61).await;
            assert_eq!(resend(&ada, &id).await.brief(), "422 EMAIL_UNDELIVERABLE");
            return;
        }
        app.wait_for_message(n).await;
    }
    panic!("the address is not blocked");
}
