//! A request reveals nothing to a stranger, and the token is only in the mail.

use std::time::{Duration, Instant};

use domain::region::Region;
use tests::{Answer, App};

use super::{NEW, forgot, reset, token};
use crate::search::{Needles, search};

/// On the local platform answers that could tell where they come from are held back so long.
const HELD_BACK: Duration = Duration::from_millis(100);

/// An answer as sent, without its request id and time. The addresses have one length.
fn wire(answer: &Answer, email: &str) -> String {
    let mut text = format!("{} {}", answer.status, answer.text.replace(email, "…"));
    for (name, value) in &answer.headers {
        let own = ["date", "x-request-id", "apigw-requestid"].contains(&name.as_str());
        text += &format!("\n{name}: {}", if own { "…" } else { value.to_str().unwrap() });
    }
    text
}

#[tokio::test]
async fn reset_request_reveals_no_account_region_or_mail() {
    tests::needs_every_region!();
    let app = App::alone().await;
    for (home, name) in [(Region::Us, "ada-u"), (Region::Eu, "bob-e"), (Region::Ap, "cyd-a")] {
        app.living_in(home).newcomer(name).await;
    }
    for way in Region::ALL {
        let mut seen = Vec::new();
        for name in ["ada-u", "bob-e", "cyd-a", "nob-1", "nob-2", "nob-3"] {
            let email = format!("{name}@people.example");
            let mut times = Vec::new();
            for _ in 0..3 {
                let started = Instant::now();
                let answer = forgot(&app.by_way_of(way), &email).await.expect(202);
                times.push(started.elapsed());
                seen.push(wire(&answer, &email));
            }
            // Not the slowest: the machine may have had something else to do.
            let least = times.iter().min().unwrap();
            assert!((HELD_BACK..HELD_BACK * 2).contains(least), "{name} through {way}: {times:?}");
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:#?}");
    }
}

#[tokio::test]
async fn a_known_and_an_unknown_address_are_the_same_work() {
    tests::needs_every_region!();
    let app = App::start().await;
    let gus = app.newcomer("gus-f").await;
    let work = async |email: &str| {
        let before = app.last_call().await;
        forgot(&app, email).await.expect(202);
        let calls = app.calls_of("auth-password-forgot", before).await;
        let mut work: Vec<String> = calls
            .iter()
            .map(|call| format!("{} {} {}", call["home"], call["operation"], call["capacity"]))
            .collect();
        work.sort();
        work
    };
    work("warm-1@people.example").await;
    let known = work(&gus.email).await;
    assert_eq!(known.len(), 6, "{known:?}");
    let mut same = 0;
    for n in 0..20 {
        let unknown = work(&format!("nob-{n}@people.example")).await;
        // Others are at home elsewhere, and sent there.
        if unknown.len() == known.len() {
            assert_eq!(unknown, known);
            same += 1;
        }
    }
    assert!(same > 0);
    assert!(app.mail("nob-1@people.example").await.is_empty());
}

#[tokio::test]
async fn a_token_is_nowhere_but_in_the_mail() {
    let app = App::start().await;
    let ray = app.user("ray-f").await;
    let token = token(&app, &ray.email).await;
    for answer in [
        reset(&app, &token, "password1").await,
        reset(&app, &token, NEW).await,
        reset(&app, &token, NEW).await,
    ] {
        assert!(!answer.text.contains(&token) && !format!("{:?}", answer.headers).contains(&token));
    }
    app.mail_of_kind(&ray.email, "password-changed").await;
    let mut secrets = Needles::default();
    let random = &token[token.len() - 43..];
    secrets.keep("token", random);
    secrets.keep_bytes("token", &domain::secret::decode_base64(random).unwrap());
    secrets.keep("password", NEW);
    app.stop().await;
    let found = search(&secrets, &app.data());
    let mail = format!("mail/{}.ndjson", app.home());
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(mail, vec!["token".to_owned()])]);
}
