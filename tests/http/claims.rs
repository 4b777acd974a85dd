//! Handles and addresses are unique over all regions, in races and after failures.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::region::Region;
use futures::future::{BoxFuture, join_all};
use tests::{Answer, App, PASSWORD, Person, Value, every, json};

use crate::many;

type Item = std::collections::HashMap<String, AttributeValue>;

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

async fn scan(app: &App, table: String) -> Vec<Item> {
    let mut pages = app.tables().scan().table_name(table).consistent_read(true).into_paginator().send();
    let mut items = Vec::new();
    while let Some(page) = pages.next().await {
        items.extend(page.unwrap().items.unwrap_or_default());
    }
    items
}

/// What the directory's authority holds, but for the signing keys.
async fn directory(app: &App) -> Vec<Item> {
    let mut items = scan(&app.living_in(Region::AUTHORITY), "account-directory".to_owned()).await;
    // Names only: claims on credit stay, also of accounts that were not opened.
    items.retain(|item| text(item, "pk") != "SIGNING-KEYS" && !text(item, "pk").starts_with("CREDIT"));
    items
}

async fn reap(app: &App, region: Region) -> Answer {
    app.post(&format!("/_local/run/reap-claims?region={region}"), json!({})).await.expect(200)
}

/// Signs up with one address in every region; the codes, by region.
async fn sign_up_everywhere(app: &App, email: &str) -> BTreeMap<Region, String> {
    let sign_up = |region| {
        let app = app.living_in(region);
        async move { app.sign_up(email).await.expect(202) }
    };
    join_all(Region::ALL.map(sign_up)).await;
    let codes = app.codes(email, Region::ALL.len()).await;
    let region = |code: &String| Region::ALL[code.parse::<usize>().unwrap() % Region::ALL.len()];
    codes.into_iter().map(|code| (region(&code), code)).collect()
}

/// One answer is the winner's, with `won`; every other says `lost`. The winner's place.
fn one_winner(answers: &[Answer], won: &str, lost: &str) -> usize {
    let brief: Vec<String> = answers.iter().map(Answer::brief).collect();
    let winners = brief.iter().filter(|answer| *answer == won).count();
    let losers = brief.iter().filter(|answer| *answer == lost).count();
    assert_eq!((winners, losers), (1, answers.len() - 1), "{brief:?}");
    brief.iter().position(|answer| answer == won).unwrap()
}

/// A person enters the code of each region at once; the winner is a newcomer.
async fn race_for_address(app: &App, email: &str) -> Person {
    let codes = sign_up_everywhere(app, email).await;
    assert_eq!(codes.len(), Region::ALL.len());
    let verify = |(region, code): (&Region, &String)| {
        let (app, form) =
            (app.living_in(*region), json!({ "email": email, "code": code, "password": PASSWORD }));
        async move { app.post("/api/auth/verify", form).await }
    };
    let answers = join_all(codes.iter().map(verify)).await;
    let winner = one_winner(&answers, "200", "409 EMAIL_TAKEN");
    let home = *codes.keys().nth(winner).unwrap();
    Person::new(app.living_in(home), "", email, &answers[winner])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_claims_have_one_winner_over_all_regions() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let mut people = Vec::new();
    let mut newcomers: BTreeMap<Region, Vec<Person>> = BTreeMap::new();
    for region in Region::ALL {
        people.push(app.living_in(region).newcomer(&format!("first-{region}")).await);
    }
    let rounds = many::number("ACCOUNT_TEST_ROUNDS", 40);
    for round in 0..rounds {
        let email = format!("round{round}@people.example");
        let winner = race_for_address(&app, &email).await;
        newcomers.entry(winner.app.home()).or_default().push(winner);
        let form = json!({ "username": format!("round-{round}"), "displayName": "R" });
        let answers = join_all(people.iter().map(|who| who.post("/api/onboarding", form.clone()))).await;
        let winner = one_winner(&answers, "201", "409 USERNAME_TAKEN");
        // The losers try for the next one, beside somebody new.
        let home = people[winner].app.home();
        people[winner] = match newcomers.entry(home).or_default().pop() {
            Some(newcomer) => newcomer,
            None => app.living_in(home).newcomer(&format!("more-{round}")).await,
        };
        if round % 20 == 19 {
            // Sessions last ten minutes, which the clock may pass here or there: everybody starts afresh.
            for who in &mut people {
                let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
                *who = Person::new(who.app.clone(), "", &who.email, &tokens);
            }
        }
    }
    app.advance(601).await;
    for region in Region::ALL {
        reap(&app, region).await;
    }
    nothing_is_left_of_losers(&app, rounds).await;
}

