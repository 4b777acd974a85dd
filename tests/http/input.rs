//! Bad input: the right 4xx, a problem document, and nothing changed.

use tests::{Answer, App, Person, json};

const CHANGING: [(&str, &str); 4] = [
    ("POST", "/api/api-keys"),
    ("PATCH", "/api/settings"),
    ("POST", "/api/activity/mark-seen"),
    ("POST", "/api/activity/archive"),
];

async fn raw(
    person: &Person,
    (method, path): (&str, &str),
    content_type: Option<&str>,
    body: Vec<u8>,
) -> Answer {
    let mut request = person.request(method.parse().unwrap(), path).body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    person.app.send(request).await
}

fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.brief(), format!("{status} {code}"), "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    for member in ["type", "title", "detail", "error", "requestId"] {
        assert!(answer.body[member].is_string(), "{member} in {}", answer.text);
    }
    assert_eq!(answer.at("/status"), status);
    assert_eq!(answer.header("x-request-id"), answer.at("/requestId").as_str());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn malformed_input_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let ada = app.user("ada7").await;
    let json_type = Some("application/json");
    for route in CHANGING {
        for body in
            ["{", "", "[]", "null", "1", "\"x\"", "{\"name\": \"\\ud800\"}", "{\"a\":1,}", "\u{feff}{}"]
        {
            is_problem(&raw(&ada, route, json_type, body.into()).await, 400, "BAD_REQUEST");
        }
        is_problem(&raw(&ada, route, json_type, vec![b'{', 0xff, 0xfe, b'}']).await, 400, "BAD_REQUEST");
        is_problem(&raw(&ada, route, json_type, "[".repeat(30_000).into()).await, 400, "BAD_REQUEST");
        is_problem(&raw(&ada, route, json_type, vec![b' '; 64 * 1024 + 1]).await, 413, "PAYLOAD_TOO_LARGE");
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("")] {
            is_problem(&raw(&ada, route, content_type, "{}".into()).await, 415, "UNSUPPORTED_MEDIA_TYPE");
        }
        is_problem(&raw(&ada, route, json_type, br#"{"zzz": 1}"#.to_vec()).await, 400, "VALIDATION_ERROR");
    }
    assert_eq!(ada.activity().await.len(), 1);
}

