//! API keys.

mod budget;

use domain::region::Region;
use insta::assert_snapshot;
use tests::{App, Person, json};

#[tokio::test]
async fn revoked_key_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada4").await;
    let (id, key) = ada.make_key("ci").await;
    assert!(key.starts_with("ul_") && key.len() == 43, "{key}");
    let ci = Person { token: key.clone(), ..ada.clone() };
    let summary = ci.get("/api/account/summary").await.expect(200);
    assert_snapshot!(summary.text, @r#"{"username":"ada4","name":"ADA4","accountType":"personal","plan":"free","creditsCents":2500,"counts":{"projects":0,"datasets":0,"models":0},"teams":[]}"#);
    let listed = ci.get("/api/api-keys").await.expect(200);
    assert_eq!(listed.at("/keys/0/keyId"), &json!(id));
    assert_eq!(listed.at("/keys/0/keyPrefix"), &json!(key[..11]));
    assert!(!listed.text.contains(&key));
    for path in ["/api/settings", "/api/activity"] {
        assert_eq!(ci.get(path).await.brief(), "401 UNAUTHORIZED");
    }
    let revoked = ada.delete(&format!("/api/api-keys?keyId={id}")).await.expect(200);
    assert_eq!(revoked.body, json!({ "deleted": true, "keyId": id }));
    assert_eq!(ci.get("/api/account/summary").await.brief(), "401 UNAUTHORIZED");
    assert_eq!(ada.delete(&format!("/api/api-keys?keyId={id}")).await.brief(), "404 NOT_FOUND");
    assert_eq!(
        ada.activity().await,
        ["deleted api_key ci", "created api_key ci", "completed onboarding ada4"]
    );
    app.mail_of_kind(&ada.email, "api-key-created").await;
}

#[tokio::test]
async fn a_key_cannot_manage_keys_or_see_their_values() {
    let app = App::start().await;
    let bob = app.user("bob4").await;
    let (id, _) = bob.make_key("first").await;
    let ci = bob.with_api_key("ci").await;
    assert_eq!(ci.post("/api/api-keys", json!({ "name": "second" })).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(ci.delete(&format!("/api/api-keys?keyId={id}")).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(ci.get("/api/api-keys?expand=value").await.brief(), "401 UNAUTHORIZED");
    assert_eq!(bob.activity().await.len(), 3);
}

#[tokio::test]
async fn key_values_are_shown_only_after_a_recent_sign_in() {
    let app = App::start().await;
    let carol = app.user("carol4").await;
    let (_, key) = carol.make_key("laptop").await;
    let revealed = carol.get("/api/api-keys?expand=value").await.expect(200);
    assert_eq!(revealed.at("/keys/0/key"), &json!(key));
    app.advance(14 * 60).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": carol.refresh })).await.expect(200);
    let carol = Person::new(app.clone(), "carol4", &carol.email, &tokens);
    carol.get("/api/api-keys?expand=value").await.expect(200);
    app.advance(61).await;
    assert_eq!(carol.get("/api/api-keys?expand=value").await.brief(), "403 STEP_UP_REQUIRED");
    assert!(!carol.get("/api/api-keys").await.expect(200).text.contains(&key));
    let wrong = carol.post("/api/auth/step-up", json!({ "password": "not the right one" })).await;
    assert_eq!(wrong.brief(), "401 INVALID_CREDENTIALS");
    assert_eq!(carol.get("/api/api-keys?expand=value").await.brief(), "403 STEP_UP_REQUIRED");
    let stepped = carol.post("/api/auth/step-up", json!({ "password": tests::PASSWORD })).await.expect(200);
    assert_eq!(stepped.body, json!({ "success": true, "expiresIn": 900 }));
    assert_eq!(carol.get("/api/api-keys?expand=value").await.expect(200).at("/keys/0/key"), &json!(key));
}

#[tokio::test]
async fn step_up_guesses_are_slowed_down() {
    let app = App::start().await;
    let dora = app.user("dora4").await;
    for _ in 0..5 {
        let wrong = dora.post("/api/auth/step-up", json!({ "password": "not the right one" })).await;
        assert_eq!(wrong.brief(), "401 INVALID_CREDENTIALS");
    }
    let late = dora.post("/api/auth/step-up", json!({ "password": tests::PASSWORD })).await;
    assert_eq!(late.brief(), "429 RATE_LIMITED");
    app.sign_in(&dora.email, tests::PASSWORD).await.expect(200);
}

#[tokio::test]
async fn authorizer_refuses_callers_of_other_regions_without_reads() {
    let app = App::start().await.living_in(Region::Eu);
    let ada = app.user("ada-auth").await;
    let (_, key) = ada.make_key("ci").await;
    for (token, reads) in [(key, 0), (ada.token.clone(), 1)] {
        let question = json!({ "headers": { "authorization": format!("Bearer {token}") } });
        let at_home = app.post("/_local/run/authorizer?region=eu", question.clone()).await.expect(200);
        assert_eq!(at_home.at("/isAuthorized"), true);
        let before = app.last_call().await;
        let elsewhere = app.post("/_local/run/authorizer?region=ap", question).await.expect(200);
        assert_eq!(elsewhere.at("/isAuthorized"), false);
        // A session's signature is checked with public keys, which are read once.
        assert_eq!(app.calls_of("authorizer", before).await.len(), reads);
    }
}

#[tokio::test]
async fn a_made_up_key_costs_no_read_and_a_well_formed_one_costs_one() {
    let app = App::start().await;
    let dave = app.user("dave4").await;
    let (_, key) = dave.make_key("ci").await;
    let garbage =
        ["ul_", "ul_xyz", &format!("ul_{}", "0".repeat(40)), &key.to_uppercase(), &format!("{key}0")];
    for token in garbage {
        let before = app.last_call().await;
        let mallory = Person { token: token.to_owned(), ..dave.clone() };
        assert_eq!(mallory.get("/api/account/summary").await.brief(), "401 UNAUTHORIZED");
        assert_eq!(app.calls_of("account-summary", before).await.len(), 0, "{token}");
    }
    let question = json!({ "headers": { "authorization": format!("Bearer {key}") } });
    let before = app.last_call().await;
    let answer =
        app.post(&format!("/_local/run/authorizer?region={}", app.home()), question).await.expect(200);
    assert_eq!(answer.at("/isAuthorized"), true);
    assert_eq!(answer.at("/context/username"), "dave4");
    let calls = app.calls_of("authorizer", before).await;
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0]["operation"], "GetItem");
    if std::env::var_os("ACCOUNT_TEST_AWS").is_none() {
        assert_eq!(calls[0]["capacity"]["read"], 1.0);
    }
}

