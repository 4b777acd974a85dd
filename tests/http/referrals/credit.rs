//! Accounts that get no opening credit get none for a referral either, and lose nothing by asking for it.

use super::*;
use crate::free_credit::opens;

const NO_CREDIT: &str =
    "Your email address or network got its free credit already. Continue without the referral code.";

/// A person with an account at an address, before onboarding.
async fn newcomer(app: &App, handle: &str, email: &str) -> Person {
    let token = app.sign_up(email).await.expect(202).text_at("/signUpToken");
    let code = app.code(email).await;
    let tokens = app.verify(email, &code, &token).await.expect(200);
    Person::new(app.clone(), handle, email, &tokens)
}

#[tokio::test]
async fn mailbox_with_used_up_credit_gets_none_for_a_referral() {
    let app = App::start().await;
    for (n, home) in [app.home(), Region::Eu].into_iter().enumerate() {
        let referrer = app.living_in(home).user(&format!("mailbox-referrer-{n}")).await;
        opens(&app, &format!("mailbox-first-{n}"), &format!("mailbox{n}@gmail.com")).await;
        let second =
            newcomer(&app, &format!("mailbox-second-{n}"), &format!("mail.box{n}+2@gmail.com")).await;
        for _ in 0..2 {
            let refused = codes::is_refused(&second, &code_of(&referrer).await).await;
            assert_eq!(refused.text_at("/detail"), NO_CREDIT);
        }
        assert_eq!(second.get("/api/settings").await.brief(), "403 ONBOARDING_REQUIRED");
        // The username is still the user's.
        onboards(&second, None).await.expect(201);
        assert_eq!(balance(&second).await["balanceMicroUsd"], 0);
        second.top_up(1_000, cards::VISA).await;
        second.until_balance(TEN).await;
        settled(&second).await;
        assert!(rewards(&referrer).await.is_empty());
    }
}

#[tokio::test]
async fn network_with_used_up_credit_gets_none_for_a_referral() {
    let app = App::start().await;
    app.stop_clock().await;
    let now = app.now().await.as_second();
    // The next midnight, so that the day does not end in between.
    app.advance(86_400 - now.rem_euclid(86_400)).await;
    let (referrer, hostel) = (app.user("hostel-referrer").await, app.in_network("hostel"));
    for n in 0..20 {
        hostel.user(&format!("hostel-{n}")).await;
    }
    let (stays, moves) = (hostel.newcomer("hostel-stays").await, hostel.newcomer("hostel-moves").await);
    for who in [&stays, &moves] {
        let form = json!({
            "username": who.handle, "displayName": "A Friend", "referralCode": code_of(&referrer).await,
        });
        let refused = who.post("/api/onboarding", form).await;
        assert_eq!(
            (refused.brief().as_str(), refused.at("/detail")),
            ("422 PROMO_INVALID", &json!(NO_CREDIT))
        );
    }
    let form = json!({ "username": stays.handle, "displayName": "A Friend" });
    stays.post("/api/onboarding", form).await.expect(201);
    assert_eq!(balance(&stays).await["balanceMicroUsd"], 0);
    // From another network, the mailbox gets its credit, and that of the referral.
    onboards(&moves, Some(&code_of(&referrer).await)).await.expect(201);
    assert_eq!(balance(&moves).await["balanceMicroUsd"], OPENING + TEN);
    assert_eq!(types(&moves).await, ["signup", "promo"]);
}

#[tokio::test]
async fn personal_address_gets_the_credit_of_a_referral() {
    let app = App::start().await;
    let referrer = app.user("private-referrer").await;
    let friend = newcomer(&app, "private-friend", "private-friend@gmail.com").await;
    onboards(&friend, Some(&code_of(&referrer).await)).await.expect(201);
    assert_eq!(balance(&friend).await["balanceMicroUsd"], FIVE + TEN);
    friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
}

#[tokio::test]
async fn deleted_friend_brings_no_second_reward() {
    let app = App::start().await;
    let (referrer, friend) = neighbours(&app, "returns").await;
    friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    friend.ask_to_be_deleted().await.expect(202);
    crate::privacy::looked_once(&friend).await;
    // The next code waits for a minute.
    app.advance(61).await;
    app.sign_up(&friend.email).await.expect(202);
    let code = app.codes(&friend.email, 2).await.remove(0);
    let form = json!({ "email": friend.email, "code": code, "password": tests::PASSWORD });
    let tokens = app.post("/api/auth/verify", form).await.expect(200);
    let second = Person::new(app.clone(), "returns-again", &friend.email, &tokens);
    let refused = codes::is_refused(&second, &code_of(&referrer).await).await;
    assert_eq!(refused.text_at("/detail"), NO_CREDIT);
    onboards(&second, None).await.expect(201);
    assert_eq!(balance(&second).await["balanceMicroUsd"], 0);
    assert_eq!(rewards(&referrer).await, [("promo", TEN)]);
}
