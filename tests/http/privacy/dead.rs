//! Credentials of a deleted account are refused from the next request on, at every region's endpoint.

use domain::region::Region;
use futures::future::join_all;
use reqwest::RequestBuilder;
use tests::{App, PASSWORD, Person, json};

use crate::wallets::surely;

/// Every request that somebody's credentials are good for: what it is, and the request.
struct Credentials {
    who: Person,
    key: String,
    cookies: String,
    csrf: String,
}

impl Credentials {
    async fn of(app: &App, handle: &str) -> Self {
        let who = app.user(handle).await;
        let (_, key) = who.make_key("laptop").await;
        let form = json!({ "email": who.email, "password": PASSWORD });
        let answer = who.app.post("/api/auth/sign-in?session=cookie", form).await.expect(200);
        let lines = answer.headers.get_all("set-cookie").iter();
        let cookies: Vec<&str> =
            lines.map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
        Self { who, key, cookies: cookies.join("; "), csrf: answer.text_at("/csrfToken") }
    }

    /// The requests, through a region.
    fn requests(&self, region: Region) -> Vec<(&'static str, RequestBuilder)> {
        let app = self.who.app.by_way_of(region);
        let get = |path: &str| app.request("GET".parse().unwrap(), path);
        let post = |path: &str| app.request("POST".parse().unwrap(), path);
        let refresh = post("/api/auth/refresh").json(&json!({ "refreshToken": self.who.refresh }));
        let cookies = post("/api/auth/refresh?session=cookie").header("cookie", &self.cookies);
        vec![
            ("access token", get("/api/settings").bearer_auth(&self.who.token)),
            (
                "access token, again",
                post("/api/gdpr").bearer_auth(&self.who.token).json(&json!({ "action": "export" })),
            ),
            ("API key", get("/api/account/summary").bearer_auth(&self.key)),
            ("API key, again", get("/api/projects").bearer_auth(&self.key)),
            ("session cookie", get("/api/settings").header("cookie", &self.cookies)),
            ("refresh cookie", cookies.header("x-csrf-token", &self.csrf).json(&json!({}))),
            ("refresh token", refresh),
        ]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_accounts_credentials_are_refused_everywhere() {
    tests::needs_every_region!();
    let app = App::start().await;
    for home in Region::ALL {
        let ada = Credentials::of(&app.living_in(home), &format!("ada-dead-{home}")).await;
        // All of them are good in all regions. (The refresh token is good once, and would not be any more.)
        for region in Region::ALL {
            for (what, request) in
                ada.requests(region).into_iter().filter(|(what, _)| !what.contains("efresh"))
            {
                let answer = app.send(request).await;
                assert!(answer.status < 300, "{what} of {home} in {region}: {}", answer.text);
            }
        }
        ada.who.ask_to_be_deleted().await.expect(202);
        let all = Region::ALL.into_iter().flat_map(|region| {
            ada.requests(region).into_iter().map(move |(what, request)| (region, what, request))
        });
        let app = &app;
        let answers =
            all.map(|(region, what, request)| async move { (region, what, app.send(request).await) });
        for (region, what, answer) in join_all(answers).await {
            assert_eq!(answer.brief(), "401 UNAUTHORIZED", "{what} of {home} in {region}");
        }
        let question = json!({ "headers": { "authorization": format!("Bearer {}", ada.key) } });
        for region in Region::ALL {
            let asked = app.post(&format!("/_local/run/authorizer?region={region}"), question.clone()).await;
            assert_eq!(asked.expect(200).at("/isAuthorized"), false);
            // Nor does the password: it is as if the address had never had an account.
            let nobody = format!("nobody-{home}-{region}@people.example");
            let answers = [&ada.who.email, &nobody].map(|email| {
                let app = app.by_way_of(region);
                async move { surely(|| app.sign_in(email, PASSWORD)).await.brief() }
            });
            let [ada, nobody] = <[String; 2]>::try_from(join_all(answers).await).unwrap();
            assert_eq!(ada, nobody, "{home} in {region}");
        }
    }
}
