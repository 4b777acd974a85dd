//! A forgotten password.

mod secrecy;
mod sessions;

use std::time::Duration;

use domain::{Timestamp, id::ResetId, region::Region};
use futures::future::join_all;
use insta::assert_snapshot;
use jiff::SignedDuration;
use tests::{Answer, App, PASSWORD, Person, json};

pub use sessions::begin;

/// Another password that the estimator lets pass.
pub const NEW: &str = "one green kettle on the stove";

/// Asks for a token.
pub async fn forgot(app: &App, email: &str) -> Answer {
    app.post("/api/auth/password/forgot", json!({ "email": email })).await
}

/// Sets a password with a token.
pub async fn reset(app: &App, token: &str, password: &str) -> Answer {
    app.post("/api/auth/password/reset", json!({ "token": token, "password": password })).await
}

/// Waits until so many tokens have come to an address, and gives them, newest first.
pub async fn tokens(app: &App, email: &str, count: usize) -> Vec<String> {
    for _ in 0..500 {
        let mail = app.mail(email).await;
        let mail = mail.iter().filter(|mail| mail["kind"] == "password-reset");
        let line = |text: &str| text.lines().find(|line| line.starts_with("pr_")).unwrap().to_owned();
        let tokens: Vec<String> = mail.map(|mail| line(mail["text"].as_str().unwrap())).collect();
        if tokens.len() >= count {
            return tokens;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} tokens did not come");
}

/// Asks for a token, and takes it out of the mail.
pub async fn token(app: &App, email: &str) -> String {
    forgot(app, email).await.expect(202);
    tokens(app, email, 1).await.remove(0)
}

/// When a token was asked for.
fn asked_at(token: &str) -> Timestamp {
    let id = token.split('_').nth(3).unwrap();
    format!("rst_{id}").parse::<ResetId>().unwrap().made_at()
}

async fn set_clock(app: &App, now: Timestamp) {
    app.post("/_local/clock", json!({ "now": now })).await.expect(200);
}

async fn session(who: &Person, password: &str) -> Person {
    let tokens = who.app.sign_in(&who.email, password).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

async fn is_over(session: &Person) -> bool {
    let refreshed = session.app.post("/api/auth/refresh", json!({ "refreshToken": session.refresh })).await;
    let asked = session.get("/api/settings").await;
    assert_eq!(refreshed.status, asked.status, "{} {}", refreshed.text, asked.text);
    asked.brief() == "401 UNAUTHORIZED"
}

#[tokio::test]
async fn a_mailed_token_sets_a_new_password_and_ends_every_session() {
    let app = App::start().await;
    let ada = app.user("ada-f").await;
    let (phone, desk) = (session(&ada, PASSWORD).await, session(&ada, PASSWORD).await);
    assert_snapshot!(forgot(&app, "ADA-f@people.example").await.expect(202).text, @r#"{"email":"ADA-f@people.example"}"#);
    let token = tokens(&app, &ada.email, 1).await.remove(0);
    assert!(!is_over(&desk).await, "asking for a token ends nothing");
    let done = reset(&app, &token, NEW).await.expect(200);
    assert_snapshot!(done.text, @r#"{"success":true}"#);
    assert!(done.header("set-cookie").is_none());
    for session in [&ada, &phone, &desk] {
        assert!(is_over(session).await);
    }
    app.mail_of_kind(&ada.email, "password-changed").await;
    assert_eq!(app.sign_in(&ada.email, PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
    let ada = session(&ada, NEW).await;
    let history = ada.activity().await;
    assert_eq!(history[0], "updated security Password reset by mail: all sessions ended", "{history:?}");
    assert_eq!(history.len(), 2, "{history:?}");
}

#[tokio::test]
async fn a_token_works_once_and_its_second_use_harms_nobody() {
    let app = App::start().await;
    let bob = app.newcomer("bob-f").await;
    let token = token(&app, &bob.email).await;
    reset(&app, &token, NEW).await.expect(200);
    let bob = session(&bob, NEW).await;
    for password in [NEW, "a third one that nobody else has", PASSWORD] {
        assert_eq!(reset(&app, &token, password).await.brief(), "422 TOKEN_INVALID");
    }
    assert_eq!(bob.get("/api/settings").await.brief(), "403 ONBOARDING_REQUIRED", "the new session lives on");
    session(&bob, NEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reset_token_used_in_parallel_sets_one_password() {
    let app = App::alone().await;
    let cyd = app.user("cyd-f").await;
    let token = token(&app, &cyd.email).await;
    let password = |n: usize| format!("{NEW} and {n} cups");
    let all = join_all((0..20).map(|n| {
        let (app, token) = (&app, &token);
        async move { reset(app, token, &password(n)).await.brief() }
    }));
    let answers = all.await;
    let winners: Vec<usize> = (0..20).filter(|n| answers[*n] == "200").collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer == "200" || answer == "422 TOKEN_INVALID"), "{answers:?}");
    let cyd = session(&cyd, &password(winners[0])).await;
    assert_eq!(cyd.activity().await.len(), 2);
    assert_eq!(app.mail(&cyd.email).await.iter().filter(|mail| mail["kind"] == "password-reset").count(), 1);
}

#[tokio::test]
async fn a_token_lives_thirty_minutes_and_not_a_moment_longer() {
    let app = App::alone().await;
    let dora = app.newcomer("dora-f").await;
    let token = token(&app, &dora.email).await;
    let at = |second| asked_at(&token).saturating_add(seconds(second)).unwrap();
    set_clock(&app, at(1_800)).await;
    assert_eq!(reset(&app, &token, NEW).await.brief(), "422 TOKEN_INVALID");
    set_clock(&app, at(1_799)).await;
    reset(&app, &token, NEW).await.expect(200);
    session(&dora, NEW).await;
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

#[tokio::test]
async fn newer_reset_token_invalidates_older_ones() {
    let app = App::start().await;
    let erin = app.newcomer("erin-f").await;
    for _ in 0..3 {
        forgot(&app, &erin.email).await.expect(202);
        app.advance(61).await;
    }
    let [newest, middle, oldest] = tokens(&app, &erin.email, 3).await.try_into().unwrap();
    for token in [&oldest, &middle] {
        assert_eq!(reset(&app, token, PASSWORD).await.brief(), "422 TOKEN_INVALID");
    }
    reset(&app, &newest, NEW).await.expect(200);
    assert_eq!(reset(&app, &newest, PASSWORD).await.brief(), "422 TOKEN_INVALID");
    forgot(&app, &erin.email).await.expect(202);
    let next = tokens(&app, &erin.email, 4).await.remove(0);
    reset(&app, &next, PASSWORD).await.expect(200);
    assert_eq!(reset(&app, &newest, NEW).await.brief(), "422 TOKEN_INVALID");
    session(&erin, PASSWORD).await;
}

#[tokio::test]
async fn request_over_the_limit_leaves_the_mailed_token_valid() {
    let app = App::start().await;
    let gil = app.newcomer("gil-f").await;
    let token = token(&app, &gil.email).await;
    forgot(&app, &gil.email).await.expect(202);
    reset(&app, &token, NEW).await.expect(200);
}

#[tokio::test]
async fn strangers_requests_delay_reset_token_a_minute_at_most() {
    let app = App::start().await;
    let (home, elsewhere) = (app.in_network("network 2"), app.in_network("network 3"));
    let hana = app.newcomer("hana-f").await;
    for _ in 0..8 {
        forgot(&elsewhere, &hana.email).await.expect(202);
        app.advance(61).await;
    }
    assert_eq!(tokens(&app, &hana.email, 5).await.len(), 5);
    forgot(&home, &hana.email).await.expect(202);
    let token = tokens(&app, &hana.email, 6).await.remove(0);
    reset(&home, &token, NEW).await.expect(200);
}

#[tokio::test]
async fn networks_together_get_twenty_tokens_an_hour_for_an_address() {
    tests::needs_every_region!();
    let app = App::start().await;
    let since = app.last_call().await;
    for n in 2..24 {
        forgot(&app.in_network(&format!("network {n}")), "bombed-f@people.example").await.expect(202);
    }
    assert_eq!(mailed(&app, since).await, 20);
}

#[tokio::test]
async fn address_handle_and_name_are_no_new_password() {
    let app = App::start().await;
    let ida = app.user("quindlebrax-zorvax").await;
    let token = token(&app, &ida.email).await;
    for own in
        ["Zorvax.Quindlebrax", "quindlebrax-zorvax@people.example", "QUINDLEBRAX ZORVAX 77", "people_example"]
    {
        let answer = reset(&app, &token, own).await;
        assert_eq!(answer.complaints(), "password INVALID", "{own}");
    }
    reset(&app, &token, NEW).await.expect(200);
}

#[tokio::test]
async fn token_is_accepted_as_it_is_pasted() {
    let app = App::start().await;
    let jim = app.newcomer("jim-f").await;
    let token = token(&app, &jim.email).await;
    let (start, end) = token.split_at(60);
    reset(&app, &format!(" {start}=\n{end}"), NEW).await.expect(400);
    reset(&app, &format!("\u{feff} {start}\r\n  {end}\u{200b}\n"), NEW).await.expect(200);
}

#[tokio::test]
async fn weak_new_password_is_refused_and_token_stays_valid() {
    let app = App::start().await;
    let faye = app.newcomer("faye-f").await;
    let token = token(&app, &faye.email).await;
    for weak in ["short", "password1", "people.example1", "faye-f@people.example", "aaaaaaaaaaaaaaaa"] {
        let answer = reset(&app, &token, weak).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR");
        assert_eq!(answer.complaints(), "password INVALID");
        assert!(!answer.text.contains(weak), "{}", answer.text);
    }
    assert!(session(&faye, PASSWORD).await.get("/api/settings").await.status == 403, "nothing has changed");
    reset(&app, &token, NEW).await.expect(200);
}

#[tokio::test]
async fn both_steps_work_through_every_regions_endpoint() {
    tests::needs_every_region!();
    let app = App::start().await;
    for (home, name) in [(Region::Us, "hal-u"), (Region::Eu, "hal-e"), (Region::Ap, "hal-a")] {
        let hal = app.living_in(home).user(name).await;
        let everywhere = Region::ALL.map(|way| app.by_way_of(way));
        join_all(everywhere.iter().map(|app| app.first_sign_in(&hal.email))).await;
        for (n, way) in Region::ALL.into_iter().enumerate() {
            let password = format!("{NEW} in {way}");
            forgot(&app.by_way_of(way), &hal.email).await.expect(202);
            let token = tokens(&app, &hal.email, n + 1).await.remove(0);
            assert!(token.starts_with(&format!("pr_{home}_")));
            reset(&app.by_way_of(way), &token, &password).await.expect(200);
            let other = Region::ALL[(n + 1) % 3];
            assert_eq!(reset(&app.by_way_of(other), &token, NEW).await.brief(), "422 TOKEN_INVALID");
            assert_eq!(session(&hal, &password).await.activity().await.len(), n + 2);
            app.advance(61).await;
        }
    }
}

#[tokio::test]
async fn tampered_reset_token_is_refused_like_a_used_one() {
    let app = App::start().await;
    let [ivy, jon, kai] = ["ivy-f", "jon-f", "kai-f"].map(|name| app.newcomer(name));
    let (ivy, jon, kai) = futures::join!(ivy, jon, kai);
    let (own, other, used) =
        (token(&app, &ivy.email).await, token(&app, &jon.email).await, token(&app, &kai.email).await);
    let with = |place: usize, text: &str| {
        let mut parts: Vec<&str> = own.splitn(5, '_').collect();
        parts[place] = text;
        parts.join("_")
    };
    let part = |place| other.splitn(5, '_').nth(place).unwrap();
    let later = ResetId::new(asked_at(&own).saturating_add(seconds(60)).unwrap(), &lambda::OsEntropy);
    let elsewhere = if app.home() == Region::Eu { "ap" } else { "eu" };
    let forged = [
        with(1, elsewhere),
        with(2, part(2)),
        with(2, &later.bare()),
        with(3, part(3)),
        with(3, &later.bare()),
        with(4, part(4)),
        with(4, &"A".repeat(43)),
    ];
    reset(&app, &used, NEW).await.expect(200);
    let used = reset(&app, &used, NEW).await;
    assert_eq!(used.brief(), "422 TOKEN_INVALID");
    for token in forged {
        let refused = reset(&app, &token, NEW).await;
        assert_eq!((refused.brief(), refused.at("/error")), (used.brief(), used.at("/error")), "{token}");
    }
    for unreadable in ["", "pr_", &own[..102], &format!("{own}A"), &own.to_uppercase(), &ivy.refresh] {
        let refused = reset(&app, unreadable, NEW).await;
        assert_eq!(
            (refused.brief().as_str(), refused.complaints().as_str()),
            ("400 VALIDATION_ERROR", "token INVALID")
        );
    }
    for (who, token) in [(&ivy, &own), (&jon, &other)] {
        session(who, PASSWORD).await;
        reset(&app, token, NEW).await.expect(200);
    }
}

/// How many of the requests that a test made wrote something, and so had a mail sent.
async fn mailed(app: &App, since: u64) -> usize {
    let calls = app.calls_of("auth-password-forgot", since).await;
    calls.iter().filter(|call| call["operation"] == "TransactWriteItems" && call["status"] == 200).count()
}

#[tokio::test]
async fn a_second_mail_waits_a_minute_and_a_sixth_waits_for_the_hour() {
    tests::needs_every_region!();
    let app = App::start().await;
    let kim = app.newcomer("kim-f").await;
    for email in [&kim.email, "nobody-f@people.example"] {
        let since = app.last_call().await;
        for n in 1..=5 {
            for _ in 0..3 {
                forgot(&app, email).await.expect(202);
            }
            assert_eq!(mailed(&app, since).await, n);
            app.advance(61).await;
        }
        for _ in 0..3 {
            forgot(&app, email).await.expect(202);
            app.advance(61).await;
        }
        assert_eq!(mailed(&app, since).await, 5);
        app.advance(3_600).await;
        forgot(&app, email).await.expect(202);
        assert_eq!(mailed(&app, since).await, 6);
    }
    assert_eq!(tokens(&app, &kim.email, 6).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_reset_requests_send_one_mail() {
    let app = App::alone().await;
    let lou = app.newcomer("lou-f").await;
    let since = app.last_call().await;
    let answers = join_all((0..20).map(|_| forgot(&app, &lou.email))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(mailed(&app, since).await, 1);
    assert_eq!(tokens(&app, &lou.email, 1).await.len(), 1);
}

#[tokio::test]
async fn a_request_under_one_key_is_carried_out_once() {
    let app = App::start().await;
    let mia = app.user("mia-f").await;
    let since = app.last_call().await;
    let ask = json!({ "email": mia.email });
    for _ in 0..2 {
        mia.post_once("/api/auth/password/forgot", ask.clone(), "ask").await.expect(202);
        app.advance(61).await;
    }
    assert_eq!(mailed(&app, since).await, 1);
    let token = tokens(&app, &mia.email, 1).await.remove(0);
    let form = json!({ "token": token, "password": NEW });
    mia.post_once("/api/auth/password/reset", form.clone(), "set").await.expect(200);
    let mia = session(&mia, NEW).await;
    mia.post_once("/api/auth/password/reset", form.clone(), "set").await.expect(200);
    assert_eq!(mia.activity().await.len(), 2, "the session that began in between lives on");
    assert_eq!(mia.post_once("/api/auth/password/reset", form, "another").await.brief(), "422 TOKEN_INVALID");
}

#[tokio::test]
async fn new_password_is_not_delayed_by_old_guesses() {
    let app = App::start().await;
    let ned = app.newcomer("ned-f").await;
    for _ in 0..6 {
        app.sign_in(&ned.email, "not the right password").await;
    }
    assert_eq!(app.sign_in(&ned.email, PASSWORD).await.brief(), "429 RATE_LIMITED");
    let token = token(&app, &ned.email).await;
    reset(&app, &token, NEW).await.expect(200);
    session(&ned, NEW).await;
}
