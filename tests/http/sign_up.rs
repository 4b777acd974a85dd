//! Signing up and entering the code.

use domain::region::Region;
use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, json};

/// A password that is not the one of everybody else in these tests.
const OTHER: &str = "seven blue kites over the harbour";

/// Begins an account with a password; the token of the sign-up.
async fn sign_up(app: &App, email: &str, password: &str) -> String {
    let form = json!({ "email": email, "password": password, "region": app.home() });
    app.post("/api/auth/sign-up", form).await.expect(202).text_at("/signUpToken")
}

/// Enters a code with a token or a password.
async fn verify(app: &App, email: &str, code: &str, (name, secret): (&str, &str)) -> Answer {
    let mut form = json!({ "email": email, "code": code });
    form[name] = json!(secret);
    app.post("/api/auth/verify", form).await
}

/// A code that no sign-up has: the largest is 999998.
const WRONG: &str = "999999";

#[tokio::test]
async fn mailed_code_with_the_token_opens_the_account_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    let begun = app.sign_up("ada@people.example").await;
    let token = begun.text_at("/signUpToken");
    assert_eq!(begun.text, format!(r#"{{"email":"ada@people.example","signUpToken":"{token}"}}"#));
    assert!(begun.header("set-cookie").is_none());
    let code = app.code("ada@people.example").await;
    let session = app.verify("ADA@people.example", &code, &token).await.expect(200);
    assert_eq!(session.at("/tokenType"), "Bearer");
    assert_eq!(session.at("/expiresIn"), 600);
    assert_eq!(session.at("/onboarded"), false);
    assert_eq!(session.at("/region"), app.home().as_str());
    assert_eq!(app.verify("ada@people.example", &code, &token).await.brief(), "422 CODE_INVALID");
    app.sign_in("ada@people.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn code_alone_is_refused_in_every_state() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "alone@people.example";
    let alone = async |code: &str| {
        let answer = app.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
        assert!(answer.text_at("/error").contains("`signUpToken`"), "{}", answer.text);
        answer.brief()
    };
    assert_eq!(alone(WRONG).await, "422 PASSWORD_REQUIRED", "before the sign-up");
    let token = sign_up(&app, email, PASSWORD).await;
    let code = app.code(email).await;
    for code in [code.as_str(), WRONG] {
        assert_eq!(alone(code).await, "422 PASSWORD_REQUIRED", "while it waits");
    }
    app.verify(email, &code, &token).await.expect(200);
    assert_eq!(alone(&code).await, "422 PASSWORD_REQUIRED", "after it");
}

#[tokio::test]
async fn browser_gets_the_secret_as_a_cookie_only() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "browser@people.example";
    let form = json!({ "email": email, "password": PASSWORD, "region": app.home() });
    let begun = app.post("/api/auth/sign-up?session=cookie", form).await.expect(202);
    assert_snapshot!(begun.text, @r#"{"email":"browser@people.example"}"#);
    let line = begun.header("set-cookie").unwrap();
    let (cookie, attributes) = line.split_once("; ").unwrap();
    assert!(cookie.starts_with("__Host-sign-up=su_"), "{line}");
    assert_eq!(attributes, "Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Strict");
    let form = json!({ "email": email, "code": app.code(email).await });
    let enter = async |cookie: &str, key: &str| {
        let request = app.request(Method::POST, "/api/auth/verify").header("cookie", cookie).json(&form);
        app.send(request.header("idempotency-key", key)).await
    };
    assert_eq!(enter("__Host-sign-up=su_us_x", "a").await.brief(), "422 PASSWORD_REQUIRED");
    let opened = enter(cookie, "b").await.expect(200);
    assert_eq!(opened.header("set-cookie").map(|line| line.split(';').nth(2)), Some(Some(" Max-Age=0")));
    // The cookie is no part of the request that the key stands for, so it is checked again.
    enter(cookie, "b").await.expect(200);
    let other = sign_up(&app, "other@people.example", OTHER).await;
    assert_eq!(enter(&format!("__Host-sign-up={other}"), "b").await.brief(), "422 CODE_INVALID");
}

#[tokio::test]
async fn known_address_gets_the_same_answer_and_another_mail() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.newcomer("bob").await;
    app.advance(61).await;
    let before = app.last_call().await;
    let known = app.sign_up("bob@people.example").await;
    let calls_known = app.calls_of("auth-sign-up", before).await.len();
    let before = app.last_call().await;
    let unknown = app.sign_up("new@people.example").await;
    let calls_unknown = app.calls_of("auth-sign-up", before).await.len();
    assert_eq!((known.status, unknown.status), (202, 202));
    let without_token =
        |answer: &Answer| answer.text.replace(&answer.text_at("/signUpToken"), "").replace("bob", "new");
    assert_eq!(without_token(&known), without_token(&unknown));
    assert_eq!(known.text.len(), unknown.text.len());
    assert_eq!(calls_known, calls_unknown, "the work tells which address has an account");
    let mail = app.mail_of_kind("bob@people.example", "account-exists").await;
    assert!(!mail["text"].as_str().unwrap().chars().any(|c| c.is_ascii_digit()), "no code goes out");
    app.sign_in("bob@people.example", PASSWORD).await.expect(200);
}

/// One of the two who sign up with one address.
struct Claimant {
    app: App,
    /// The address in this person's spelling.
    email: String,
    password: &'static str,
    token: String,
    code: String,
}

/// The owner and a stranger sign up with one address, in the order that `owner_first` says.
async fn claimants(app: &App, name: &str, owner_first: bool) -> [Claimant; 2] {
    let people = [
        (app.in_network("network 2"), format!("{name}@people.example"), PASSWORD),
        (app.in_network("network 3"), format!("{}@people.example", name.to_uppercase()), OTHER),
    ];
    let order = if owner_first { [0, 1] } else { [1, 0] };
    let mut tokens = [String::new(), String::new()];
    for n in order {
        let (app, email, password) = &people[n];
        tokens[n] = sign_up(app, email, password).await;
    }
    let [owner, stranger] = people;
    let [mine, others] = tokens;
    app.codes(&owner.1, 2).await;
    let mail = app.mail(&owner.1).await;
    let claimant = |(app, email, password): (App, String, &'static str), token| {
        // Each code goes to the address as this person typed it.
        let mail = mail.iter().find(|mail| mail["to"] == email.as_str()).unwrap();
        let code = mail["text"].as_str().unwrap().chars().filter(char::is_ascii_digit).take(6).collect();
        Claimant { app, email, password, token, code }
    };
    [claimant(owner, mine), claimant(stranger, others)]
}

#[tokio::test]
async fn code_is_accepted_only_with_its_sign_up_secret() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let mut n = 0;
    for owner_first in [true, false] {
        for code_of in [0, 1] {
            for secret_of in [0, 1] {
                for secret in ["signUpToken", "password"] {
                    n += 1;
                    let people = claimants(&app, &format!("kim{n}"), owner_first).await;
                    let who = &people[secret_of];
                    let value = if secret == "password" { who.password } else { &who.token };
                    let answer = verify(&who.app, &who.email, &people[code_of].code, (secret, value)).await;
                    if code_of != secret_of {
                        assert_eq!(answer.brief(), "422 CODE_INVALID");
                        continue;
                    }
                    let opened = Person::new(who.app.clone(), "", &who.email, &answer.expect(200));
                    let other = &people[1 - secret_of];
                    let refused = other.app.sign_in(&other.email, other.password).await;
                    assert_eq!(refused.brief(), "401 INVALID_CREDENTIALS");
                    who.app.sign_in(&other.email, who.password).await.expect(200);
                    let form = json!({ "username": format!("kim-{n}"), "displayName": "Kim" });
                    opened.post("/api/onboarding", form).await.expect(201);
                    let settings = opened.get("/api/settings").await.expect(200);
                    assert!(settings.text.contains(&format!("\"{}\"", who.email)), "{}", settings.text);
                }
            }
        }
    }
}

