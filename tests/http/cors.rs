//! What web pages of other origins can do, as their browsers apply CORS: with the API, and with presigned requests to the
//! bucket.

use domain::{region::Region, resource::Kind};
use reqwest::{Client, Method, RequestBuilder};
use tests::{Answer, App, PASSWORD, Person, json};

/// The page of the list, and one that is not in it.
const PAGE: &str = "https://app.example";
const OTHER: &str = "https://evil.example";

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.unwrap()).await
}

/// A preflight, as the browser of a page of this origin sends it.
async fn preflight(url: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let request = Client::new().request(Method::OPTIONS, url);
    let given = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", headers),
    ];
    let given = given.into_iter().filter(|(_, value)| !value.is_empty());
    send(given.fold(request, |request, (name, value)| request.header(name, value))).await
}

/// The CORS headers of an answer.
fn cors(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

/// Whether the browser would let the page send this request after the preflight, as the Fetch standard says.
fn may_send(preflight: &Answer, origin: &str, method: &str, headers: &str) -> bool {
    let has = |name: &str, value: &str| {
        let list = preflight.header(name).unwrap_or_default();
        list.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(value))
    };
    let asked = headers.split(',').filter(|name| !name.is_empty());
    preflight.status / 100 == 2
        && preflight.header(ALLOW_ORIGIN) == Some(origin)
        && has("access-control-allow-methods", method)
        && asked.into_iter().all(|name| has("access-control-allow-headers", name))
}

#[tokio::test]
async fn listed_page_may_use_the_api_through_every_region() {
    tests::needs_every_region!();
    let app = App::allowing(&[PAGE, "http://localhost:3000"]).await;
    let ada = app.living_in(Region::Eu).user("ada-97a").await;
    for region in Region::ALL {
        let app = app.by_way_of(region);
        let url = format!("{}/api/settings", app.api_url());
        for origin in [PAGE, "http://localhost:3000"] {
            let asked = "authorization,content-type,idempotency-key";
            let allowed = preflight(&url, origin, "PATCH", asked).await.expect(204);
            assert!(may_send(&allowed, origin, "PATCH", asked), "{region} {origin} {:?}", allowed.headers);
            assert_eq!(allowed.header("access-control-max-age"), Some("3600"));
            assert_eq!(allowed.header(ALLOW_CREDENTIALS), None);
        }
        // Of a path without routes, the gateway says as much.
        let nowhere = format!("{}/api/nowhere", app.api_url());
        assert!(may_send(&preflight(&nowhere, PAGE, "GET", "").await, PAGE, "GET", ""));
        // Eu's answer comes back with the headers of the region that was called, once.
        let request = app.request(Method::GET, "/api/settings").bearer_auth(&ada.token);
        let read = app.send(request.header("origin", PAGE)).await.expect(200);
        assert_eq!(read.headers.get_all(ALLOW_ORIGIN).iter().collect::<Vec<_>>(), [PAGE], "{region}");
        let exposed = read.header("access-control-expose-headers").unwrap();
        assert!(exposed.split(',').any(|name| name == "x-request-id"), "{exposed}");
        assert!(read.header("x-request-id").is_some());
        let refused = app.send(app.request(Method::GET, "/api/settings").header("origin", PAGE)).await;
        assert_eq!(
            (refused.brief().as_str(), refused.header(ALLOW_ORIGIN)),
            ("401 UNAUTHORIZED", Some(PAGE))
        );
    }
}

#[tokio::test]
async fn listed_page_signs_in_and_out_with_tokens() {
    let app = App::allowing(&[PAGE]).await;
    let ada = app.user("ada-97f").await;
    let from_page = |path: &str, token: Option<&str>| {
        let request = app.request(Method::POST, path).header("origin", PAGE);
        let request = request.header("sec-fetch-site", "cross-site");
        token.into_iter().fold(request, RequestBuilder::bearer_auth)
    };
    let form = json!({ "email": ada.email, "password": PASSWORD });
    let tokens = app.send(from_page("/api/auth/sign-in", None).json(&form)).await.expect(200);
    let (access, refresh) = (tokens.text_at("/accessToken"), tokens.text_at("/refreshToken"));
    const SIGN_OUT: &str = "/api/auth/sign-out";
    // A form without a token, which needs no preflight, would have the cookies deleted.
    app.send(from_page(SIGN_OUT, None)).await.expect(403);
    let with_cookie =
        from_page(SIGN_OUT, Some(&access)).header("cookie", format!("__Host-refresh={refresh}"));
    app.send(with_cookie).await.expect(403);
    let read = || app.request(Method::GET, "/api/settings").bearer_auth(&access);
    app.send(read()).await.expect(200);
    let signed_out = app.send(from_page(SIGN_OUT, Some(&access))).await.expect(200);
    assert_eq!(signed_out.header(ALLOW_ORIGIN), Some(PAGE));
    app.send(read()).await.expect(401);
    let again = from_page(SIGN_OUT, None).json(&json!({ "refreshToken": refresh }));
    app.send(again).await.expect(200);
}

