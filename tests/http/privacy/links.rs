//! Links to bundles: each is good for an hour, for one file, and for nobody who does not hold it.

use domain::resource::Kind;
use reqwest::{Client, Method};
use tests::{Answer, App, Download, PASSWORD, Person, json};

/// Somebody with a bundle; its job's status.
async fn exported(app: &App, handle: &str) -> (Person, Answer) {
    let who = app.user(handle).await;
    who.make(Kind::Dataset, "coco").await;
    let job = who.ask_for_export("zip").await.expect(202).text_at("/jobId");
    let done = who.done(&job).await;
    (who, done)
}

async fn status(link: &str) -> u16 {
    Download::from(link).await.status
}

/// A link with another value of one of its parameters.
fn with(link: &str, parameter: &str, value: &str) -> String {
    let start = link.find(&format!("{parameter}=")).unwrap() + parameter.len() + 1;
    let end = link[start..].find('&').map_or(link.len(), |length| start + length);
    format!("{}{value}{}", &link[..start], &link[end..])
}

#[tokio::test]
async fn others_jobs_look_missing() {
    let app = App::start().await;
    let (ada, done) = exported(&app, "ada60").await;
    let (mallory, job) = (app.user("mallory60").await, done.text_at("/jobId"));
    let hidden = mallory.job(&job).await.expect(404);
    let missing = mallory.job("job_01m858qy4a1ar9by88nhafn40x").await.expect(404);
    assert_eq!(hidden.at("/detail"), missing.at("/detail"));
    app.get(&format!("/api/gdpr?jobId={job}")).await.expect(401);
    ada.with_api_key("ci").await.job(&job).await.expect(401);
    // Neither does who may see the workspace.
    ada.let_in(&mallory, domain::role::Role::Admin).await;
    mallory.job(&job).await.expect(404);
    mallory.job(&format!("{job}&owner=ada60")).await.expect(400);
}

#[tokio::test]
async fn download_link_is_valid_for_an_hour_and_renewed() {
    let app = App::start().await;
    app.stop_clock().await;
    let (ada, done) = exported(&app, "ada61").await;
    let first = done.text_at("/downloadUrl");
    let expires: domain::Timestamp = done.text_at("/expiresAt").parse().unwrap();
    assert_eq!(expires.as_second() - app.now().await.as_second(), 3_600);
    app.advance(60).await;
    let second = ada.job(&done.text_at("/jobId")).await.expect(200).text_at("/downloadUrl");
    assert_ne!(first, second);
    app.advance(3_600 - 61).await;
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    app.advance(61).await;
    assert_eq!((status(&first).await, status(&second).await), (403, 200));
    app.advance(60).await;
    assert_eq!(status(&second).await, 403);
}

#[tokio::test]
async fn old_session_gets_no_link_without_its_password() {
    let app = App::start().await;
    let (ada, done) = exported(&app, "ada68").await;
    let job = done.text_at("/jobId");
    app.advance(15 * 60).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &tokens);
    let answer = ada.job(&job).await.expect(200);
    assert_eq!((answer.at("/status"), answer.at("/format")), (&json!("completed"), &json!("zip")));
    for link in ["/downloadUrl", "/headUrl", "/expiresAt"] {
        assert!(answer.at(link).is_null(), "{}", answer.text);
    }
    ada.post("/api/auth/step-up", json!({ "password": PASSWORD })).await.expect(200);
    assert_eq!(status(&ada.job(&job).await.expect(200).text_at("/downloadUrl")).await, 200);
}