#[tokio::test]
async fn stored_address_is_the_one_its_owner_typed() {
    tests::needs_every_region!();
    let app = App::start().await;
    let [owner, stranger] = claimants(&app, "typed", true).await;
    let opened = app.verify(&stranger.email, &owner.code, &owner.token).await.expect(200);
    let owner = Person::new(app.clone(), "typed", &owner.email, &opened);
    let form = json!({ "username": "typed-name", "displayName": "T" });
    owner.post("/api/onboarding", form).await.expect(201);
    owner.make_key("laptop").await;
    let mail = app.mail_of_kind(&owner.email, "api-key-created").await;
    assert_eq!(mail["to"], "typed@people.example");
}

#[tokio::test]
async fn owner_gets_a_code_within_a_minute_after_a_strangers_attempts() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (home, elsewhere) = (app.in_network("network 2"), app.in_network("network 3"));
    let email = "victim@people.example";
    for _ in 0..5 {
        let token = sign_up(&elsewhere, email, OTHER).await;
        assert_eq!(
            verify(&elsewhere, email, WRONG, ("signUpToken", &token)).await.brief(),
            "422 CODE_INVALID"
        );
        assert_eq!(verify(&elsewhere, email, WRONG, ("password", OTHER)).await.brief(), "422 CODE_INVALID");
        assert_eq!(
            verify(&elsewhere, email, WRONG, ("password", PASSWORD)).await.brief(),
            "422 CODE_INVALID"
        );
        app.advance(61).await;
    }
    let over = json!({ "email": email, "password": OTHER, "region": app.home() });
    assert_eq!(elsewhere.post("/api/auth/sign-up", over).await.brief(), "429 RATE_LIMITED");
    let token = sign_up(&home, email, PASSWORD).await;
    // The stranger guesses at once, with and without the owner's password.
    for _ in 0..5 {
        verify(&elsewhere, email, WRONG, ("password", OTHER)).await;
        verify(&elsewhere, email, WRONG, ("password", "not the right password")).await;
    }
    let code = app.codes(email, 6).await.remove(0);
    verify(&home, email, &code, ("signUpToken", &token)).await.expect(200);
    home.sign_in(email, PASSWORD).await.expect(200);
    assert_eq!(elsewhere.sign_in(email, OTHER).await.brief(), "401 INVALID_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owner_opens_the_account_while_strangers_sign_up() {
    tests::needs_every_region!();
    let app = App::alone().await;
    let email = "busy@people.example";
    let token = sign_up(&app, email, PASSWORD).await;
    let code = app.code(email).await;
    let strangers = (2..8).map(|n| {
        let app = app.in_network(&format!("network {n}"));
        async move {
            app.post("/api/auth/sign-up", json!({ "email": email, "password": OTHER, "region": app.home() }))
                .await
        }
    });
    let (_, opened) = futures::join!(join_all(strangers), app.verify(email, &code, &token));
    opened.expect(200);
    app.sign_in(email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn networks_together_get_twenty_codes_an_hour_for_an_address() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "bombed@people.example";
    for n in 2..22 {
        sign_up(&app.in_network(&format!("network {n}")), email, OTHER).await;
    }
    let refused = app.in_network("network 22").sign_up(email).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    app.advance(seconds).await;
    app.in_network("network 22").sign_up(email).await.expect(202);
}

#[tokio::test]
async fn code_mail_names_time_and_device_of_its_sign_up() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "device@people.example";
    let form = json!({ "email": email, "password": PASSWORD, "region": app.home() });
    let agent =
        "<a href='https://evil.example'>x</a> (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let request = app.request(Method::POST, "/api/auth/sign-up").header("user-agent", agent).json(&form);
    app.send(request).await.expect(202);
    let mail = app.mail_of_kind(email, "sign-up-code").await;
    let text = mail["text"].as_str().unwrap();
    assert!(
        text.contains(" UTC from Firefox on Linux. The code works only in the browser or app that"),
        "{text}"
    );
    assert!(!mail.to_string().contains("evil"), "{mail}");
}

