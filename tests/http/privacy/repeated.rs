//! A deletion whose answer was lost is asked for again: the session has ended with it, and its token still gets the job.

use domain::region::Region;
use tests::{App, PASSWORD, Person, Value, json};

const FORM: &str = r#"{"action":"delete","confirmationWord":"DELETE"}"#;

fn form() -> Value {
    serde_json::from_str(FORM).unwrap()
}

#[tokio::test]
async fn repeated_deletion_request_gets_the_same_job_in_every_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    for home in Region::ALL {
        let ada = app.living_in(home).user(&format!("ada-repeat-{home}")).await;
        ada.make_key("ci").await;
        let first = ada.post_once("/api/gdpr", form(), "once").await.expect(202);
        let job = first.text_at("/jobId");
        for way in Region::ALL {
            let ada = ada.by_way_of(way);
            let again = ada.ask_to_be_deleted().await.expect(202);
            assert_eq!(again.text_at("/jobId"), job, "of {home} through {way}");
            assert!(again.header("set-cookie").is_some());
            let keyed = ada.post_once("/api/gdpr", form(), "once").await.expect(202);
            assert_eq!(keyed.text_at("/jobId"), job);
            let status = ada.job(&job).await.expect(200);
            assert_eq!((status.text_at("/jobId"), status.text_at("/action")), (job.clone(), "delete".into()));
        }
    }
}

#[tokio::test]
async fn session_that_asked_for_the_deletion_opens_nothing_else() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-only").await;
    let export = ada.ask_for_export("json").await.expect(202).text_at("/jobId");
    ada.done(&export).await;
    let tokens = app.sign_in(&ada.email, PASSWORD).await.expect(200);
    let other = Person::new(app.clone(), "ada-only", &ada.email, &tokens);
    let job = ada.ask_to_be_deleted().await.expect(202).text_at("/jobId");
    // What a session that has ended is answered.
    let ended = other.get("/api/settings").await;
    assert_eq!(ended.brief(), "401 UNAUTHORIZED");
    let plain = |answer: &tests::Answer| {
        let mut body = answer.body.clone();
        body["requestId"] = Value::Null;
        (answer.status, body.to_string())
    };
    let refused = [
        other.ask_to_be_deleted().await,
        other.job(&job).await,
        ada.job(&export).await,
        ada.get("/api/settings").await,
        ada.post("/api/gdpr", json!({ "action": "export" })).await,
        ada.ask_to_delete_team("ada-only").await,
        ada.post("/api/auth/step-up", json!({ "password": PASSWORD })).await,
    ];
    for answer in &refused {
        assert_eq!(plain(answer), plain(&ended));
    }
    ada.job(&job).await.expect(200);
    // The token is good for its minutes only.
    app.advance(601).await;
    assert_eq!(ada.job(&job).await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn browser_that_repeats_the_deletion_needs_its_csrf_token() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-browser").await;
    let sign_in = json!({ "email": ada.email, "password": PASSWORD });
    let answer = app.post("/api/auth/sign-in?session=cookie", sign_in).await.expect(200);
    let lines = answer.headers.get_all("set-cookie").iter();
    let jar: Vec<&str> = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
    let ask = async |csrf: &str| {
        let request = app.request("POST".parse().unwrap(), "/api/gdpr").header("cookie", jar.join("; "));
        app.send(request.header("x-csrf-token", csrf).json(&form())).await
    };
    let csrf = answer.text_at("/csrfToken");
    let first = ask(&csrf).await.expect(202);
    assert_eq!(ask("wrong").await.brief(), "403 CSRF_TOKEN_REQUIRED");
    assert_eq!(ask(&csrf).await.expect(202).at("/jobId"), first.at("/jobId"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_deletion_request_succeeds_when_repeated() {
    tests::needs_every_region!();
    let app = App::start().await;
    let probe = app.user("ada-probe").await;
    let before = app.last_call().await;
    probe.ask_to_be_deleted().await.expect(202);
    let mut calls = app.calls_of("gdpr-request", before).await;
    calls.retain(|call| call["service"] == "dynamodb");
    assert!(calls.len() > 5, "{calls:?}");
    for kind in ["lost-response", "refused"] {
        for nth in 1..=calls.len() {
            let ada = app.user(&format!("ada-{}-{nth}", &kind[..4])).await;
            app.faults(json!([{
                "service": "dynamodb", "function": "gdpr-request", "kind": kind, "nth": nth, "times": 0,
            }]))
            .await;
            let first = ada.ask_to_be_deleted().await;
            app.no_faults().await;
            let again = ada.ask_to_be_deleted().await.expect(202);
            if first.status == 202 {
                assert_eq!(first.at("/jobId"), again.at("/jobId"));
            }
            let jobs = ada.jobs().await;
            let deletions = jobs.iter().filter(|job| job["sk"].as_str().unwrap().starts_with("DELETION#"));
            assert_eq!(deletions.count(), 1);
            assert_eq!(ada.job(&again.text_at("/jobId")).await.expect(200).at("/action"), "delete");
            assert_eq!(ada.get("/api/settings").await.brief(), "401 UNAUTHORIZED", "{kind} at {nth}");
        }
    }
}
