//! Limits on guessing, by network, device and account: they slow a stranger down, and never the owner.

use std::collections::BTreeMap;

use domain::region::Region;
use futures::future::join_all;
use tests::{Answer, App, PASSWORD, Person, Value, json};

const WRONG: &str = "not the right password";

async fn guess(app: &App, email: &str, times: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..times {
        answers.push(app.sign_in(email, WRONG).await.brief());
    }
    answers
}

/// Signs in with a device token.
async fn sign_in_on(app: &App, email: &str, password: &str, device: &str) -> Answer {
    let form = json!({ "email": email, "password": password, "deviceToken": device });
    app.post("/api/auth/sign-in", form).await
}

/// Uses up all tries to sign in from a network, each on an account of its own that nobody has.
async fn use_up(app: &App) {
    for round in 0..10 {
        let guesses = (0..10).map(|n| {
            let email = format!("guessed{round}{n}@people.example");
            async move { app.sign_in(&email, WRONG).await.brief() }
        });
        let answers = join_all(guesses).await;
        assert!(answers.iter().all(|answer| answer == "401 INVALID_CREDENTIALS"), "{round}: {answers:?}");
    }
}

/// Signs in, and again whenever the machine is too slow for so many at once.
async fn until_judged(app: &App, email: &str, password: &str) -> String {
    until_answered(async || app.sign_in(email, password).await).await
}

async fn until_answered(ask: impl AsyncFn() -> Answer) -> String {
    for _ in 0..20 {
        let answer = ask().await;
        if answer.status != 503 {
            return answer.brief();
        }
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    panic!("never answered");
}

fn count(answers: &[String]) -> BTreeMap<&str, usize> {
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.as_str()).or_default() += 1;
        counts
    })
}

fn retry_after(refused: &Answer) -> i64 {
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    refused.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn strangers_wrong_passwords_do_not_delay_the_owner_elsewhere() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    for region in Region::ALL {
        let owner = app.living_in(region).newcomer(&format!("owner-{region}")).await;
        let stranger = app.in_network("stranger");
        let answers = guess(&stranger, &owner.email, 7).await;
        assert_eq!(count(&answers)["429 RATE_LIMITED"], 2, "{answers:?}");
        let refused = stranger.sign_in(&owner.email, PASSWORD).await;
        assert!((1..=30).contains(&retry_after(&refused)));
        app.in_network("owner").sign_in(&owner.email, PASSWORD).await.expect(200);
        assert_eq!(stranger.sign_in(&owner.email, WRONG).await.brief(), "429 RATE_LIMITED");
    }
}