#[tokio::test]
async fn key_pages_have_no_gaps_and_tampered_cursor_is_refused() {
    let app = App::start().await;
    let erin = app.user("erin4").await;
    for n in 0..7 {
        erin.make_key(&format!("key {n}")).await;
    }
    let mut names = Vec::new();
    let mut path = "/api/api-keys?limit=3".to_owned();
    loop {
        let page = erin.get(&path).await.expect(200);
        names.extend(
            page.at("/keys").as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page.at("/nextCursor").as_str() else { break };
        path = format!("/api/api-keys?limit=3&cursor={cursor}");
    }
    assert_eq!(names, ["key 6", "key 5", "key 4", "key 3", "key 2", "key 1", "key 0"]);
    let cursor = path.rsplit('=').next().unwrap().to_owned();
    let (start, end) = cursor.split_at(5);
    let flipped = format!("{start}{}{}", if end.starts_with('A') { 'B' } else { 'A' }, &end[1..]);
    for bad in [&flipped, "x", "", &"A".repeat(5_000)] {
        let answer = erin.get(&format!("/api/api-keys?cursor={bad}")).await;
        assert_eq!(answer.brief(), "400 BAD_REQUEST");
    }
    let frank = app.user("frank4").await;
    assert_eq!(frank.get(&format!("/api/api-keys?cursor={cursor}")).await.brief(), "400 BAD_REQUEST");
}

#[tokio::test]
async fn idempotent_key_creation_makes_one_key() {
    let app = App::start().await;
    let grace = app.user("grace4").await;
    let first = grace.post_once("/api/api-keys", json!({ "name": "ci" }), "k-1").await.expect(201);
    let again = grace.post_once("/api/api-keys", json!({ "name": "ci" }), "k-1").await.expect(201);
    assert_eq!(first.body, again.body);
    let other = grace.post_once("/api/api-keys", json!({ "name": "cd" }), "k-1").await;
    assert_eq!(other.brief(), "422 IDEMPOTENCY_KEY_REUSED");
    assert_eq!(grace.post_once("/api/api-keys", json!({ "name": "x" }), "").await.brief(), "400 BAD_REQUEST");
    let heidi = app.user("heidi4").await;
    heidi.post_once("/api/api-keys", json!({ "name": "cd" }), "k-1").await.expect(201);
    app.advance(24 * 3_600 + 1).await;
    let tokens = app.sign_in(&grace.email, tests::PASSWORD).await.expect(200);
    let grace = Person::new(app.clone(), "grace4", &grace.email, &tokens);
    let fresh = grace.post_once("/api/api-keys", json!({ "name": "ci" }), "k-1").await.expect(201);
    assert_ne!(fresh.at("/keyId"), first.at("/keyId"));
}

#[tokio::test]
async fn pages_that_end_exactly_at_the_end_say_so() {
    let app = App::start().await;
    let jane = app.user("jane4").await;
    for n in 0..4 {
        jane.make_key(&format!("key {n}")).await;
    }
    let first = jane.get("/api/api-keys?limit=2").await.expect(200);
    let cursor = first.text_at("/nextCursor");
    let second = jane.get(&format!("/api/api-keys?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(second.at("/keys").as_array().unwrap().len(), 2);
    assert!(second.at("/nextCursor").is_null());
}

#[tokio::test]
async fn an_expired_receipt_that_is_not_yet_deleted_is_no_obstacle() {
    let app = App::start().await;
    let kate = app.user("kate4").await;
    let first = kate.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await.expect(201);
    let tables = app.tables();
    let scan = tables.scan().table_name(app.table("operations")).send().await.unwrap();
    let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let receipts = scan.items().iter().filter(|item| item["pk"].as_s().unwrap().starts_with("RECEIPT#"));
    for receipt in receipts {
        let mut receipt = receipt.clone();
        receipt.insert("expires_at".to_owned(), text("2020-01-01T00:00:00Z"));
        receipt.insert("ttl".to_owned(), aws_sdk_dynamodb::types::AttributeValue::N("1577836800".to_owned()));
        tables.put_item().table_name(app.table("operations")).set_item(Some(receipt)).send().await.unwrap();
    }
    let second = kate.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await.expect(201);
    assert_ne!(first.at("/keyId"), second.at("/keyId"));
}

#[tokio::test]
async fn api_key_is_limited_to_a_hundred_requests_a_minute() {
    let app = App::start().await;
    // Or the minute may end in the middle.
    app.stop_clock().await;
    let ivan = app.user("ivan4").await;
    let ci = ivan.with_api_key("ci").await;
    let before = app.last_call().await;
    for n in 0..100 {
        let answer = ci.get("/api/account/summary").await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=100;w=60"));
        assert!(
            answer.header("ratelimit").unwrap().starts_with(&format!("\"default\";r={};", 99 - n)),
            "{n}"
        );
    }
    let writes = app.calls_of("account-summary", before).await;
    assert_eq!(writes.iter().filter(|call| call["operation"] == "UpdateItem").count(), 10);
    let before = app.last_call().await;
    let refused = ci.get("/api/account/summary").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    for _ in 0..20 {
        let again = ci.get("/api/account/summary").await;
        assert_eq!(again.brief(), "429 RATE_LIMITED");
        for header in ["ratelimit-policy", "ratelimit", "retry-after", "x-ratelimit-reset"] {
            assert_eq!(again.header(header), refused.header(header), "{header}");
        }
    }
    assert_eq!(app.calls_of("account-summary", before).await, Vec::<tests::Value>::new());
    // Another key's minute is its own.
    ivan.with_api_key("cd").await.get("/api/account/summary").await.expect(200);
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(refused.header("x-ratelimit-reset").is_some());
    app.advance(seconds).await;
    ci.get("/api/account/summary").await.expect(200);
}

#[tokio::test]
async fn key_of_transferred_team_acts_as_new_owner() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-transfers").await, app.user("bob-takes-over").await);
    let team = ada.found_team("the-lab").await;
    let made = ada.post("/api/api-keys?owner=the-lab", json!({ "name": "ci" })).await.expect(201);
    let key = made.text_at("/key");
    let ci = Person { token: key.clone(), ..ada.clone() };
    let question = json!({ "headers": { "authorization": format!("Bearer {key}") } });
    let path = format!("/_local/run/authorizer?region={}", app.home());
    for (owner, slug) in [(&ada, "before"), (&bob, "after")] {
        if slug == "after" {
            bob.take_over(team).await;
        }
        ci.post("/api/datasets", json!({ "slug": slug, "name": slug })).await.expect(201);
        let activity = owner.get("/api/activity?owner=the-lab").await.expect(200);
        assert_eq!(activity.at("/events/0/resourceName"), slug);
        assert_eq!(activity.at("/events/0/userId"), &json!(owner.id()));
        let identity = app.post(&path, question.clone()).await.expect(200);
        assert_eq!(identity.at("/context/userId"), &json!(owner.id()));
        assert_eq!(identity.at("/context/workspaceId"), &json!(team));
    }
}

#[tokio::test]
async fn key_reads_owner_of_team_only_to_edit() {
    let app = App::start().await;
    let ada = app.user("ada-reads-owner").await;
    ada.found_team("the-readers").await;
    let made = ada.post("/api/api-keys?owner=the-readers", json!({ "name": "ci" })).await.expect(201);
    let of_team = Person { token: made.text_at("/key"), ..ada.clone() };
    let own = ada.with_api_key("own").await;
    for (key, edit) in [(&own, 0), (&of_team, 1)] {
        let form = json!({ "slug": "a-dataset", "name": "A dataset" });
        for (method, path, reads) in [("GET", "/api/datasets", 0), ("POST", "/api/datasets", edit)] {
            let before = app.last_call().await;
            let request = app.request(method.parse().unwrap(), path).bearer_auth(&key.token);
            let request = if method == "POST" { request.json(&form) } else { request };
            assert!(app.send(request).await.status < 300);
            let calls = app.calls(before).await.into_iter();
            // Beside them, the mail about the new key is written.
            let own = calls.filter(|call| call["function"] != "send-mail");
            assert_eq!(own.filter(|call| call["operation"] == "BatchGetItem").count(), reads, "{path}");
        }
    }
}

#[tokio::test]
async fn making_a_key_or_an_export_needs_a_recent_sign_in() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-recent").await;
    ada.make_key("early").await;
    app.advance(599).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), "ada-recent", &ada.email, &tokens);
    app.advance(301).await;
    let forms = [
        ("/api/api-keys", json!({ "name": "late" }), 201),
        ("/api/gdpr", json!({ "action": "export" }), 202),
        ("/api/gdpr", json!({ "action": "delete", "confirmationWord": "DELETE" }), 202),
    ];
    for (path, form, _) in &forms {
        let refused = ada.post(path, form.clone()).await;
        assert_eq!(refused.brief(), "403 STEP_UP_REQUIRED", "{form}");
    }
    assert_eq!(ada.get("/api/api-keys").await.expect(200).at("/keys").as_array().unwrap().len(), 1);
    // Revoking is no risk that outlives the session.
    let id = ada.get("/api/api-keys").await.expect(200).text_at("/keys/0/keyId");
    ada.delete(&format!("/api/api-keys?keyId={id}")).await.expect(200);
    ada.step_up().await;
    for (path, form, status) in forms {
        ada.post(path, form).await.expect(status);
    }
}

