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
async fn what_cannot_be_read_is_refused_and_changes_nothing() {
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
    let huge = raw(&ada, CHANGING[0], json_type, vec![b' '; 7 * 1024 * 1024]).await;
    assert_eq!(huge.brief(), "413 PAYLOAD_TOO_LARGE");
    assert_eq!(ada.activity().await.len(), 1);
}

#[tokio::test]
async fn odd_texts_are_normalised_or_refused_and_never_an_error_of_ours() {
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
    for query in [
        "x=1",
        "keyId=",
        "keyId=key_",
        "keyId=1&keyId=2",
        "keyId=%00",
        "keyId=%ff",
        "",
        "keyId=user_01m858qy4a1ar9by88nhafn40x",
    ] {
        is_problem(&carol.delete(&format!("/api/api-keys?{query}")).await, 400, "VALIDATION_ERROR");
    }
    is_problem(&carol.get("/api/settings?owner=a&owner=b").await, 400, "BAD_REQUEST");
    is_problem(&carol.get("/api/settings?verbose=1").await, 400, "VALIDATION_ERROR");
    is_problem(&carol.get("/api/settings?owner=").await, 404, "NOT_FOUND");
    let long = carol.get(&format!("/api/settings?owner={}", "x".repeat(20_000))).await;
    is_problem(&long, 404, "NOT_FOUND");
}

#[tokio::test]
async fn unknown_routes_and_methods_get_problem_documents() {
    let app = App::start().await;
    let answer = app.get("/api/nothing").await;
    assert_eq!(answer.brief(), "404 NOT_FOUND");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let answer = app.send(app.request("PUT".parse().unwrap(), "/api/settings")).await;
    assert_eq!(answer.brief(), "405 METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("GET, PATCH, POST"));
    assert_eq!(app.get("/api/settings/").await.brief(), "404 NOT_FOUND");
    assert_eq!(app.get("//api/settings").await.brief(), "404 NOT_FOUND");
}
