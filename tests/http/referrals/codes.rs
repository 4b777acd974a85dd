//! Codes that are wrong, tried too often, or given more than once.

use futures::future::{join, join_all};
use reqwest::Method;
use tests::Answer;

use super::*;
use crate::{
    fixtures::{SOME_ULID, referrals::code_for},
    privacy::looked_once,
};

/// A code refers to nobody; the answer.
pub async fn is_refused(who: &Person, code: &str) -> Answer {
    let refused = onboards(who, Some(code)).await;
    assert_eq!(refused.brief(), "422 PROMO_INVALID", "{code}: {}", refused.text);
    refused
}

/// What somebody has after onboarding, and how many postings there are of it.
async fn has(who: &Person) -> (i64, usize) {
    let micros = balance(who).await["balanceMicroUsd"].as_i64().unwrap();
    (micros, recomputed(who).await.len())
}

/// The form of an onboarding with somebody's code.
async fn form(who: &Person, referrer: &Person) -> Value {
    json!({ "username": who.handle, "displayName": "A Friend", "referralCode": code_of(referrer).await })
}

/// Moves the clock to the next midnight and stops it, so that no day ends in between.
async fn begin_a_day(app: &App) {
    app.stop_clock().await;
    let now = app.now().await.as_second();
    app.advance(86_400 - now.rem_euclid(86_400)).await;
}

#[tokio::test]
async fn wrong_codes_look_alike_and_create_nothing() {
    let app = App::start().await;
    let referrer = app.user("right-referrer").await;
    let team = referrer.found_team("team-of-right").await;
    let (who, other) = (app.newcomer("wrong-codes").await, app.newcomer("not-yet-there").await);
    let (home, id) = (app.home(), referrer.workspace().bare());
    let elsewhere = Region::ALL.into_iter().find(|region| *region != home).unwrap();
    let nobody = format!("ws_{SOME_ULID}").parse().unwrap();
    let right = code_of(&referrer).await;
    let (rest, tag) = right.rsplit_once('-').unwrap();
    let other_tag = tag.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect::<String>();
    let wrong = [
        code_for(&app, home, nobody).await,
        code_for(&app, elsewhere, nobody).await,
        code_for(&app, elsewhere, referrer.workspace()).await,
        code_for(&app, home, team).await,
        // What somebody who knows the id can make, and the tags of others.
        format!("{rest}-{other_tag}"),
        format!("{rest}-00000000"),
        format!("{elsewhere}-{id}-{tag}"),
        format!("{home}-{SOME_ULID}-{tag}"),
        rest.to_owned(),
        format!("{home}-{SOME_ULID}"),
        // Neither the user nor anybody else before onboarding.
        code_of(&who).await,
        code_of(&other).await,
        id.clone(),
        format!("{home}{id}"),
        format!("{home}_{id}"),
        format!("{home}- {id}"),
        format!("xx-{id}"),
        format!("{home}-{id}0"),
        format!("{home}-{}", &id[1..]),
        format!("{home}-{}", referrer.workspace()),
        format!("{home}-{}", referrer.id()),
        home.to_string(),
        referrer.handle.clone(),
        "-".to_owned(),
    ];
    let mut details = Vec::new();
    for code in &wrong {
        details.push(is_refused(&who, code).await.text_at("/detail"));
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    // Nothing was created.
    assert_eq!(who.get("/api/settings").await.brief(), "403 ONBOARDING_REQUIRED");
    let free = app.get(&format!("/api/username/check?username={}", who.handle)).await.expect(200);
    assert_eq!(free.at("/available"), true);
    onboards(&who, None).await.expect(201);
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING);
    assert!(rewards(&referrer).await.is_empty());
}

#[tokio::test]
async fn code_is_accepted_in_capitals_and_with_blanks() {
    let app = App::start().await;
    let referrer = app.user("typed-referrer").await;
    let code = code_of(&referrer).await;
    let typed = [format!("  {code}\n"), code.to_uppercase(), format!("\t{} ", code.to_uppercase())];
    for (n, code) in typed.iter().enumerate() {
        let friend = app.newcomer(&format!("typed-{n}")).await;
        onboards(&friend, Some(code)).await.expect(201);
        assert_eq!(has(&friend).await, (OPENING + TEN, 2), "{code:?}");
    }
    // Blanks alone are no code.
    for (n, blank) in ["", " \n"].into_iter().enumerate() {
        let friend = app.newcomer(&format!("blank-{n}")).await;
        onboards(&friend, Some(blank)).await.expect(201);
        assert_eq!(balance(&friend).await["balanceMicroUsd"], OPENING, "{blank:?}");
    }
}

#[tokio::test]
async fn code_of_a_deleted_account_is_refused() {
    let app = App::start().await;
    for (n, home) in [app.home(), Region::Eu].into_iter().enumerate() {
        let referrer = app.living_in(home).user(&format!("leaves-{n}")).await;
        let code = code_of(&referrer).await;
        referrer.ask_to_be_deleted().await.expect(202);
        looked_once(&referrer).await;
        let friend = app.newcomer(&format!("left-{n}")).await;
        is_refused(&friend, &code).await;
        onboards(&friend, None).await.expect(201);
        assert_eq!(balance(&friend).await["balanceMicroUsd"], OPENING);
    }
}