#[tokio::test]
async fn odd_texts_are_normalised_or_refused() {
    tests::needs_every_region!();
    let app = App::start().await;
    let bob = app.user("bob7").await;
    for odd in
        ["\u{0}", "a\u{0}b", "\u{202e}abc", "\u{200b}", "\u{fffe}", "a\nb", "\u{1b}[31m", "   ", "\u{e000}"]
    {
        let answer = bob.post("/api/api-keys", json!({ "name": odd })).await;
        is_problem(&answer, 400, "VALIDATION_ERROR");
    }
    let long = "é".repeat(65);
    is_problem(&bob.post("/api/api-keys", json!({ "name": long })).await, 400, "VALIDATION_ERROR");
    for (given, kept) in
        [("  ci ", "ci"), ("e\u{301}", "é"), ("日本語 🎌", "日本語 🎌"), (&"é".repeat(64), &"é".repeat(64))]
    {
        let made = bob.post("/api/api-keys", json!({ "name": given })).await.expect(201);
        assert_eq!(made.text_at("/name"), kept);
    }
    for wrong in [json!(1), json!(null), json!([]), json!({}), json!(true), json!(1.5)] {
        is_problem(&bob.post("/api/api-keys", json!({ "name": wrong })).await, 400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn odd_queries_are_refused() {
    let app = App::start().await;
    let carol = app.user("carol7").await;
    for query in ["x=1", "keyId=1&keyId=2", "keyId=1&x=1", ""] {
        is_problem(&carol.delete(&format!("/api/api-keys?{query}")).await, 400, "VALIDATION_ERROR");
    }
    is_problem(&carol.get("/api/settings?owner=a&owner=b").await, 400, "BAD_REQUEST");
    is_problem(&carol.get("/api/settings?verbose=1").await, 400, "VALIDATION_ERROR");
    is_problem(&carol.get("/api/settings?owner=").await, 404, "NOT_FOUND");
    let long = carol.get(&format!("/api/settings?owner={}", "x".repeat(20_000))).await;
    is_problem(&long, 404, "NOT_FOUND");
}

#[tokio::test]
async fn compressed_body_is_an_unsupported_media_type() {
    let app = App::start().await;
    let erin = app.user("erin7").await;
    // Through another region the answer is the same.
    for erin in [erin.clone(), erin.by_way_of(domain::region::Region::Ap)] {
        let send = async |coding: &str, body: Vec<u8>| {
            let request = erin.request("POST".parse().unwrap(), "/api/api-keys").body(body);
            let request =
                request.header("content-type", "application/json").header("content-encoding", coding);
            app.send(request).await
        };
        let zipped =
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
        is_problem(&send("gzip", zipped).await, 415, "UNSUPPORTED_MEDIA_TYPE");
        is_problem(&send("br", br#"{"name": "ci"}"#.to_vec()).await, 415, "UNSUPPORTED_MEDIA_TYPE");
        send("identity", br#"{"name": "ci"}"#.to_vec()).await.expect(201);
    }
}

#[tokio::test]
async fn repeated_json_member_is_refused_at_every_depth() {
    let app = App::start().await;
    let fred = app.user("fred7").await;
    for (route, body, complaints) in [
        (CHANGING[0], r#"{"name": "one", "name": "two"}"#, "name INVALID"),
        (CHANGING[0], r#"{"name": "one", "n\u0061me": "one"}"#, "name INVALID"),
        (CHANGING[1], r#"{"company": "A", "company": null}"#, "company INVALID"),
        (CHANGING[2], r#"{"all": true, "eventIds": null, "all": true}"#, "all INVALID"),
    ] {
        let refused = raw(&fred, route, Some("application/json"), body.into()).await;
        is_problem(&refused, 400, "VALIDATION_ERROR");
        assert_eq!(refused.complaints(), complaints);
    }
    let inner = br#"{"name": {"a": [{"b": 1, "b": 2}]}}"#.to_vec();
    let refused = raw(&fred, CHANGING[0], Some("application/json"), inner).await;
    assert_eq!(refused.complaints(), "name.a.b INVALID, name INVALID");
    assert_eq!(fred.activity().await.len(), 1);
}

/// An answer of API Gateway's own: it knows no problem documents.
fn is_gateways(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, &answer.body), (status, &json!({ "message": message })), "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("apigw-requestid").is_some() && answer.header("x-request-id").is_none());
}

#[tokio::test]
async fn unknown_routes_and_other_methods_are_not_found() {
    let app = App::start().await;
    for path in ["/api/nothing", "/api/settings/", "//api/settings", "/API/settings", "/"] {
        is_gateways(&app.get(path).await, 404, "Not Found");
    }
    for method in ["PUT", "DELETE", "HEAD", "OPTIONS"] {
        let answer = app.send(app.request(method.parse().unwrap(), "/api/settings")).await;
        assert_eq!(answer.status, 404, "{method}");
    }
}

#[tokio::test]
async fn requests_beyond_lambda_limits_are_refused() {
    let app = App::start().await;
    let dan = app.user("dan7").await;
    let spaces = |size| raw(&dan, CHANGING[0], Some("application/json"), vec![b' '; size]);
    is_problem(&spaces(5 * 1024 * 1024).await, 413, "PAYLOAD_TOO_LARGE");
    // With its envelope, it is larger than an event may be.
    is_gateways(&spaces(6 * 1024 * 1024).await, 413, "Request Entity Too Large");
    is_gateways(&spaces(11 * 1024 * 1024).await, 413, "Request Entity Too Large");
    // Of other types, a body is handed on in base64, and 4.5 MB are 6 MB.
    let odd = raw(&dan, CHANGING[0], Some("image/png"), vec![0; 5 * 1024 * 1024]).await;
    is_gateways(&odd, 413, "Request Entity Too Large");
    assert_eq!(dan.activity().await.len(), 1);
}
