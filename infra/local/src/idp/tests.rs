use http::{StatusCode, header::LOCATION};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

use super::{
    router,
    testing::{GOOGLE_QUERY, SteppedClock, VERIFIER, parameter},
};

/// Serves both providers, and returns their address.
async fn serve() -> String {
    let router = router("http://127.0.0.1:9000", &[], SteppedClock::start()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/_local/idp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Posts a form, as a script does.
async fn post(url: &str, pairs: &[(&str, &str)]) -> reqwest::Response {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    request.send().await.unwrap()
}

#[tokio::test]
async fn endpoints_of_both_providers_are_served() {
    let url = serve().await;
    for (path, status) in [
        ("google/.well-known/openid-configuration", StatusCode::OK),
        ("google/jwks", StatusCode::OK),
        ("google/authorize", StatusCode::BAD_REQUEST),
        ("google/token", StatusCode::METHOD_NOT_ALLOWED),
        ("github/login/oauth/authorize", StatusCode::BAD_REQUEST),
        ("github/login/oauth/access_token", StatusCode::METHOD_NOT_ALLOWED),
        ("github/user", StatusCode::FORBIDDEN),
        ("github/user/emails", StatusCode::FORBIDDEN),
        ("other/authorize", StatusCode::NOT_FOUND),
    ] {
        let answer = reqwest::get(format!("{url}/{path}")).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn script_signs_in_without_a_browser() {
    let url = serve().await;
    let persona = [("subject", "7"), ("email", "eve@example.com"), ("verified", "on"), ("decision", "allow")];
    let answer = post(&format!("{url}/google/authorize"), &[GOOGLE_QUERY, &persona].concat()).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    let to = Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
    let code = parameter(&to, "code").unwrap();
    let request = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:9000/api/auth/oauth/google/callback"),
        ("code_verifier", VERIFIER),
        ("client_id", "local-google"),
        ("client_secret", "local-secret"),
    ];
    let url = format!("{url}/google/token");
    let tokens: Value = post(&url, &request).await.json().await.unwrap();
    assert_eq!(tokens.get("token_type"), Some(&json!("Bearer")));
    let again = post(&url, &request).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    let refused: Value = again.json().await.unwrap();
    assert_eq!(refused.get("error"), Some(&json!("invalid_grant")));
}