#[tokio::test]
async fn other_page_learns_nothing() {
    let app = App::allowing(&[PAGE]).await;
    let ada = app.user("ada-97b").await;
    let url = format!("{}/api/settings", app.api_url());
    for origin in [OTHER, "null", "https://app.example:8443", "https://app.example.evil.example", "*", ""] {
        let refused = preflight(&url, origin, "PATCH", "authorization").await.expect(204);
        assert_eq!(cors(&refused), [""; 0], "{origin}");
        let request = app.request(Method::GET, "/api/settings").bearer_auth(&ada.token);
        let read = app.send(request.header("origin", origin)).await.expect(200);
        assert_eq!(cors(&read), [""; 0], "{origin}");
    }
    // The browser compares methods and headers.
    let allowed = preflight(&url, PAGE, "PUT", "x-csrf-token").await.expect(204);
    assert!(!may_send(&allowed, PAGE, "PUT", "") && !may_send(&allowed, PAGE, "PATCH", "x-csrf-token"));
    // It says nothing without what makes an OPTIONS request a preflight.
    assert_eq!(cors(&preflight(&url, PAGE, "", "").await.expect(204)), [""; 0]);
    // The gateway's own errors have no CORS headers.
    let missing = app.send(app.request(Method::GET, "/api/nowhere").header("origin", PAGE)).await.expect(404);
    assert_eq!(cors(&missing), [""; 0]);
}

#[tokio::test]
async fn without_a_list_no_page_may_use_the_api() {
    let app = App::start().await;
    let ada = app.user("ada-97c").await;
    let url = format!("{}/api/settings", app.api_url());
    let refused = preflight(&url, PAGE, "PATCH", "authorization").await.expect(404);
    assert_eq!(cors(&refused), [""; 0]);
    let request = app.request(Method::GET, "/api/settings").bearer_auth(&ada.token);
    let read = app.send(request.header("origin", PAGE)).await.expect(200);
    assert_eq!(cors(&read), [""; 0]);
}

#[tokio::test]
async fn listed_page_can_do_nothing_with_a_session_cookie() {
    let app = App::allowing(&[PAGE]).await;
    let ada = app.user("ada-97d").await;
    let form = json!({ "email": ada.email, "password": PASSWORD });
    let signed_in = app.post("/api/auth/sign-in?session=cookie", form.clone()).await.expect(200);
    let lines = signed_in.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() >= 2 && lines.iter().all(|line| line.contains("SameSite=Strict")), "{lines:?}");
    let jar: Vec<&str> = lines.iter().map(|line| line.split(';').next().unwrap()).collect();
    // A page on the same site: its browser sends the cookies with requests that need no preflight, and hides the answer.
    let simple = |method, path: &str| {
        let request = app.request(method, path).header("origin", PAGE).header("sec-fetch-site", "same-site");
        request.header("cookie", jar.join("; "))
    };
    for path in ["/api/auth/session", "/api/settings", "/api/api-keys"] {
        let read = app.send(simple(Method::GET, path)).await.expect(200);
        assert_eq!(read.header(ALLOW_CREDENTIALS), None, "{path}");
    }
    // A change needs the CSRF token, which the page can't read, in a header, which the page may not send.
    let json = "application/json";
    for content_type in ["text/plain", json] {
        let request = simple(Method::POST, "/api/settings").header("content-type", content_type).body("{}");
        assert_eq!(app.send(request).await.brief(), "403 CSRF_TOKEN_REQUIRED", "{content_type}");
    }
    app.send(simple(Method::POST, "/api/auth/sign-out")).await.expect(403);
    app.send(simple(Method::GET, "/api/auth/session")).await.expect(200);
    let url = format!("{}/api/settings", app.api_url());
    let allowed = preflight(&url, PAGE, "PATCH", "content-type,x-csrf-token").await.expect(204);
    assert!(!may_send(&allowed, PAGE, "PATCH", "content-type,x-csrf-token"));
    // Nor can it sign the browser in as somebody else without a preflight, which would allow no cookies.
    let plain = simple(Method::POST, "/api/auth/sign-in?session=cookie").header("content-type", "text/plain");
    let refused = app.send(plain.body(form.to_string())).await;
    assert_eq!((refused.status, refused.header("set-cookie")), (415, None), "{}", refused.text);
}

