//! Endpoints for other services of the platform: signed requests, and the plans that the billing service sets.

use aws_credential_types::Credentials;
use domain::{Timestamp, region::Region, role::Role};
use futures::future::join;
use jiff::SignedDuration;
use reqwest::{Method, Request, RequestBuilder, header::HeaderValue};
use tests::{Answer, App, PASSWORD, Person, Signing, Value, json};

/// The one endpoint for services.
pub const PATH: &str = "/internal/plans/enterprise";

async fn provision(app: &App, form: Value) -> Answer {
    app.as_service(Method::POST, PATH, form).await
}

/// A time of the local clock, this long from now.
async fn after(app: &App, time: SignedDuration) -> Timestamp {
    app.now().await.saturating_add(time).unwrap()
}

/// The same person with a new session, for a clock that was moved.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

async fn plan(who: &Person) -> String {
    who.get("/api/settings").await.expect(200).text_at("/plan")
}

/// How many changes of the plan are in the history.
async fn changes(who: &Person) -> usize {
    let line = format!("updated billing {}", who.handle);
    who.activity().await.into_iter().filter(|it| *it == line).count()
}

#[tokio::test]
async fn team_is_open_to_its_members_until_the_plan_ends() {
    let app = App::start().await;
    let (owner, member) = (app.user("plan-owner").await, app.user("plan-member").await);
    let team = owner.create_team("plan-team").await;
    member.join(team, Role::Editor).await;
    let settings = "/api/settings?owner=plan-team";
    assert_eq!(member.get(settings).await.brief(), "403 TEAM_INACTIVE");
    let end = after(&app, SignedDuration::from_mins(5)).await.to_string();
    let form = json!({ "username": "Plan-Team", "plan": "pro", "seats": 12, "endsAt": end });
    let answer = provision(&app, form).await.expect(200);
    let parts = ["/username", "/plan", "/seats", "/endsAt"].map(|part| answer.at(part).clone());
    assert_eq!(parts, [json!("plan-team"), json!("pro"), json!(12), json!(end)]);
    assert!(answer.at("/seatsUsed").as_u64() >= Some(1), "{}", answer.text);
    assert_eq!(member.get(settings).await.expect(200).at("/plan"), "pro");

    app.advance(301).await;
    assert_eq!(member.get(settings).await.brief(), "403 TEAM_INACTIVE");
    assert_eq!(owner.get(settings).await.expect(200).at("/plan"), "free");
    // The owner can renew it.
    provision(&app, json!({ "username": "plan-team", "plan": "pro" })).await.expect(200);
    assert_eq!(member.get(settings).await.expect(200).at("/plan"), "pro");
}

#[tokio::test]
async fn terms_are_replaced_as_a_whole_and_the_same_ones_write_nothing() {
    let app = App::start().await;
    let who = app.user("plan-user").await;
    let end = after(&app, SignedDuration::from_hours(1)).await.to_string();
    let form = json!({ "username": "plan-user", "plan": "enterprise", "seats": 900, "endsAt": end });
    let first = provision(&app, form.clone()).await.expect(200);
    assert_eq!(provision(&app, form).await.expect(200).body, first.body);
    assert_eq!(changes(&who).await, 1);
    let form = json!({ "username": "plan-user", "plan": "pro", "seats": null });
    let replaced = provision(&app, form).await.expect(200);
    let expected =
        json!({ "username": "plan-user", "plan": "pro", "seats": 5, "seatsUsed": first.at("/seatsUsed") });
    assert_eq!(replaced.body, expected);
    app.advance(3_601).await;
    let who = again(&who).await;
    assert_eq!((plan(&who).await, changes(&who).await), ("pro".to_owned(), 2));
    let event = who.get("/api/activity?limit=1").await.expect(200).at("/events/0/metadata").clone();
    assert_eq!(event, json!({ "by": "service", "plan": "pro" }));
}

#[tokio::test]
async fn fewer_seats_than_are_taken_remove_no_member() {
    let app = App::start().await;
    let (owner, member) = (app.user("seat-owner").await, app.user("seat-member").await);
    let team = owner.create_team("seat-team").await;
    let set = async |seats: u64| {
        let form = json!({ "username": "seat-team", "plan": "pro", "seats": seats });
        provision(&app, form).await.expect(200)
    };
    set(3).await;
    member.join(team, Role::Viewer).await;
    let answer = set(1).await;
    assert_eq!((answer.at("/seats"), answer.at("/seatsUsed")), (&json!(1), &json!(2)));
    member.get("/api/settings?owner=seat-team").await.expect(200);
}