#[tokio::test]
async fn repeated_sign_up_request_answers_the_same_token() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "lost@people.example";
    let form = json!({ "email": email, "password": PASSWORD, "region": app.home() });
    let send = async |key: &str| {
        let request =
            app.request(Method::POST, "/api/auth/sign-up").header("idempotency-key", key).json(&form);
        app.send(request).await
    };
    let first = send("a").await.expect(202);
    assert_eq!(send("a").await.expect(202).text, first.text);
    assert_eq!(send("b").await.brief(), "429 RATE_LIMITED");
    let code = app.code(email).await;
    assert_eq!(app.mail(email).await.len(), 1);
    app.verify(email, &code, &first.text_at("/signUpToken")).await.expect(200);
}

#[tokio::test]
async fn second_sign_up_keeps_codes_bound_to_their_secrets() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "twice@people.example";
    let first = sign_up(&app, email, PASSWORD).await;
    assert_eq!(app.sign_up(email).await.brief(), "429 RATE_LIMITED");
    app.advance(61).await;
    let second = sign_up(&app, email, PASSWORD).await;
    let codes = app.codes(email, 2).await;
    assert_eq!(app.verify(email, &codes[0], &first).await.brief(), "422 CODE_INVALID");
    assert_eq!(app.verify(email, &codes[1], &second).await.brief(), "422 CODE_INVALID");
    verify(&app, email, &codes[1], ("password", PASSWORD)).await.expect(200);
}