#[tokio::test]
async fn a_link_that_was_changed_is_refused() {
    let app = App::start().await;
    let (ada, done) = exported(&app, "ada62").await;
    let (_, other) = exported(&app, "eve62").await;
    let (link, job) = (done.text_at("/downloadUrl"), done.text_at("/jobId"));
    assert_eq!(status(&link).await, 200);
    let elsewhere = link.replace(&job, &other.text_at("/jobId"));
    let elsewhere = elsewhere.replace(&ada.id().to_string(), "user_01m858qy4a1ar9by88nhafn40x");
    let unsigned = link.split('?').next().unwrap();
    let later = with(&link, "X-Amz-Expires", "7200");
    let renamed = with(&link, "response-content-disposition", "inline");
    for changed in [&elsewhere, &link.replace(&job, &other.text_at("/jobId")), unsigned, &later, &renamed] {
        assert_ne!(changed, link);
        assert_eq!(status(changed).await, 403, "{changed}");
    }
    // It is for reading, and for nothing else.
    for method in [Method::HEAD, Method::PUT, Method::DELETE] {
        let refused = Download::of(Client::new().request(method.clone(), &link)).await;
        assert_eq!(refused.status, 403, "{method}");
    }
    assert_eq!(status(&link).await, 200);
}

#[tokio::test]
async fn a_bundle_is_saved_and_not_kept_by_caches_and_is_had_in_parts() {
    let app = App::start().await;
    let (_, done) = exported(&app, "ada63").await;
    let (link, client) = (done.text_at("/downloadUrl"), Client::new());
    let whole = Download::from(&link).await;
    assert_eq!(done.at("/bytes"), whole.bytes.len());
    let part = Download::of(client.get(&link).header("range", "bytes=10-29")).await;
    assert_eq!((part.status, &part.bytes[..]), (206, &whole.bytes[10..30]));
    let size = whole.bytes.len();
    assert_eq!(part.header("content-range"), format!("bytes 10-29/{size}"));
    let end = Download::of(client.get(&link).header("range", "bytes=-22")).await;
    assert_eq!((end.status, &end.bytes[..]), (206, &whole.bytes[size - 22..]));
    let past = Download::of(client.get(&link).header("range", format!("bytes={size}-"))).await;
    assert_eq!(past.status, 416);
    let head = Download::of(client.head(done.text_at("/headUrl"))).await;
    assert_eq!((head.status, head.header("content-length")), (200, size.to_string().as_str()));
    for answer in [&whole, &part, &head] {
        let disposition = answer.header("content-disposition");
        assert!(disposition.starts_with("attachment; filename=\"account-export-"), "{disposition}");
        assert!(disposition.ends_with(".zip\""), "{disposition}");
        assert_eq!(answer.header("content-type"), "application/zip");
        assert!(answer.header("cache-control").contains("no-store"), "{}", answer.header("cache-control"));
    }
}

#[tokio::test]
async fn a_bundle_is_gone_a_week_after_it_was_complete() {
    let app = App::start().await;
    app.stop_clock().await;
    let (ada, done) = exported(&app, "ada64").await;
    let (job, ended) = (done.text_at("/jobId"), done.text_at("/completedAt"));
    let is_there = async || app.file_keys().await.iter().any(|key| key.contains(&job));
    let status = async || {
        let tokens = app.sign_in(&ada.email, tests::PASSWORD).await.expect(200);
        Person::new(app.clone(), &ada.handle, &ada.email, &tokens).job(&job).await
    };
    let due = ended.parse::<domain::Timestamp>().unwrap().as_millisecond() + 7 * 24 * 3_600_000;
    app.set_clock(domain::Timestamp::from_millisecond(due - 1).unwrap()).await;
    assert!(status().await.expect(200).at("/downloadUrl").is_string());
    app.run_worker("run-export").await;
    assert!(is_there().await, "it is gone too soon");
    app.set_clock(domain::Timestamp::from_millisecond(due).unwrap()).await;
    // An expired bundle that is not removed yet can't be downloaded either.
    let late = status().await;
    assert!(late.status == 404 || late.at("/downloadUrl").is_null(), "{}", late.text);
    app.run_worker("run-export").await;
    assert!(!is_there().await, "it is still there");
    let gone = status().await;
    assert!(gone.status == 404 || gone.at("/downloadUrl").is_null(), "{}", gone.text);
    // And another can be had.
    ada.app.sign_in(&ada.email, tests::PASSWORD).await.expect(200);
}