#[tokio::test]
async fn plans_that_are_set_at_once_leave_one_of_them_and_a_line_for_each() {
    let app = App::start().await;
    let who = app.user("plan-racer").await;
    let set = async |plan: &str| {
        let form = json!({ "username": "plan-racer", "plan": plan });
        provision(&app, form).await.expect(200);
    };
    join(set("pro"), set("enterprise")).await;
    assert_ne!(plan(&who).await, "free");
    assert_eq!(changes(&who).await, 2);
}

#[tokio::test]
async fn invalid_terms_and_unknown_names_change_nothing() {
    let app = App::start().await;
    let who = app.user("plan-valid").await;
    let past = after(&app, SignedDuration::from_secs(-1)).await.to_string();
    for (change, expected) in [
        (json!({ "seats": 0 }), "400 VALIDATION_ERROR"),
        (json!({ "seats": 10_001 }), "400 VALIDATION_ERROR"),
        (json!({ "plan": "gold" }), "400 VALIDATION_ERROR"),
        (json!({ "endsAt": past }), "400 VALIDATION_ERROR"),
        (json!({ "endsAt": "tomorrow" }), "400 VALIDATION_ERROR"),
        (json!({ "owner": "plan-valid" }), "400 VALIDATION_ERROR"),
        (json!({ "username": "nobody-has-this" }), "404 NOT_FOUND"),
    ] {
        let mut form = json!({ "username": "plan-valid", "plan": "pro" });
        form.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        assert_eq!(provision(&app, form).await.brief(), expected, "{change}");
    }
    assert_eq!((plan(&who).await, changes(&who).await), ("free".to_owned(), 0));
    provision(&app, json!({ "username": "plan-valid", "plan": "pro" })).await.expect(200);
    assert_eq!(plan(&who).await, "pro");
}

#[tokio::test]
async fn workspace_of_another_region_is_named_and_not_changed() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (us, eu) = (app.living_in(Region::Us), app.living_in(Region::Eu));
    let who = eu.user("plan-abroad").await;
    app.replicated().await;
    let form = json!({ "username": "plan-abroad", "plan": "pro" });
    let refused = provision(&us, form.clone()).await;
    assert_eq!(refused.brief(), "409 CONFLICT");
    assert!(refused.text_at("/error").contains(" eu."), "{}", refused.text);
    assert_eq!(plan(&who).await, "free");
    provision(&eu, form).await.expect(200);
    assert_eq!(plan(&who).await, "pro");
}

/// A signed request that differs from a valid one in one thing.
struct Forgery {
    name: &'static str,
    signing: fn(&mut Signing),
    before: fn(&mut Request),
    after: fn(&mut Request),
}

/// The valid request, signed in another way.
fn signed(name: &'static str, signing: fn(&mut Signing)) -> Forgery {
    Forgery { name, signing, before: |_| {}, after: |_| {} }
}

/// The valid request, changed after it was signed.
fn altered(name: &'static str, after: fn(&mut Request)) -> Forgery {
    Forgery { name, signing: |_| {}, before: |_| {}, after }
}

fn set_header(request: &mut Request, name: &'static str, value: &'static str) {
    request.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn forgeries() -> Vec<Forgery> {
    vec![
        signed("secret", |it| {
            it.credentials = Credentials::new(local::SERVICE_ACCESS_KEY_ID, "another", None, None, "tests");
        }),
        signed("access key", |it| {
            it.credentials =
                Credentials::new("another", local::SERVICE_SECRET_ACCESS_KEY, None, None, "tests");
        }),
        signed("credentials of a function", |it| {
            it.credentials = local::outsider("enterprise-provision");
        }),
        signed("region", |it| it.region = "eu-west-3".to_owned()),
        signed("service", |it| it.service = "dynamodb".to_owned()),
        signed("old date", |it| it.at = it.at.saturating_sub(SignedDuration::from_secs(310)).unwrap()),
        signed("future date", |it| it.at = it.at.saturating_add(SignedDuration::from_secs(310)).unwrap()),
        signed("unsigned host", |it| it.unsigned = Some("host")),
        Forgery {
            name: "path",
            signing: |_| {},
            before: |request| request.url_mut().set_path("/internal/plans/other"),
            after: |request| request.url_mut().set_path(PATH),
        },
        Forgery {
            name: "method",
            signing: |_| {},
            before: |request| *request.method_mut() = Method::PATCH,
            after: |request| *request.method_mut() = Method::POST,
        },
        altered("query", |request| request.url_mut().set_query(Some("a=1"))),
        altered("body", |request| {
            let body = r#"{"username":"plan-forged","plan":"enterprise"}"#;
            *request.body_mut() = Some(body.into());
        }),
        altered("host", |request| set_header(request, "host", "other.example")),
        altered("content type", |request| {
            set_header(request, "content-type", "application/json; charset=utf-8")
        }),
        altered("session token", |request| set_header(request, "x-amz-security-token", "token")),
    ]
}

#[tokio::test]
async fn request_with_another_signature_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let who = app.user("plan-forged").await;
    let request = |plan: &str| -> RequestBuilder {
        app.request(Method::POST, PATH).json(&json!({ "username": "plan-forged", "plan": plan }))
    };
    for Forgery { name, signing: change, before, after } in forgeries() {
        let right = app.signing().await;
        let mut wrong = right.clone();
        change(&mut wrong);
        let refused = app.send_signed_as(&wrong, request("pro"), before, after).await;
        assert_eq!((refused.status, &refused.body), (403, &json!({ "message": "Forbidden" })), "{name}");
        assert_eq!(plan(&who).await, "free", "{name}");
        for plan in ["pro", "free"] {
            let accepted = app.send_signed_as(&right, request(plan), |_| {}, |_| {}).await;
            assert_eq!(accepted.expect(200).at("/plan"), plan, "{name}");
        }
    }
}