#[tokio::test]
async fn code_and_token_are_accepted_as_they_are_pasted() {
    tests::needs_every_region!();
    let app = App::start().await;
    for n in 0..5 {
        let email = format!("pasted{n}@people.example");
        let token = sign_up(&app, &email, PASSWORD).await;
        let code = app.code(&email).await;
        let (first, second) = code.split_at(3);
        let wide = |c: char| char::from_u32(c as u32 - '0' as u32 + '０' as u32).unwrap();
        let pasted = [
            format!(" {code}\n"),
            format!("{first} {second}"),
            format!("{first}-{second}"),
            code.chars().map(wide).collect(),
            format!("\u{feff}{first}\u{200b}{second}\u{a0}"),
        ];
        let (start, end) = token.split_at(40);
        app.verify(&email, &pasted[n], &format!(" {start}\r\n{end}\n")).await.expect(200);
    }
    for bad in ["12345", "1234567", "12345x", ""] {
        let answer = app.verify("pasted@people.example", bad, &format!("su_us_{}", "0".repeat(26))).await;
        assert_eq!(answer.complaints(), "code INVALID, signUpToken INVALID");
    }
}

#[tokio::test]
async fn code_expires_after_ten_minutes_and_five_tries() {
    tests::needs_every_region!();
    let app = App::start().await;
    let email = "slow@people.example";
    let token = sign_up(&app, email, PASSWORD).await;
    let code = app.code(email).await;
    app.advance(601).await;
    assert_eq!(app.verify(email, &code, &token).await.brief(), "422 CODE_INVALID");
    let token = sign_up(&app, email, PASSWORD).await;
    let code = app.codes(email, 2).await.remove(0);
    for _ in 0..5 {
        assert_eq!(app.verify(email, WRONG, &token).await.brief(), "422 CODE_INVALID");
    }
    assert_eq!(app.verify(email, &code, &token).await.brief(), "422 CODE_INVALID");
}

