//! Tokens: what they open, how they end.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::region::Region;
use tests::{App, PASSWORD, Person, Value, json};

async fn refresh(app: &App, token: &str) -> tests::Answer {
    app.post("/api/auth/refresh", json!({ "refreshToken": token })).await
}

#[tokio::test]
async fn a_refresh_token_rotates_and_a_lost_answer_is_given_again() {
    let app = App::start().await;
    let ada = app.user("ada1").await;
    let first = refresh(&app, &ada.refresh).await.expect(200);
    let again = refresh(&app, &ada.refresh).await.expect(200);
    assert_eq!(first.at("/refreshToken"), again.at("/refreshToken"));
    assert_eq!(first.at("/onboarded"), true);
    let next = refresh(&app, &first.text_at("/refreshToken")).await.expect(200);
    assert_ne!(next.at("/refreshToken"), first.at("/refreshToken"));
}

#[tokio::test]
async fn a_rotated_token_used_later_ends_the_session_and_says_so() {
    let app = App::start().await;
    let bob = app.user("bob1").await;
    let stolen = bob.refresh.clone();
    let next = refresh(&app, &stolen).await.expect(200);
    app.advance(11).await;
    assert_eq!(refresh(&app, &stolen).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(refresh(&app, &next.text_at("/refreshToken")).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(bob.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    app.mail_of_kind(&bob.email, "session-ended").await;
    let again = app.sign_in(&bob.email, PASSWORD).await.expect(200);
    let bob = Person::new(app.clone(), "bob1", &bob.email, &again);
    let history = bob.activity().await;
    assert_eq!(history.iter().filter(|line| line.starts_with("deleted security")).count(), 1, "{history:?}");
}

#[tokio::test]
async fn a_made_up_token_ends_nobodys_session() {
    let app = App::start().await;
    let gina = app.user("gina1").await;
    let mut parts: Vec<&str> = gina.refresh.split('_').collect();
    let secret = "A".repeat(43);
    parts.truncate(5);
    parts.push(&secret);
    assert_eq!(refresh(&app, &parts.join("_")).await.brief(), "401 UNAUTHORIZED");
    parts[4] = "3";
    assert_eq!(refresh(&app, &parts.join("_")).await.brief(), "401 UNAUTHORIZED");
    gina.get("/api/settings").await.expect(200);
    refresh(&app, &gina.refresh).await.expect(200);
    assert_eq!(gina.activity().await.len(), 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_next_request() {
    let app = App::start().await;
    let carol = app.user("carol1").await;
    let other = app.sign_in(&carol.email, PASSWORD).await.expect(200);
    carol.post("/api/auth/sign-out", json!({})).await.expect(200);
    assert_eq!(carol.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    assert_eq!(refresh(&app, &carol.refresh).await.brief(), "401 UNAUTHORIZED");
    carol.post("/api/auth/sign-out", json!({})).await.expect(200);
    Person::new(app.clone(), "carol1", &carol.email, &other).get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn token_expires_in_ten_minutes_and_session_in_thirty_days() {
    let app = App::start().await;
    app.stop_clock().await;
    let dave = app.user("dave1").await;
    app.advance(599).await;
    dave.get("/api/settings").await.expect(200);
    app.advance(1).await;
    assert_eq!(dave.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    app.advance(30 * 86_400 - 601).await;
    let tokens = refresh(&app, &dave.refresh).await.expect(200);
    app.advance(30 * 86_400).await;
    assert_eq!(refresh(&app, &tokens.text_at("/refreshToken")).await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn forged_and_foreign_tokens_open_nothing() {
    let other = App::start().await.user("erin1").await;
    let (foreign, foreign_refresh) = (other.token.clone(), other.refresh.clone());
    drop(other);
    let app = App::start().await;
    let erin = app.user("erin1").await;
    let parts: Vec<&str> = erin.token.split('.').collect();
    let none = "eyJhbGciOiJub25lIn0";
    let hs256 = "eyJhbGciOiJIUzI1NiIsImtpZCI6IngifQ";
    let forged = [
        format!("{none}.{}.", parts[1]),
        format!("{hs256}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        format!("{}.{}", parts[0], parts[1]),
        foreign,
        "x".repeat(10_000),
        "....".into(),
    ];
    for token in forged {
        let mallory = Person { token, ..erin.clone() };
        let answer = mallory.get("/api/settings").await;
        assert_eq!(answer.brief(), "401 UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    for token in ["rt_us_x_y_z", &foreign_refresh, &format!("{}A", erin.refresh)] {
        let answer = refresh(&app, token).await;
        assert!(matches!(answer.status, 400 | 401), "{}", answer.text);
    }
    erin.get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn two_credentials_in_one_request_are_refused() {
    let app = App::start().await;
    let faye = app.user("faye1").await;
    let both = faye.request("GET".parse().unwrap(), "/api/settings").header("cookie", "__Host-session=x");
    assert_eq!(app.send(both).await.brief(), "400 BAD_REQUEST");
    let twice = faye.request("GET".parse().unwrap(), "/api/settings").header("authorization", "Bearer y");
    assert_eq!(app.send(twice).await.brief(), "400 BAD_REQUEST");
}

#[tokio::test]
async fn the_public_keys_verify_tokens_and_hold_nothing_private() {
    let app = App::start().await;
    let answer = app.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let keys = answer.at("/keys").as_array().unwrap();
    assert_eq!(keys.len(), 3, "one a region");
    for key in keys {
        let names: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}

/// The object of a document whose `kid` this is.
fn key_named(document: &Value, kid: &str) -> Option<Value> {
    match document {
        Value::Object(members) if members.get("kid").is_some_and(|found| found == kid) => {
            Some(document.clone())
        }
        Value::Object(members) => members.values().find_map(|member| key_named(member, kid)),
        Value::Array(items) => items.iter().find_map(|item| key_named(item, kid)),
        _ => None,
    }
}

#[tokio::test]
async fn signed_token_with_invalid_times_is_refused() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-times").await;
    let secret = crate::rotation::name(&app, "tokens");
    let read = app.secrets_manager().get_secret_value().secret_id(secret).send().await.unwrap();
    let document: Value = serde_json::from_str(read.secret_string().unwrap()).unwrap();
    let kid = jwt::key_id(&ada.token).unwrap();
    let private = key_named(&document, &kid).unwrap()["private"].as_str().unwrap().to_owned();
    let private = BASE64_STANDARD.decode(private).unwrap();
    let claims = domain::secret::decode_base64(ada.token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let iat = claims["iat"].as_i64().unwrap();
    let ask = async |change: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let token = jwt::sign(jwt::TokenType::Access, &kid, &private, &claims).unwrap();
        let person = Person { token, ..ada.clone() };
        let question = json!({ "headers": { "authorization": format!("Bearer {}", person.token) } });
        let path = format!("/_local/run/authorizer?region={}", app.home());
        let allowed = app.post(&path, question).await.expect(200).at("/isAuthorized").clone();
        let answer = person.get("/api/settings").await;
        assert_eq!(allowed, answer.status == 200);
        answer.brief()
    };
    let year = 365 * 86_400;
    assert_eq!(ask(json!({})).await, "200");
    assert_eq!(ask(json!({ "iat": iat + 30, "exp": iat + 630 })).await, "200", "within the skew");
    let odd = [
        json!({ "iat": iat + 120, "exp": iat + 720 }),
        json!({ "exp": iat + 601 + 60 }),
        json!({ "exp": iat + 10 * year }),
        json!({ "iat": iat + year, "exp": iat + year + 600 }),
        json!({ "iat": iat - year, "exp": iat + 60 }),
        json!({ "exp": iat }),
        json!({ "nbf": iat + 300 }),
    ];
    for change in odd {
        assert_eq!(ask(change.clone()).await, "401 UNAUTHORIZED", "{change}");
    }
}

#[tokio::test]
async fn refused_reader_does_not_wait_for_prefetched_records() {
    let app = App::alone().await;
    let ada = app.user("ada-prefetch").await;
    ada.get("/api/settings").await.expect(200);
    ada.post("/api/auth/sign-out", json!({})).await.expect(200);
    let stall = json!({ "service": "dynamodb", "operation": "GetItem", "function": "settings-read", "kind": "stall", "times": 0 });
    app.faults(json!([stall])).await;
    assert_eq!(ada.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    assert_eq!(ada.get("/api/settings?unknown=1").await.brief(), "401 UNAUTHORIZED");
    app.no_faults().await;
}

#[tokio::test]
async fn forged_token_and_invalid_input_prefetch_nothing() {
    let app = App::alone().await;
    let ada = app.user("ada-forged").await;
    let reads = async |who: &Person, path: &str| {
        let before = app.last_call().await;
        let answer = who.get(path).await.brief();
        let calls = app.calls_of("settings-read", before).await;
        (answer, calls.iter().filter(|call| call["operation"] == "GetItem").count())
    };
    assert_eq!(reads(&ada, "/api/settings").await, ("200".to_owned(), 1));
    let (head, _) = ada.token.rsplit_once('.').unwrap();
    let forged = Person { token: format!("{head}.{}", "A".repeat(86)), ..ada.clone() };
    assert_eq!(reads(&forged, "/api/settings").await, ("401 UNAUTHORIZED".to_owned(), 0));
    assert_eq!(reads(&ada, "/api/settings?unknown=1").await, ("400 VALIDATION_ERROR".to_owned(), 0));
}

/// The sessions of a person that the table has, live or not.
async fn stored_sessions(who: &Person) -> usize {
    let text = |value: String| aws_sdk_dynamodb::types::AttributeValue::S(value);
    let query = who.app.tables().query().table_name(who.app.table("identity"));
    let query = query.key_condition_expression("pk = :pk").consistent_read(true);
    let query = query.expression_attribute_values(":pk", text(kit::ItemKind::Sessions.partition(who.id())));
    query.send().await.unwrap().items.unwrap_or_default().len()
}

#[tokio::test]
async fn hundred_and_first_session_ends_the_oldest() {
    let app = App::start().await;
    let ada = app.user("ada-many").await;
    let mut people = vec![ada.clone()];
    for _ in 0..104 {
        let tokens = app.sign_in(&ada.email, PASSWORD).await.expect(200);
        people.push(Person::new(app.clone(), "ada-many", &ada.email, &tokens));
    }
    assert_eq!(stored_sessions(&ada).await, 100);
    let (ended, live) = people.split_at(5);
    for person in ended {
        assert_eq!(person.get("/api/account/summary").await.brief(), "401 UNAUTHORIZED");
        assert_eq!(refresh(&app, &person.refresh).await.brief(), "401 UNAUTHORIZED");
    }
    for person in [&live[0], &live[99]] {
        person.get("/api/account/summary").await.expect(200);
    }
    // Ten at once end ten others.
    let all = (0..10).map(|_| app.sign_in(&ada.email, PASSWORD));
    let answers = futures::future::join_all(all).await;
    let begun = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(begun > 0);
    assert_eq!(stored_sessions(&ada).await, 100);
    // Expired sessions do not count: a sign-in ends none for them.
    app.advance(31 * 86_400).await;
    let before = stored_sessions(&ada).await;
    app.sign_in(&ada.email, PASSWORD).await.expect(200);
    assert_eq!(stored_sessions(&ada).await, before + 1);
}

#[tokio::test]
async fn session_count_of_one_user_does_not_end_those_of_another() {
    tests::needs_every_region!();
    let app = App::start().await.living_in(Region::Us);
    let (ada, bob) = (app.user("ada-own").await, app.user("bob-own").await);
    for _ in 0..101 {
        app.sign_in(&ada.email, PASSWORD).await.expect(200);
    }
    bob.get("/api/account/summary").await.expect(200);
    assert_eq!(ada.get("/api/account/summary").await.brief(), "401 UNAUTHORIZED");
}
