use super::*;
use crate::idp::{
    provider::ProviderProtocol,
    testing::{GOOGLE_QUERY, SteppedClock, form, provider, text},
};

fn page(changed: &[(&str, &str)]) -> Response {
    let google = provider(ProviderProtocol::OpenIdConnect, &SteppedClock::start());
    sign_in(&google, &form(GOOGLE_QUERY, changed))
}

#[tokio::test]
async fn page_offers_personas_and_a_labelled_form() {
    let page = text(page(&[("unknown", "7")])).await;
    for part in
        ["Sign in with Google", "ada@example.com (verified)", "bob@example.com (not verified)", "山田 花子"]
    {
        assert!(page.contains(part), "{part}");
    }
    for field in ["email", "verified", "name", "subject"] {
        assert!(page.contains(&format!("<label for=\"{field}\">")), "{field}");
    }
    // One form for each persona, one for typing, one to deny.
    assert_eq!(page.matches("<form ").count(), 6);
    assert_eq!(page.matches(&hidden("state", "state-1")).count(), 6);
    assert!(!page.contains("unknown"));
}

#[tokio::test]
async fn values_are_escaped() {
    let hostile = "\"><script>alert('1')</script>&";
    let page = text(page(&[("state", hostile), ("scope", hostile)])).await;
    assert!(!page.contains("<script"));
    assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"));
    assert!(!text(error(hostile)).await.contains("<script"));
}

#[test]
fn policy_allows_the_style_and_the_forms_only() {
    let policy = |answer: &Response| answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    let shown = policy(&page(&[]));
    assert!(shown.starts_with("default-src 'none'; style-src 'sha256-"), "{shown}");
    let targets = "form-action 'self' http://127.0.0.1:9000 http://127.0.0.1:9001 http://localhost:3000;";
    assert!(shown.contains(targets), "{shown}");
    let refused = error("No.");
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(policy(&refused).contains("form-action 'none';"));
}