#[tokio::test]
async fn other_credentials_are_refused_before_the_function_runs() {
    let app = App::start().await;
    let who = app.user("plan-caller").await;
    let key = who.with_api_key("ci").await;
    let before = app.last_call().await;
    let form = json!({ "username": "plan-caller", "plan": "pro" });
    for credential in [&who, &key] {
        let refused = credential.post(PATH, form.clone()).await;
        assert_eq!((refused.status, refused.body), (403, json!({ "message": "Forbidden" })));
    }
    let arn = format!("arn:aws:sts::000000000000:assumed-role/{}/local", local::SERVICE_ROLE);
    let context = json!({ "authorizer": { "iam": { "userArn": arn } } }).to_string();
    let plain = || app.request(Method::POST, PATH).json(&form);
    for unsigned in [
        plain(),
        plain().header("cookie", format!("__Host-session={}", who.token)),
        plain().header("x-amzn-requestcontext", &context).header("x-amzn-iam-userarn", &arn),
        plain().header("x-amz-date", "20261101T000000Z").header("x-amz-security-token", "token"),
        plain().query(&[("X-Amz-Signature", "x"), ("X-Amz-Credential", local::SERVICE_ACCESS_KEY_ID)]),
    ] {
        let refused = app.send(unsigned).await;
        let expected = json!({ "message": "Missing Authentication Token" });
        assert_eq!((refused.status, refused.body), (403, expected));
    }
    assert!(app.calls_of("enterprise-provision", before).await.is_empty());
    assert_eq!(plan(&who).await, "free");
    provision(&app, form).await.expect(200);
    assert_eq!(plan(&who).await, "pro");
}

#[tokio::test]
async fn function_that_is_invoked_without_a_role_refuses() {
    let app = App::start().await;
    let who = app.user("plan-alone").await;
    let role = json!({ "iam": { "userArn": "arn:aws:sts::000000000000:assumed-role/billing-service/one" } });
    let invoke = async |authorizer: Value, header: &str| {
        let event = json!({
            "version": "2.0", "rawPath": PATH, "rawQueryString": "", "isBase64Encoded": false,
            "headers": { "content-type": "application/json", header: role.to_string() },
            "requestContext": {
                "http": { "method": "POST", "path": PATH, "sourceIp": "192.0.2.1" }, "authorizer": authorizer,
            },
            "body": json!({ "username": "plan-alone", "plan": "pro" }).to_string(),
        });
        let path = format!("/_local/run/enterprise-provision?region={}", app.home());
        app.post(&path, event).await.expect(200).at("/statusCode").clone()
    };
    let user = json!({ "iam": { "userArn": "arn:aws:iam::000000000000:user/admin" } });
    for nobody in [Value::Null, json!({}), json!({ "iam": null }), json!({ "lambda": role }), user] {
        assert_eq!(invoke(nobody.clone(), "x-amzn-authorizer").await, 401, "{nobody}");
    }
    assert_eq!(invoke(role.clone(), "x-account-forwarded").await, 400);
    assert_eq!(plan(&who).await, "free");
    assert_eq!(invoke(role.clone(), "x-amzn-authorizer").await, 200);
    assert_eq!(plan(&who).await, "pro");
}

#[tokio::test]
async fn service_has_no_access_to_endpoints_of_users() {
    let app = App::start().await;
    app.user("plan-owned").await;
    for path in ["/api/settings?owner=plan-owned", "/api/api-keys?owner=plan-owned", "/api/auth/session"] {
        let refused = app.send_signed(app.request(Method::GET, path)).await;
        assert_eq!(refused.brief(), "400 BAD_REQUEST", "{path}");
    }
    provision(&app, json!({ "username": "plan-owned", "plan": "pro" })).await.expect(200);
}
