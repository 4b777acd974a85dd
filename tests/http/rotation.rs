//! Secrets are rotated, and nobody notices.
//!
//! Not run in outages: it chooses its regions.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use domain::{
    region::Region,
    rotation::{KEPT, LEAD, SecretName},
};
use futures::future::{join_all, join3};
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, Value, json};
use tokio::sync::RwLock;

use crate::password::{self, NEW};

mod ages;
mod first;
mod steps;

/// A secret's full name, as the local platform gives them.
pub fn name(app: &App, secret: &str) -> String {
    let named = SecretName::ALL.into_iter().find(|known| known.as_str() == secret).unwrap();
    if named.is_shared() {
        format!("account/shared/{secret}")
    } else {
        format!("account/{}/{secret}", app.home())
    }
}

/// Makes a secret as a new deployment has it, before its first rotation.
pub async fn empty(app: &App, secret: &str) {
    let put = app.secrets_manager().put_secret_value().secret_id(name(app, secret)).secret_string("{}");
    put.send().await.unwrap();
}

/// Rotates everything that can be, everywhere.
async fn rotate_all(app: &App) {
    for region in Region::ALL {
        for secret in ["tokens", "codes"] {
            app.living_in(region).rotate(secret).await.expect(200);
        }
    }
    app.living_in(Region::AUTHORITY).rotate("forwarding").await.expect(200);
}

/// What a secret holds.
async fn document(app: &App, secret: &str) -> Value {
    let read = app.secrets_manager().get_secret_value().secret_id(name(app, secret)).send().await.unwrap();
    serde_json::from_str(read.secret_string().unwrap()).unwrap()
}

/// How many keys it holds.
async fn keys(app: &App, secret: &str) -> usize {
    document(app, secret).await["keys"].as_array().unwrap().len()
}