/// Every name in the directory is used at its holder's home, permanently; nothing waits anywhere.
async fn nothing_is_left_of_losers(app: &App, rounds: usize) {
    let mut claims = directory(app).await;
    claims.sort_by_key(|item| text(item, "pk").to_owned());
    assert!(claims.iter().all(|item| text(item, "sk") == "CLAIM"), "nothing is pending");
    assert!(claims.iter().all(|item| !item.contains_key("deadline")), "everything is confirmed");
    let mut used = Vec::new();
    for region in Region::ALL {
        let app = app.living_in(region);
        let identity = scan(&app, app.table("identity")).await;
        assert!(
            identity.iter().all(|item| !text(item, "pk").starts_with("SIGNUP#")),
            "sign-ups wait in {region}"
        );
        for item in identity.iter().chain(&scan(&app, app.table("workspaces")).await) {
            let place = (region.to_string(), text(item, "user").to_owned() + text(item, "workspace"));
            match text(item, "sk") {
                "EMAIL" => used.push((text(item, "pk").replace("EMAIL#", "ADDRESS#"), place)),
                "HANDLE" => used.push((text(item, "pk").to_owned(), place)),
                _ => {}
            }
        }
    }
    used.sort();
    let claimed: Vec<_> = claims
        .iter()
        .map(|item| {
            (text(item, "pk").to_owned(), (text(item, "home").to_owned(), text(item, "id").to_owned()))
        })
        .collect();
    assert_eq!(claimed, used);
    assert!(used.iter().filter(|(name, _)| name.starts_with("HANDLE#round-")).count() == rounds);
}

/// A request on the way to an account: how it is prepared and made.
struct Step {
    function: &'static str,
    prepare: fn(App, String) -> BoxFuture<'static, Person>,
    call: fn(Person) -> BoxFuture<'static, Answer>,
}

fn steps() -> [Step; 2] {
    [
        Step {
            function: "auth-verify",
            prepare: |app, handle| {
                Box::pin(async move {
                    let email = format!("{handle}@people.example");
                    app.sign_up(&email).await.expect(202);
                    // The code takes the place of the token.
                    let token = app.code(&email).await;
                    Person { app, handle, email, token, refresh: String::new() }
                })
            },
            call: |who| {
                Box::pin(async move {
                    let form = json!({ "email": who.email, "code": who.token, "password": PASSWORD });
                    who.app.post("/api/auth/verify", form).await
                })
            },
        },
        Step {
            function: "onboarding",
            prepare: |app, handle| Box::pin(async move { app.newcomer(&handle).await }),
            call: |who| {
                Box::pin(async move {
                    let form = json!({ "username": who.handle, "displayName": "X" });
                    who.post("/api/onboarding", form).await
                })
            },
        },
    ]
}

/// The plan for a function that dies right before, or right after, the `place`th of such calls.
fn death(call: &Value, place: usize, after: bool) -> Value {
    let fault = |nth: usize, times: usize, kind: &str| {
        json!({
            "service": call["service"], "operation": call["operation"], "function": call["function"],
            "region": call["region"], "nth": nth, "times": times, "kind": kind,
        })
    };
    match after {
        // Applied, but nobody hears of it, and nothing is sent any more.
        true => json!([fault(place, 1, "lost-response"), fault(place + 1, 0, "refused")]),
        false => json!([fault(place, 0, "refused")]),
    }
}

/// Kills a step before and after each of its calls; `then` checks the state that is left.
async fn kill_everywhere(
    step: &Step,
    letter: char,
    then: fn(Person, Region) -> BoxFuture<'static, ()>,
) -> usize {
    let app = App::start().await.living_in(Region::Eu);
    let name =
        |nth: usize, after: bool| format!("{}{letter}-{nth}-{after}", &step.function[..6].replace('-', "x"));
    let before = app.last_call().await;
    let who = (step.prepare)(app.clone(), name(99, true)).await;
    let begun = app.calls_of(step.function, before).await.len();
    assert!((step.call)(who).await.status < 300);
    let calls = app.calls_of(step.function, before).await.split_off(begun);
    for (nth, call) in calls.iter().enumerate() {
        let same = |other: &&Value| {
            ["service", "operation", "region"].iter().all(|member| other[*member] == call[*member])
        };
        let place = calls.iter().take(nth + 1).filter(same).count();
        for after in [false, true].into_iter().filter(|after| is_sampled(nth, *after)) {
            let who = (step.prepare)(app.clone(), name(nth, after)).await;
            app.faults(death(call, place, after)).await;
            let answer = (step.call)(who.clone()).await;
            app.no_faults().await;
            assert!(answer.status == 503 || answer.status < 300, "{nth} {after}: {}", answer.text);
            then(who, Region::ALL[nth % Region::ALL.len()]).await;
        }
    }
    (0..calls.len())
        .flat_map(|nth| [(nth, false), (nth, true)])
        .filter(|(nth, after)| is_sampled(*nth, *after))
        .count()
}

/// Whether a step is killed there in this run.
fn is_sampled(nth: usize, after: bool) -> bool {
    (nth * 2 + usize::from(after)).is_multiple_of(every(3))
}

