//! The referrer, the referrer's region and the log do not learn who the friend is.

use domain::referral::ReferralKey;
use tests::Answer;

use super::*;
use crate::{log::Log, privacy::Everything};

/// What names somebody.
fn names(who: &Person) -> [String; 3] {
    [who.id().bare(), who.handle.clone(), who.email.clone()]
}

/// The friend tops up and gets a part back, so that the reward is booked, taken back and booked again; the last payment.
async fn happens(referrer: &Person, friend: &Person) -> String {
    let payment = friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    refunds(friend, &payment, 500).await;
    referrer.until_balance(OPENING).await;
    let last = friend.top_up(500, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    last
}

/// All answers to a referrer that could tell of a referral.
async fn answers(referrer: &Person) -> Vec<Answer> {
    let mut answers = Vec::new();
    for path in [
        "/api/referrals",
        "/api/billing/balance",
        "/api/billing/transactions?expand=details",
        "/api/billing/transactions?format=csv",
        "/api/billing/usage-summary",
        "/api/activity?limit=100",
        "/api/settings",
        "/api/account/summary",
    ] {
        answers.push(referrer.get(path).await.expect(200));
    }
    answers
}

#[tokio::test]
async fn region_of_the_referrer_does_not_store_who_the_friend_is() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "secret").await;
    happens(&referrer, &friend).await;
    settled(&friend).await;
    let mut told = Everything::of(&referrer.app).await.tell_of(&names(&friend));
    // Usernames are public, and every region has a replica of the directory.
    told.retain(|item| !item.starts_with("account-directory"));
    assert_eq!(told, Vec::<String>::new());
    // The search finds what is there: the friend's wallet names the referrer, and the referrer's has the key.
    let wallet = Everything::of(&friend.app).await.tell_of(&[referrer.workspace().to_string()]);
    assert!(wallet.iter().any(|item| item.contains(ItemKind::Wallets.prefix())), "{wallet:?}");
    let key = ReferralKey::of(referrer.workspace(), friend.workspace()).to_string();
    assert!(!Everything::of(&referrer.app).await.tell_of(&[key]).is_empty());
}

#[tokio::test]
async fn answers_and_export_of_the_referrer_do_not_name_the_friend() {
    let app = App::start().await;
    for (referrer, friend) in [neighbours(&app, "export").await, far_apart(&app, "export-far").await] {
        happens(&referrer, &friend).await;
        let friend_names = names(&friend);
        for answer in answers(&referrer).await {
            let named = friend_names.iter().filter(|name| answer.text.contains(*name));
            assert_eq!(named.count(), 0, "{}", answer.text);
        }
        let export = String::from_utf8(referrer.export("json").await).unwrap();
        assert!(export.contains("adjustment"), "the export has no rewards: {export}");
        for name in &friend_names {
            assert!(!export.contains(name), "{name} is in {export}");
        }
        // Nor does the friend's own bundle have the id of the referrer.
        let export = String::from_utf8(friend.export("json").await).unwrap();
        assert!(!export.contains(&referrer.id().bare()), "{export}");
    }
}

#[tokio::test]
async fn log_does_not_say_who_was_referred_by_whom() {
    let log = Log::captured();
    let app = App::start().await;
    for (n, home) in [app.home(), Region::Eu].into_iter().enumerate() {
        let referrer = app.living_in(home).user(&format!("logged-referrer-{n}")).await;
        let friend = app.living_in(Region::Ap).newcomer(&format!("logged-friend-{n}")).await;
        let nobody = format!("ws_{}", crate::fixtures::SOME_ULID).parse().unwrap();
        let unknown = crate::fixtures::referrals::code_for(&app, home, nobody).await;
        codes::is_refused(&friend, &unknown).await;
        onboards(&friend, Some(&code_of(&referrer).await)).await.expect(201);
        let payment = happens(&referrer, &friend).await;
        let fault = json!({ "service": "dynamodb", "function": WORKER, "kind": "refused", "times": 0 });
        app.faults(json!([fault])).await;
        refunds(&friend, &payment, 500).await;
        let waits = async || matches!(friend.app.queue(WORKER).await, (0, 0, 1..));
        friend.app.until("the message does not wait", waits).await;
        app.no_faults().await;
        settled(&friend).await;
        let lines = log.bytes();
        let text = String::from_utf8_lossy(&lines).into_owned();
        assert!(text.contains("region-referral-reward") || home == Region::Ap, "{text}");
        let (id, handle) = (friend.id().bare(), &friend.handle);
        for line in text.lines() {
            assert!(!line.contains(handle) && !line.contains(&friend.email), "{line}");
            assert!(!line.contains(&id) || !line.contains(&referrer.id().bare()), "{line}");
            assert!(!line.contains("region-referr") || !line.contains(&id), "{line}");
        }
    }
}