/// Returns once every region's replica of a secret is like what the authority has.
async fn is_everywhere(app: &App, secret: &str) {
    let all_alike = async || {
        let documents =
            join_all(Region::ALL.map(async |region| document(&app.living_in(region), secret).await));
        documents.await.windows(2).all(|pair| pair[0] == pair[1])
    };
    for _ in 0..500 {
        if all_alike().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the replicas did not follow");
}

/// The names of the public keys that a region's endpoint shows.
async fn published(app: &App) -> Vec<String> {
    shown(app, "").await
}

async fn shown(app: &App, query: &str) -> Vec<String> {
    let answer = app.get(&format!("/.well-known/jwks.json{query}")).await.expect(200);
    let keys = answer.at("/keys").as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Which key an access token names.
fn kid(person: &Person) -> String {
    let header = domain::secret::decode_base64(person.token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The session is refreshed through a region, twice as when the answer was lost, and works through every region.
async fn goes_on(person: &mut Person, way: Region) {
    let app = person.app.by_way_of(way);
    let form = json!({ "refreshToken": person.refresh });
    let next = app.post("/api/auth/refresh", form.clone()).await.expect(200);
    let again = app.post("/api/auth/refresh", form).await.expect(200);
    assert_eq!(next.at("/refreshToken"), again.at("/refreshToken"), "a lost answer comes again");
    *person = Person::new(person.app.clone(), &person.handle, &person.email, &next);
    for way in Region::ALL {
        let seen = person.by_way_of(way).get("/api/settings").await.expect(200);
        assert_eq!(seen.at("/username"), person.handle.as_str());
    }
}

/// A person of each region.
async fn people(app: &App) -> Vec<Person> {
    join_all(Region::ALL.map(|home| {
        let app = app.living_in(home);
        async move { app.user(&format!("ada-{home}")).await }
    }))
    .await
}

#[tokio::test]
async fn sessions_of_every_region_survive_rotations() {
    let app = App::start().await;
    let mut people = people(&app).await;
    for person in &mut people {
        goes_on(person, Region::Us).await;
    }
    for round in 0..3 {
        rotate_all(&app).await;
        // First with cached keys, then without, then with the new keys in use.
        for seconds in [0, KEPT.as_secs() - 1, 2, LEAD.as_secs() - KEPT.as_secs() - 2, 1, 1] {
            app.advance(seconds).await;
            for (n, person) in people.iter_mut().enumerate() {
                goes_on(person, Region::ALL[(n + round) % 3]).await;
            }
        }
    }
    let old = people.iter().map(|person| person.refresh.clone()).collect::<Vec<_>>();
    let homes = people.iter().map(|person| person.app.home()).collect::<Vec<_>>();
    drop(people);
    let app = app.restart().await;
    for (home, refresh) in homes.into_iter().zip(old) {
        let form = json!({ "refreshToken": refresh });
        app.living_in(home).post("/api/auth/refresh", form).await.expect(200);
    }
}

#[tokio::test]
async fn functions_with_different_key_versions_interoperate() {
    let app = App::start().await;
    let ada = app.user("ada-mixed").await;
    // Signing in has read the old version, refreshing reads the current one.
    app.sign_in(&ada.email, PASSWORD).await.expect(200);
    for _ in 0..3 {
        app.rotate("tokens").await.expect(200);
        let tokens = app.sign_in(&ada.email, PASSWORD).await.expect(200);
        goes_on(&mut Person::new(app.clone(), "ada-mixed", &ada.email, &tokens), app.home()).await;
        let browser = app.post("/api/auth/sign-in?session=cookie", sign_in(&ada)).await.expect(200);
        refreshed(&app, &browser).await;
        app.advance(61).await;
    }
}

fn sign_in(person: &Person) -> Value {
    json!({ "email": person.email, "password": PASSWORD })
}

/// A browser's next session, with the CSRF token of the one before.
async fn refreshed(app: &App, session: &Answer) -> Answer {
    let lines = session.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let jar: Vec<&str> = lines.map(|line| line.split(';').next().unwrap()).collect();
    let request = app.request(Method::POST, "/api/auth/refresh?session=cookie").json(&json!({}));
    let request =
        request.header("cookie", jar.join("; ")).header("x-csrf-token", session.text_at("/csrfToken"));
    app.send(request).await.expect(200)
}

#[tokio::test]
async fn a_browser_keeps_its_csrf_token_through_rotations() {
    let app = App::start().await;
    let ada = app.user("ada-browser").await;
    let mut session = app.post("/api/auth/sign-in?session=cookie", sign_in(&ada)).await.expect(200);
    let csrf = session.text_at("/csrfToken");
    for _ in 0..2 {
        app.rotate("tokens").await.expect(200);
        for seconds in [0, LEAD.as_secs() - 1, 1, 1] {
            app.advance(seconds).await;
            session = refreshed(&app, &session).await;
            assert_eq!(session.text_at("/csrfToken"), csrf);
        }
    }
}

#[tokio::test]
async fn a_stolen_refresh_token_is_still_recognised_after_rotations() {
    let app = App::start().await;
    let mut ada = app.user("ada-stolen").await;
    let stolen = ada.refresh.clone();
    for _ in 0..3 {
        goes_on(&mut ada, app.home()).await;
        app.rotate("tokens").await.expect(200);
        app.advance(25 * 24 * 3_600).await;
    }
    goes_on(&mut ada, app.home()).await;
    let refused = app.post("/api/auth/refresh", json!({ "refreshToken": stolen })).await;
    assert_eq!(refused.brief(), "401 UNAUTHORIZED");
    app.mail_of_kind(&ada.email, "session-ended").await;
    assert_eq!(ada.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn code_mailed_before_rotation_is_accepted_after() {
    let app = App::start().await;
    let mailed = async |n: usize| {
        let email = format!("new-{n}@people.example");
        app.sign_up(&email).await.expect(202);
        (app.code(&email).await, email)
    };
    let opens = async |(code, email): (String, String)| {
        let opened = app
            .post("/api/auth/verify", json!({ "email": email, "code": code, "password": PASSWORD }))
            .await
            .expect(200);
        let refresh = json!({ "refreshToken": opened.text_at("/refreshToken") });
        app.post("/api/auth/refresh", refresh).await.expect(200);
    };
    let before = mailed(0).await;
    for secret in ["tokens", "codes", "codes"] {
        app.rotate(secret).await.expect(200);
    }
    app.advance(9 * 60).await;
    opens(before).await;
    // A minute before the new keys are used, and after: each is entered two minutes later.
    app.advance(LEAD.as_secs() - 10 * 60).await;
    for n in 1..4 {
        let mail = mailed(n).await;
        app.advance(120).await;
        opens(mail).await;
    }
}

#[tokio::test]
async fn reset_token_mailed_before_rotation_is_accepted_after() {
    let app = App::start().await;
    let ada = app.user("ada-reset").await;
    let before = password::token(&app, &ada.email).await;
    app.rotate("tokens").await.expect(200);
    app.rotate("tokens").await.expect(200);
    app.advance(29 * 60).await;
    password::reset(&app, &before, NEW).await.expect(200);
    app.advance(LEAD.as_secs() - 30 * 60).await;
    password::forgot(&app, &ada.email).await.expect(202);
    let token = password::tokens(&app, &ada.email, 2).await.remove(0);
    app.advance(29 * 60).await;
    password::reset(&app, &token, PASSWORD).await.expect(200);
    app.sign_in(&ada.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn rotation_interrupts_no_requests() {
    let app = App::alone().await;
    // The clock does not jump in the middle of a request, where it never would.
    let (clock, over) = (RwLock::new(()), AtomicBool::new(false));
    let at_work = join_all(people(&app).await.into_iter().map(async |mut person| {
        let mut rounds = 0;
        while !over.load(Ordering::SeqCst) {
            let _still = clock.read().await;
            goes_on(&mut person, Region::ALL[rounds % 3]).await;
            rounds += 1;
        }
        assert!(rounds > 5, "{rounds}");
    }));
    let newcomers = async {
        for n in (0..).take_while(|_| !over.load(Ordering::SeqCst)) {
            let _still = clock.read().await;
            app.living_in(Region::ALL[n % 3]).newcomer(&format!("new-{n}")).await;
        }
    };
    let rotations = async {
        for _ in 0..2 {
            rotate_all(&app).await;
            let still = clock.write().await;
            app.advance(LEAD.as_secs() - 2).await;
            drop(still);
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    join3(at_work, newcomers, rotations).await;
    assert_eq!(keys(&app, "tokens").await, 3);
}

#[tokio::test]
async fn forwarding_works_with_lagging_replicas_during_rotation() {
    let app = App::start().await;
    let people = people(&app).await;
    let people = join_all(people.iter().map(|person| person.with_api_key("ci"))).await;
    let everybody_calls_everywhere = async || {
        for person in &people {
            for way in Region::ALL {
                person.by_way_of(way).get("/api/account/summary").await.expect(200);
            }
        }
    };
    let authority = app.living_in(Region::AUTHORITY);
    everybody_calls_everywhere().await;
    app.post("/_local/replication", json!({ "paused": true })).await.expect(200);
    authority.rotate("forwarding").await.expect(200);
    let eu = app.living_in(Region::Eu);
    assert_eq!((keys(&authority, "forwarding").await, keys(&eu, "forwarding").await), (2, 1));
    // The authority reads the new version, the others the old one again.
    for seconds in [0, KEPT.as_secs(), KEPT.as_secs()] {
        app.advance(seconds).await;
        everybody_calls_everywhere().await;
    }
    app.post("/_local/replication", json!({ "paused": false })).await.expect(200);
    is_everywhere(&app, "forwarding").await;
    assert_eq!(keys(&eu, "forwarding").await, 2);
    for seconds in [0, KEPT.as_secs(), LEAD.as_secs(), 1] {
        app.advance(seconds).await;
        everybody_calls_everywhere().await;
    }
}

#[tokio::test]
async fn public_key_is_published_for_its_tokens_whole_life() {
    let app = App::start().await;
    let mut ada = app.user("ada-keys").await;
    let (first, others) = (kid(&ada), published(&app).await);
    assert!(others.contains(&first) && others.len() == 3);
    app.rotate("tokens").await.expect(200);
    goes_on(&mut ada, app.home()).await;
    assert_eq!((kid(&ada), published(&app).await.len()), (first.clone(), 4), "shown, and not yet used");
    app.advance(LEAD.as_secs() + 1).await;
    goes_on(&mut ada, app.home()).await;
    let second = kid(&ada);
    assert_ne!(second, first);
    // The token of the key before can still be good.
    app.rotate("tokens").await.expect(200);
    assert!(published(&app).await.contains(&first));
    app.advance(3_600).await;
    app.rotate("tokens").await.expect(200);
    let used = published(&app).await;
    assert!(!used.contains(&first) && used.contains(&second), "{used:?}");
    assert_eq!(shown(&app, "?retired=true").await, [first], "what it signed can still be verified");
    goes_on(&mut ada, app.home()).await;
}