#[tokio::test]
async fn known_device_signs_in_from_a_network_without_tries() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    for region in Region::ALL {
        let app = app.living_in(Region::Us).in_network(&format!("shared-{region}"));
        let (owner, other) = (format!("own-{region}"), format!("other-{region}"));
        let owner = app.living_in(region).newcomer(&owner).await;
        let other = app.living_in(region).newcomer(&other).await;
        app.replicated().await;
        let known = app.sign_in(&owner.email, PASSWORD).await.expect(200).text_at("/deviceToken");
        guess(&app, &owner.email, 5).await;
        retry_after(&app.sign_in(&owner.email, PASSWORD).await);
        // Another account's token, a made-up one and garbage are no better than none.
        let foreign = app.sign_in(&other.email, PASSWORD).await.expect(200).text_at("/deviceToken");
        let (head, _) = known.rsplit_once('_').unwrap();
        let forged = format!("{head}_{}", &foreign[foreign.len() - 43..]);
        for device in [&foreign, &forged, "garbage", ""] {
            retry_after(&sign_in_on(&app, &owner.email, PASSWORD, device).await);
        }
        sign_in_on(&app, &owner.email, PASSWORD, &known).await.expect(200);
        // A stolen token has five tries of its own.
        for _ in 0..5 {
            let guess = sign_in_on(&app, &owner.email, WRONG, &known).await;
            assert_eq!(guess.brief(), "401 INVALID_CREDENTIALS");
        }
        retry_after(&sign_in_on(&app, &owner.email, PASSWORD, &known).await);
        app.in_network("elsewhere").sign_in(&owner.email, PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn exhausted_network_admits_known_devices() {
    tests::needs_every_region!();
    let app = App::start().await.in_network("shared");
    app.stop_clock().await;
    let us = app.living_in(Region::Us);
    let mut known = Vec::new();
    for region in Region::ALL {
        let owner = app.living_in(region).newcomer(&format!("known-{region}")).await;
        app.replicated().await;
        let device = us.sign_in(&owner.email, PASSWORD).await.expect(200).text_at("/deviceToken");
        known.push((owner, device));
    }
    use_up(&us).await;
    // The 101st, at an address of each region and at one that nobody has.
    for email in
        ["known-us@people.example", "known-eu@people.example", "known-ap@people.example", "no@people.example"]
    {
        assert!((1..=30).contains(&retry_after(&us.sign_in(email, PASSWORD).await)), "{email}");
        retry_after(&sign_in_on(&us, email, PASSWORD, "garbage").await);
    }
    for n in 0..3 {
        let (owner, device) = &known[n];
        let (_, foreign) = &known[(n + 1) % 3];
        retry_after(&sign_in_on(&us, &owner.email, PASSWORD, foreign).await);
        sign_in_on(&us, &owner.email, PASSWORD, device).await.expect(200);
    }
    // Other networks and other endpoints have their own count.
    app.in_network("another").sign_in(&known[0].0.email, PASSWORD).await.expect(200);
    app.advance(31).await;
    us.sign_in(&known[0].0.email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_guesses_at_many_accounts_share_the_networks_tries() {
    tests::needs_every_region!();
    let app = App::alone().await.in_network("guesser");
    app.stop_clock().await;
    let mut answers = Vec::new();
    for round in 0..4 {
        let guesses = (0..30).map(|n| {
            let (app, email) = (app.clone(), format!("guessed{round}x{n}@people.example"));
            async move { until_judged(&app, &email, WRONG).await }
        });
        answers.extend(join_all(guesses).await);
    }
    let judged = count(&answers)["401 INVALID_CREDENTIALS"];
    assert!((1..=100).contains(&judged), "{:?}", count(&answers));
    assert!(answers.contains(&"429 RATE_LIMITED".to_owned()), "{:?}", count(&answers));
}

#[tokio::test]
async fn device_cookie_survives_sign_out() {
    let app = App::start().await;
    app.stop_clock().await;
    let owner = app.newcomer("browser").await;
    let form = json!({ "email": owner.email, "password": PASSWORD });
    let signed_in = app.post("/api/auth/sign-in?session=cookie", form.clone()).await.expect(200);
    assert!(signed_in.at("/deviceToken").is_null());
    let cookies = signed_in.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let cookie = cookies.into_iter().find(|cookie| cookie.starts_with("__Host-device=")).unwrap();
    for attribute in ["Path=/", "Max-Age=15552000", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap();
    let out = owner.post("/api/auth/sign-out", json!({})).await.expect(200);
    assert!(!format!("{:?}", out.headers).contains("__Host-device"));
    let network = app.in_network(&owner.email);
    guess(&network, &owner.email, 5).await;
    retry_after(&network.sign_in(&owner.email, PASSWORD).await);
    let request = network.request(reqwest::Method::POST, "/api/auth/sign-in").header("cookie", pair);
    network.send(request.json(&form)).await.expect(200);
}

#[tokio::test]
async fn guesses_from_many_networks_share_the_accounts_tries() {
    let app = App::start().await;
    app.stop_clock().await;
    let owner = app.newcomer("target").await;
    let known = app.sign_in(&owner.email, PASSWORD).await.expect(200).text_at("/deviceToken");
    for network in 0..10 {
        let answers = guess(&app.in_network(&format!("bot-{network}")), &owner.email, 5).await;
        assert!(answers.iter().all(|answer| answer == "401 INVALID_CREDENTIALS"), "{network}: {answers:?}");
    }
    retry_after(&app.in_network("bot-11").sign_in(&owner.email, PASSWORD).await);
    let home = app.in_network("home");
    sign_in_on(&home, &owner.email, PASSWORD, &known).await.expect(200);
    // The refused attempt took no try of its own network.
    app.advance(31).await;
    assert_eq!(guess(&app.in_network("bot-11"), &owner.email, 1).await, ["401 INVALID_CREDENTIALS"]);
}

#[tokio::test]
async fn wrong_password_costs_the_same_calls_for_any_address() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let us = app.living_in(Region::Us);
    let owner = us.newcomer("worked").await;
    let device = us.sign_in(&owner.email, PASSWORD).await.expect(200).text_at("/deviceToken");
    let work = async |email: &str| {
        let since = app.last_call().await;
        assert_eq!(sign_in_on(&us, email, WRONG, &device).await.brief(), "401 INVALID_CREDENTIALS");
        let calls = app.calls_of("auth-sign-in", since).await;
        let one = |call: &Value| format!("{} {} {}", call["home"], call["operation"], call["capacity"]);
        let mut calls: Vec<String> = calls.iter().map(one).collect();
        calls.sort();
        calls
    };
    let mut seen = Vec::new();
    for n in 0..12 {
        seen.push(work(&format!("nobody{n}@people.example")).await);
    }
    // The token of another account has no effect.
    let neighbour = us.newcomer("neighbour").await;
    let known = work(&neighbour.email).await;
    let alike = seen.iter().filter(|unknown| {
        // One call more: whether another region has the address.
        let mut unknown = unknown.to_vec();
        unknown.retain(|call| !call.starts_with("\"us-east-1\" \"GetItem\" {\"read\":0.5"));
        unknown == known
    });
    assert!(alike.count() > 0, "{known:?}: {seen:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_sign_ins_at_once_all_succeed() {
    let app = App::alone().await;
    let owner = app.newcomer("tenfold").await;
    for many in [10, 50] {
        let answers = join_all((0..many).map(|_| until_judged(&app, &owner.email, PASSWORD))).await;
        assert_eq!(count(&answers), BTreeMap::from([("200", many)]));
    }
    // None of them took a try away.
    let answers = guess(&app, &owner.email, 6).await;
    assert_eq!(count(&answers), BTreeMap::from([("401 INVALID_CREDENTIALS", 5), ("429 RATE_LIMITED", 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_sign_ins_at_once_are_judged_five_times_at_most() {
    let app = App::alone().await;
    app.stop_clock().await;
    let owner = app.newcomer("besieged").await;
    let answers: Vec<String> = join_all((0..50).map(|n| {
        let (app, email) = (app.clone(), owner.email.clone());
        async move { until_judged(&app, &email, &format!("guess number {n}")).await }
    }))
    .await;
    let expected = BTreeMap::from([("401 INVALID_CREDENTIALS", 5), ("429 RATE_LIMITED", 45)]);
    assert_eq!(count(&answers), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_sign_ins_succeed_while_wrong_ones_are_counted() {
    let app = App::alone().await;
    app.stop_clock().await;
    let owner = app.newcomer("mixed").await;
    let passwords = (0..14).map(|n| if n % 4 == 1 { WRONG } else { PASSWORD });
    let sign_in = |password| until_judged(&app, &owner.email, password);
    let answers = join_all(passwords.map(sign_in)).await;
    assert_eq!(count(&answers), BTreeMap::from([("200", 10), ("401 INVALID_CREDENTIALS", 4)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_up_guesses_delay_only_their_session() {
    let app = App::alone().await;
    app.stop_clock().await;
    let owner = app.newcomer("stepper").await;
    let tokens = app.sign_in(&owner.email, PASSWORD).await.expect(200);
    let other = Person::new(app.clone(), "stepper", &owner.email, &tokens);
    let step_up = |who: &Person, password: &'static str| {
        let who = who.clone();
        async move {
            let form = json!({ "password": password });
            until_answered(async || who.post("/api/auth/step-up", form.clone()).await).await
        }
    };
    let answers = join_all((0..10).map(|_| step_up(&owner, PASSWORD))).await;
    assert_eq!(count(&answers), BTreeMap::from([("200", 10)]));
    let answers = join_all((0..20).map(|_| step_up(&owner, WRONG))).await;
    let expected = BTreeMap::from([("401 INVALID_CREDENTIALS", 5), ("429 RATE_LIMITED", 15)]);
    assert_eq!(count(&answers), expected);
    assert_eq!(step_up(&owner, PASSWORD).await, "429 RATE_LIMITED");
    assert_eq!(step_up(&other, PASSWORD).await, "200");
}

#[tokio::test]
async fn reservation_of_a_request_without_a_verdict_is_given_back() {
    let app = App::start().await;
    app.stop_clock().await;
    let owner = app.newcomer("crashed").await;
    // The password is read after the try was reserved, and the request ends before it is settled.
    let fault = json!([{ "service": "dynamodb", "operation": "UpdateItem", "function": "auth-sign-in",
        "kind": "refused", "times": 0, "nth": 4 }]);
    app.faults(fault).await;
    assert_eq!(app.sign_in(&owner.email, WRONG).await.status, 503);
    app.no_faults().await;
    app.advance(11).await;
    let answers = guess(&app, &owner.email, 5).await;
    assert_eq!(count(&answers), BTreeMap::from([("401 INVALID_CREDENTIALS", 5)]));
}

/// Sends so many requests from one network, each about another person.
async fn send(app: &App, path: &str, times: usize, form: impl Fn(usize) -> Value) -> Vec<String> {
    let mut answers = Vec::new();
    for n in 0..times {
        answers.push(app.post(path, form(n)).await.brief());
    }
    answers
}

#[tokio::test]
async fn anonymous_requests_from_one_network_are_limited() {
    let app = App::start().await;
    app.stop_clock().await;
    let network = app.in_network("crowd");
    let sign_up = |n: usize| json!({ "email": format!("new{n}@people.example"), "password": PASSWORD, "region": Region::ALL[n % 3] });
    let forgot = |n: usize| json!({ "email": format!("old{n}@people.example") });
    let verify = |n: usize| json!({ "email": format!("new{n}@people.example"), "code": format!("{n:06}") });
    let feedback = |n: usize| json!({ "kind": "other", "text": format!("Feedback {n}") });
    for (path, limit, form) in [
        ("/api/auth/sign-up", 30, &sign_up as &dyn Fn(usize) -> Value),
        ("/api/auth/password/forgot", 30, &forgot),
        ("/api/auth/verify", 60, &verify),
        ("/api/feedback", 10, &feedback),
    ] {
        let answers = send(&network, path, limit + 2, form).await;
        let limited: Vec<bool> = answers.iter().map(|answer| answer == "429 RATE_LIMITED").collect();
        let expected: Vec<bool> = (0..limit + 2).map(|n| n >= limit).collect();
        assert_eq!(limited, expected, "{path}: {answers:?}");
        let elsewhere = app.in_network("not in the crowd").post(path, form(99)).await;
        assert_ne!(elsewhere.status, 429, "{path}");
    }
    let refused = network.post("/api/auth/sign-up", sign_up(50)).await;
    let wait = retry_after(&refused);
    assert!((1..=3_600).contains(&wait), "{wait}");
    app.advance(wait).await;
    network.post("/api/auth/sign-up", sign_up(50)).await.expect(202);
}

#[tokio::test]
async fn limited_network_costs_no_aws_calls() {
    let app = App::start().await;
    app.stop_clock().await;
    let network = app.in_network("idle");
    let form = |n: usize| json!({ "email": format!("old{n}@people.example") });
    for _ in 0..40 {
        network.post("/api/auth/password/forgot", json!({ "email": "no address" })).await.expect(400);
    }
    send(&network, "/api/auth/password/forgot", 31, form).await;
    let since = app.last_call().await;
    let answers = send(&network, "/api/auth/password/forgot", 10, form).await;
    assert_eq!(count(&answers), BTreeMap::from([("429 RATE_LIMITED", 10)]));
    // Another process may not know of the refusal yet.
    if tests::binaries().is_none() {
        assert_eq!(app.calls_of("auth-password-forgot", since).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn parallel_sign_ups_from_one_network_share_the_limit() {
    let app = App::alone().await.in_network("burst");
    app.stop_clock().await;
    let answers: Vec<String> = join_all((0..60).map(|n| {
        let app = app.clone();
        async move {
            app.post("/api/auth/password/forgot", json!({ "email": format!("b{n}@people.example") }))
                .await
                .brief()
        }
    }))
    .await;
    assert_eq!(count(&answers)["429 RATE_LIMITED"], 30, "{:?}", count(&answers));
}