/// The address of an upload, and the answers that pages of this origin get when they send it.
async fn uploads(app: &App, who: &Person, origin: &str) -> (String, Answer, Vec<Answer>) {
    let dataset = who.make(Kind::Dataset, "coco").await;
    let place = who.begin_upload(&dataset, 5).await.expect(200);
    let url = place.text_at("/uploadUrl");
    let asked = preflight(&url, origin, "PUT", "content-type,if-none-match").await;
    let mut sent = Vec::new();
    // The page sees refusals too.
    for (content, status) in [("four", 403), ("12345", 200), ("12345", 412)] {
        sent.push(app.put_as(&place, content, "origin", origin).await.expect(status));
    }
    (url, asked, sent)
}

#[tokio::test]
async fn listed_and_own_pages_may_send_files() {
    if !tests::checks_signatures() {
        return;
    }
    let app = App::allowing(&[PAGE]).await;
    for (n, origin) in [PAGE, app.url(), app.api_url()].into_iter().enumerate() {
        let mia = app.user(&format!("mia-97-{n}")).await;
        let (url, asked, sent) = uploads(&app, &mia, origin).await;
        asked.clone().expect(200);
        assert!(may_send(&asked, origin, "PUT", "content-type,if-none-match"), "{:?}", asked.headers);
        assert_eq!(asked.header("access-control-max-age"), Some("3600"));
        assert!(sent.iter().all(|answer| answer.header(ALLOW_ORIGIN) == Some(origin)), "{origin}");
        for (method, headers) in
            [("DELETE", ""), ("POST", ""), ("PUT", "authorization"), ("GET", "content-type")]
        {
            let refused = preflight(&url, origin, method, headers).await.expect(403);
            assert!(refused.text.contains("<Code>AccessForbidden</Code>"), "{}", refused.text);
            assert_eq!(refused.header(ALLOW_ORIGIN), None);
        }
        preflight(&url, "", "PUT", "").await.expect(400);
        preflight(&url, origin, "", "").await.expect(400);
    }
}

#[tokio::test]
async fn other_page_may_send_no_file() {
    if !tests::checks_signatures() {
        return;
    }
    for (n, listed) in [&[PAGE] as &[&str], &[]].into_iter().enumerate() {
        let app = App::allowing(listed).await;
        let mia = app.user(&format!("mia-97-other-{n}")).await;
        let (_, asked, sent) = uploads(&app, &mia, OTHER).await;
        assert!(asked.expect(403).text.contains("CORSResponse: This CORS request is not allowed."));
        // A client other than a browser may use the URL; the page does not see the response.
        assert!(sent.iter().all(|answer| cors(answer).is_empty()));
    }
}

#[tokio::test]
async fn listed_page_may_get_a_bundle() {
    if !tests::checks_signatures() {
        return;
    }
    let app = App::allowing(&[PAGE]).await;
    let ada = app.user("ada-97e").await;
    let job = ada.ask_for_export("zip").await.expect(202).text_at("/jobId");
    let url = ada.done(&job).await.text_at("/downloadUrl");
    let asked = preflight(&url, PAGE, "GET", "range").await.expect(200);
    assert!(may_send(&asked, PAGE, "GET", "range"), "{:?}", asked.headers);
    let exposed = asked.header("access-control-expose-headers");
    assert_eq!(exposed, Some("accept-ranges, content-disposition, content-range"));
    let part = Client::new().get(&url).header("range", "bytes=0-3");
    let read = send(part.try_clone().unwrap().header("origin", PAGE)).await.expect(206);
    assert_eq!(read.header(ALLOW_ORIGIN), Some(PAGE));
    preflight(&url, OTHER, "GET", "range").await.expect(403);
    let hidden = send(part.header("origin", OTHER)).await.expect(206);
    assert_eq!(cors(&hidden), [""; 0]);
}
