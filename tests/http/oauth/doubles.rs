//! The same client against providers that others wrote: `emulate` and `oauth2-mock-server`.

use std::process::Stdio;

use reqwest::{Method, Url};
use tests::{App, OauthBrowser, Person, Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::scripted::use_provider;

/// The running providers.
struct Doubles {
    urls: Value,
    _process: Child,
}

impl Doubles {
    async fn start(app: &App) -> Self {
        let start = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/identity-doubles/start");
        let mut command = Command::new(start);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let urls: Value = tests::from_str(&line).unwrap();
        let client = |more: Value| {
            let mut client = json!({ "clientId": "client", "clientSecret": "secret" });
            client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            client
        };
        let document = json!({
            "google": client(json!({ "issuer": urls["google"] })),
            "github": client(json!({ "url": urls["github"], "apiUrl": urls["github"] })),
        });
        use_provider(app, &document).await;
        Self { urls, _process: process }
    }
}

/// Sends a form of the page that lets people choose who they are, and returns the redirect.
async fn choose(page: &Url, who: (&str, &str), path: &str) -> Url {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let html = client.get(page.clone()).send().await.unwrap().text().await.unwrap();
    assert!(html.contains(who.1), "the page offers {}", who.1);
    let mut form: Url = page.join(path).unwrap();
    form.query_pairs_mut().extend_pairs(page.query_pairs()).append_pair(who.0, who.1);
    let body = form.query().unwrap().to_owned();
    form.set_query(None);
    let request = client.post(form).header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = request.send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().parse().unwrap()
}

async fn signs_in(browser: &mut OauthBrowser, back: &Url, provider: &str) -> Person {
    let answer = browser.callback(back).await.expect(303);
    assert_eq!(answer.header("location"), Some(format!("/sign-in?provider={provider}").as_str()));
    let tokens = browser.complete_at_home().await.expect(200);
    Person::new(browser.app.clone(), "x", "x", &tokens)
}

#[tokio::test]
async fn providers_that_others_wrote_sign_people_in() {
    let app = App::start().await;
    let doubles = Doubles::start(&app).await;
    // Google of emulate.
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut browser = OauthBrowser::new(&app);
        let page = browser.start("google").await;
        let back = choose(&page, ("email", "testuser@gmail.com"), "/o/oauth2/v2/auth/callback").await;
        let who = signs_in(&mut browser, &back, "google").await;
        ids.push(who.id());
        assert_eq!(
            who.get("/api/auth/connections").await.expect(200).text_at("/connections/0/provider"),
            "google"
        );
    }
    // GitHub of emulate.
    for _ in 0..2 {
        let mut browser = OauthBrowser::new(&app);
        let page = browser.start("github").await;
        let back = choose(&page, ("login", "ada"), "/login/oauth/callback").await;
        ids.push(signs_in(&mut browser, &back, "github").await.id());
    }
    assert_eq!((ids[0], ids[2]), (ids[1], ids[3]));
    // oauth2-mock-server, which asks nobody.
    let google = json!({ "clientId": "client", "clientSecret": "secret", "issuer": doubles.urls["mock"] });
    use_provider(&app, &json!({ "google": google })).await;
    let mut browser = OauthBrowser::new(&app);
    let page = browser.start("google").await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.request(Method::GET, page).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let who = signs_in(&mut browser, &back, "google").await;
    assert!(!ids.contains(&who.id()));
}