/// The account can be used through every region's endpoint, once the directory's replicas have followed.
async fn works_everywhere(who: &Person) {
    let signed_in = |region| async move {
        let app = who.app.by_way_of(region);
        let tokens = app.first_sign_in(&who.email).await;
        Person::new(app, &who.handle, &who.email, &tokens)
    };
    for who in join_all(Region::ALL.map(signed_in)).await {
        let answer = who.get("/api/settings").await;
        if answer.status != 200 {
            assert_eq!(answer.brief(), "403 ONBOARDING_REQUIRED");
            return;
        }
        let profile = who.app.get(&format!("/api/users?username={}", who.handle)).await;
        assert_eq!(profile.expect(200).text_at("/user/username"), who.handle);
    }
}

fn after_a_retry(who: Person, _: Region) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        // Either step: a code is entered again, a handle chosen again.
        if who.token.len() == 6 {
            let form = json!({ "email": who.email, "code": who.token, "password": PASSWORD });
            let answer = who.app.post("/api/auth/verify", form).await;
            assert!(["200", "422 CODE_INVALID"].contains(&answer.brief().as_str()), "{}", answer.text);
        } else {
            let form = json!({ "username": who.handle, "displayName": "X" });
            let answer = who.post("/api/onboarding", form).await;
            assert!(["201", "409 CONFLICT"].contains(&answer.brief().as_str()), "{}", answer.text);
            who.get("/api/settings").await.expect(200);
        }
        works_everywhere(&who).await;
    })
}

fn after_the_reaper(who: Person, elsewhere: Region) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        who.app.advance(601).await;
        reap(&who.app, who.app.home()).await;
        let waiting = directory(&who.app).await;
        assert!(waiting.iter().all(|item| !text(item, "pk").starts_with("PENDING#")), "{waiting:?}");
        let there = who.app.living_in(elsewhere);
        let exists = who.app.sign_in(&who.email, PASSWORD).await;
        if exists.status != 200 {
            // The address is free: its owner can open an account in any region.
            let codes = there.mail(&who.email).await.len();
            there.sign_up(&who.email).await.expect(202);
            let code = there.codes(&who.email, codes + 1).await.remove(0);
            let form = json!({ "email": who.email, "code": code, "password": PASSWORD });
            there.post("/api/auth/verify", form).await.expect(200);
            return;
        }
        works_everywhere(&who).await;
        let claimed = who.app.get(&format!("/api/users?username={}", who.handle)).await.status == 200;
        if !claimed {
            let other = there.newcomer(&format!("other-{}", who.handle)).await;
            let form = json!({ "username": who.handle, "displayName": "O" });
            other.post("/api/onboarding", form).await.expect(201);
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the number of deaths is worth seeing: run with --nocapture")]
async fn interrupted_sign_up_is_completed_or_leaves_no_claims() {
    tests::needs_every_region!();
    let steps = steps();
    let retried = steps.iter().map(|step| kill_everywhere(step, 'a', after_a_retry));
    let reaped = steps.iter().map(|step| kill_everywhere(step, 'b', after_the_reaper));
    let (retried, reaped) = (join_all(retried).await, join_all(reaped).await);
    println!("{} deaths before or after a call", retried.iter().chain(&reaped).sum::<usize>());
}

#[tokio::test]
async fn a_claim_that_nobody_confirms_is_confirmed_by_the_reaper() {
    tests::needs_every_region!();
    let app = App::start().await.living_in(Region::Ap);
    app.stop_clock().await;
    let refused =
        json!([{ "service": "dynamodb", "function": "confirm-claims", "kind": "refused", "times": 0 }]);
    app.faults(refused).await;
    let ada = app.user("ada-claims").await;
    assert!(directory(&app).await.iter().any(|item| item.contains_key("deadline")));
    app.advance(599).await;
    assert_eq!(reap(&app, Region::Ap).await.body, json!({ "confirmed": 0, "freed": 0 }));
    app.advance(2).await;
    assert_eq!(reap(&app, Region::Us).await.body, json!({ "confirmed": 0, "freed": 0 }), "another region's");
    // The schedule may be quicker.
    assert_eq!(reap(&app, Region::Ap).await.at("/freed"), 0);
    assert!(directory(&app).await.iter().all(|item| !item.contains_key("deadline")));
    works_everywhere(&ada).await;
}

#[tokio::test]
async fn the_handle_that_is_not_chosen_after_all_is_free_at_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.newcomer("ada-two").await;
    let onboard = |handle: &'static str| {
        let ada = ada.clone();
        async move { ada.post("/api/onboarding", json!({ "username": handle, "displayName": "A" })).await }
    };
    let answers = join_all(["this-one", "that-one"].map(onboard)).await;
    let winner = one_winner(&answers, "201", "409 CONFLICT");
    let free = ["that-one", "this-one"][winner];
    let check = app.get(&format!("/api/username/check?username={free}")).await.expect(200);
    assert_eq!(check.at("/available"), true);
}