#[tokio::test]
async fn code_of_a_region_that_is_down_can_be_left_out() {
    let app = App::start().await;
    let referrer = app.living_in(Region::Eu).user("down-referrer").await;
    let (code, ap) = (code_of(&referrer).await, app.living_in(Region::Ap));
    let (hasty, patient) = (ap.newcomer("hasty-friend").await, ap.newcomer("patient-friend").await);
    app.faults(json!(outage(Region::Eu))).await;
    for who in [&hasty, &patient] {
        let refused = onboards(who, Some(&code)).await;
        assert_eq!(refused.brief(), "503 UNAVAILABLE", "{}", refused.text);
        assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
        assert_eq!(who.get("/api/settings").await.brief(), "403 ONBOARDING_REQUIRED");
    }
    onboards(&hasty, None).await.expect(201);
    assert_eq!(balance(&hasty).await["balanceMicroUsd"], OPENING);
    app.no_faults().await;
    onboards(&patient, Some(&code)).await.expect(201);
    assert_eq!(has(&patient).await, (OPENING + TEN, 2));
}

#[tokio::test]
async fn promo_and_referral_codes_share_the_tries_of_a_day() {
    let app = App::start().await;
    begin_a_day(&app).await;
    let (referrer, who) = (app.user("tried-referrer").await, app.newcomer("tries-both").await);
    for n in 0..10 {
        // Neither the tag nor the user is right.
        is_refused(&who, &format!("{}-{SOME_ULID}-00000000", app.home())).await;
        let form =
            json!({ "username": who.handle, "displayName": "A Friend", "promoCode": format!("GUESS-{n}") });
        assert_eq!(who.post("/api/onboarding", form).await.brief(), "422 PROMO_INVALID");
    }
    let refused = onboards(&who, Some(&code_of(&referrer).await)).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), Some("86400"));
    let limit = "You can try at most 20 codes a day. Try again tomorrow, or continue without a code.";
    assert_eq!(refused.at("/detail"), limit);
    let promo = json!({ "username": who.handle, "displayName": "A Friend", "promoCode": "GUESS-10" });
    assert_eq!(who.post("/api/onboarding", promo).await.brief(), "429 RATE_LIMITED");
    onboards(&who, None).await.expect(201);
    assert_eq!(balance(&who).await["balanceMicroUsd"], OPENING);
}

#[tokio::test]
async fn promo_and_referral_code_are_redeemed_together() {
    let app = App::start().await;
    let (referrer, who) = (app.user("both-referrer").await, app.newcomer("both-codes").await);
    let promotion = json!({ "code": "WITH-REFERRAL", "amountMicroUsd": 3_000_000, "most": 1 });
    app.as_service(Method::POST, "/internal/promotions", promotion).await.expect(200);
    let mut form = form(&who, &referrer).await;
    form["promoCode"] = json!("WITH-REFERRAL");
    who.post("/api/onboarding", form).await.expect(201);
    assert_eq!(has(&who).await, (OPENING + TEN + 3_000_000, 3));
    who.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
}

#[tokio::test]
async fn onboardings_at_once_bring_the_credit_once() {
    let app = App::start().await;
    for (n, home) in [app.home(), Region::Eu].into_iter().enumerate() {
        let referrer = app.living_in(home).user(&format!("raced-{n}")).await;
        let friend = app.newcomer(&format!("races-{n}")).await;
        let form = form(&friend, &referrer).await;
        let post = || friend.post("/api/onboarding", form.clone());
        let (one, other) = join(post(), post()).await;
        let briefs = [one.brief(), other.brief()];
        assert!(briefs.contains(&"201".to_owned()), "{briefs:?}");
        assert!(briefs.iter().all(|brief| ["201", "409 CONFLICT"].contains(&brief.as_str())), "{briefs:?}");
        assert_eq!(has(&friend).await, (OPENING + TEN, 2));
        friend.top_up(1_000, cards::VISA).await;
        referrer.until_balance(OPENING + TEN).await;
        settled(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN)]);
    }
}

#[tokio::test]
async fn repeated_onboarding_brings_the_credit_once() {
    let app = App::start().await;
    for (n, home) in [app.home(), Region::Eu].into_iter().enumerate() {
        let referrer = app.living_in(home).user(&format!("repeated-{n}")).await;
        let friend = app.newcomer(&format!("repeats-{n}")).await;
        let first = form(&friend, &referrer).await;
        let once = || friend.post_once("/api/onboarding", first.clone(), "the-key");
        let answers = join_all([once(), once()]).await;
        let later = once().await.expect(201);
        for answer in answers {
            assert_eq!(answer.expect(201).body, later.body);
        }
        assert_eq!(has(&friend).await, (OPENING + TEN, 2));
        // Without the key, and with another code, nothing changes any more.
        let other = app.user(&format!("another-{n}")).await;
        let second = friend.post("/api/onboarding", form(&friend, &other).await).await;
        assert_eq!(second.brief(), "409 CONFLICT");
        assert_eq!(has(&friend).await, (OPENING + TEN, 2));
    }
}

#[tokio::test]
async fn taken_username_uses_up_no_try_of_a_code() {
    let app = App::start().await;
    begin_a_day(&app).await;
    let (referrer, who) = (app.user("taken-referrer").await, app.newcomer("wants-a-name").await);
    let code = code_of(&referrer).await;
    let form =
        |username: &str| json!({ "username": username, "displayName": "A Friend", "referralCode": code });
    // The replica knows of the referrer's username.
    let is_known = async || {
        let found = app.get(&format!("/api/username/check?username={}", referrer.handle)).await.expect(200);
        found.at("/available") == false
    };
    app.until("the username is not known", is_known).await;
    for _ in 0..25 {
        let refused = who.post("/api/onboarding", form(&referrer.handle)).await;
        assert_eq!(refused.brief(), "409 USERNAME_TAKEN", "{}", refused.text);
    }
    who.post("/api/onboarding", form(&who.handle)).await.expect(201);
    assert_eq!(has(&who).await, (OPENING + TEN, 2));
}