#[tokio::test]
async fn address_is_no_password() {
    tests::needs_every_region!();
    let app = App::start().await;
    for (email, password) in [
        ("margaret.hamilton@people.example", "margaret.hamilton"),
        ("margaret.hamilton@people.example", "Hamilton-Margaret"),
        ("jane.q.public@people.example", "jane.q.public"),
        ("ada@contoso-widgets.example", "contoso-widgets"),
    ] {
        let form = json!({ "email": email, "password": password, "region": app.home() });
        let answer = app.post("/api/auth/sign-up", form).await;
        assert_eq!(
            (answer.brief().as_str(), answer.complaints().as_str()),
            ("400 VALIDATION_ERROR", "password INVALID")
        );
        assert!(!answer.text.contains(password), "{}", answer.text);
    }
}

#[tokio::test]
async fn at_most_five_codes_an_hour_go_to_an_address() {
    tests::needs_every_region!();
    let app = App::start().await;
    for _ in 0..5 {
        app.sign_up("many@people.example").await.expect(202);
        app.advance(61).await;
    }
    let refused = app.sign_up("many@people.example").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    app.advance(seconds).await;
    app.sign_up("many@people.example").await.expect(202);
}

#[tokio::test]
async fn a_weak_password_is_refused_with_advice_and_never_repeated() {
    tests::needs_every_region!();
    let app = App::start().await;
    for weak in ["short", "password1", "people.example1", "aaaaaaaaaaaaaaaa"] {
        let form = json!({ "email": "weak@people.example", "password": weak, "region": app.home() });
        let answer = app.post("/api/auth/sign-up", form).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR");
        assert_eq!(answer.complaints(), "password INVALID");
        assert!(!answer.text.contains(weak), "{}", answer.text);
    }
}

#[tokio::test]
async fn account_is_created_in_the_chosen_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    for (home, endpoint) in [(Region::Eu, Region::Us), (Region::Us, Region::Ap), (Region::Ap, Region::Eu)] {
        let app = app.living_in(home).by_way_of(endpoint);
        let ada = app.newcomer(&format!("ada-{home}")).await;
        let session = app.first_sign_in(&ada.email).await;
        assert_eq!(session.at("/region"), home.as_str());
        let form = json!({ "username": ada.handle, "displayName": "A" });
        assert_eq!(ada.post("/api/onboarding", form).await.expect(201).at("/region"), home.as_str());
        assert_eq!(app.mail(&ada.email).await[0]["region"], home.as_str());
    }
    let form = json!({ "email": "x@people.example", "password": PASSWORD, "region": "mars" });
    assert_eq!(app.post("/api/auth/sign-up", form).await.complaints(), "region INVALID");
}

#[tokio::test]
async fn other_regions_address_gets_same_answer_and_another_mail() {
    tests::needs_every_region!();
    let app = App::start().await.living_in(Region::Us);
    let ada = app.living_in(Region::Eu).newcomer("ada-e").await;
    let (known, new) = (app.sign_up(&ada.email).await.expect(202), app.sign_up("new@people.example").await);
    assert_eq!((known.status, known.headers.len()), (new.status, new.headers.len()));
    let mail = app.mail_of_kind(&ada.email, "account-exists").await;
    assert_eq!(mail["region"], "us", "the mail is from where the sign-up was tried");
}

#[tokio::test]
async fn second_confirmation_reports_email_taken() {
    tests::needs_every_region!();
    let app = App::start().await.living_in(Region::Us);
    let eu = app.living_in(Region::Eu);
    for app in [&app, &eu] {
        app.sign_up("twice@people.example").await.expect(202);
    }
    let codes = app.codes("twice@people.example", 2).await;
    let enter = async |code: &str| verify(&app, "twice@people.example", code, ("password", PASSWORD)).await;
    enter(&codes[0]).await.expect(200);
    assert_eq!(enter(&codes[1]).await.brief(), "409 EMAIL_TAKEN");
    assert_eq!(enter(&codes[1]).await.brief(), "422 CODE_INVALID", "the sign-up is gone");
}