#[tokio::test]
async fn repeated_creation_shows_the_value_after_recent_sign_in_only() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-shown").await;
    let first = ada.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await.expect(201);
    app.advance(599).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), "ada-shown", &ada.email, &tokens);
    app.advance(301).await;
    let again = ada.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await;
    assert_eq!(again.brief(), "403 STEP_UP_REQUIRED");
    ada.step_up().await;
    let again = ada.post_once("/api/api-keys", json!({ "name": "ci" }), "k").await.expect(201);
    assert_eq!(again.body, first.body);
}

#[tokio::test]
async fn key_that_does_not_decrypt_is_marked_and_the_others_are_shown() {
    let app = App::start().await;
    let ada = app.user("ada-broken").await;
    let (broken, _) = ada.make_key("broken").await;
    let (_, good) = ada.make_key("good").await;
    let plain = ada.get("/api/api-keys").await.expect(200);
    let pk = kit::ItemKind::Keys.partition(ada.workspace());
    let text = |value: String| aws_sdk_dynamodb::types::AttributeValue::S(value);
    for sealed in ["", "not base64 !", "AQ==", &"A".repeat(120)] {
        let update = app.tables().update_item().table_name(app.table("workspaces"));
        let update = update.key("pk", text(pk.clone())).key("sk", text(format!("KEY#{broken}")));
        let update = update.update_expression("SET sealed = :sealed");
        update.expression_attribute_values(":sealed", text(sealed.to_owned())).send().await.unwrap();
        let shown = ada.get("/api/api-keys?expand=value").await.expect(200);
        assert_eq!(shown.at("/keys/0/key"), &json!(good));
        assert!(shown.at("/keys/0").get("unreadable").is_none());
        let marked = shown.at("/keys/1").as_object().unwrap();
        assert_eq!((&marked["key"], &marked["unreadable"]), (&json!(null), &json!(true)), "{sealed}");
        assert_eq!(ada.get("/api/api-keys").await.expect(200).text, plain.text);
    }
    // What only takes time is no defect of the key.
    let fault = json!({ "service": "dynamodb", "function": "api-keys-list", "kind": "refused", "times": 0 });
    app.faults(json!([fault])).await;
    assert_eq!(ada.get("/api/api-keys?expand=value").await.brief(), "503 UNAVAILABLE");
}
