//! A request that AWS rejects is a defect of ours and answers 500; a service that fails for a moment is an outage and answers
//! 503. Either way nothing is lost.

use domain::{region::Region, resource::Kind};
use tests::{Answer, App, Person, json};

const DEFECTS: [&str; 2] = ["denied", "validation"];
const OUTAGES: [&str; 3] = ["refused", "throttled", "error"];

/// A request, and the call that it makes.
type Ask = (&'static str, &'static str, &'static str);

const READS_SETTINGS: Ask = ("dynamodb", "BatchGetItem", "settings-read");
const MAKES_KEY: Ask = ("dynamodb", "TransactWriteItems", "api-keys-create");
const SEALS_KEY: Ask = ("kms", "Decrypt", "api-keys-create");
const SIGNS_IN: Ask = ("secretsmanager", "GetSecretValue", "auth-sign-in");
const LOOKS_FOR_FILE: Ask = ("s3", "ListObjectsV2", "upload-complete");

async fn ask(who: &Person, ask: Ask, upload: &str) -> Answer {
    match ask {
        READS_SETTINGS => who.get("/api/settings").await,
        MAKES_KEY | SEALS_KEY => who.post("/api/api-keys", json!({ "name": "ci" })).await,
        SIGNS_IN => who.app.sign_in(&who.email, tests::PASSWORD).await,
        _ => who.complete(upload).await,
    }
}

async fn fail(app: &App, (service, operation, function): Ask, kind: &str) {
    let fault =
        json!({ "service": service, "operation": operation, "function": function, "kind": kind, "times": 0 });
    app.faults(json!([fault])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_call_answers_500_and_failed_call_answers_503() {
    let app = App::start().await;
    let who = app.user("ada-rejected").await;
    let dataset = who.make(Kind::Dataset, "coco").await;
    let place = who.begin_upload(&dataset, 5).await.expect(200);
    app.put(&place, "12345").await.expect(200);
    let upload = place.text_at("/sessionId");
    for request in [READS_SETTINGS, SEALS_KEY, MAKES_KEY, SIGNS_IN, LOOKS_FOR_FILE] {
        for kind in DEFECTS {
            fail(&app, request, kind).await;
            let answer = ask(&who, request, &upload).await;
            assert_eq!(answer.brief(), "500 INTERNAL_ERROR", "{request:?} {kind}");
            assert!(answer.header("retry-after").is_none(), "{request:?} {kind}");
            // What AWS said is for the log. The request's id may have any letters.
            let told = answer.text.replace(&answer.text_at("/requestId"), "");
            for inside in [request.0, "Exception", "Denied", "arn:"] {
                assert!(!told.contains(inside), "{request:?} {kind}: {told}");
            }
        }
        for kind in OUTAGES {
            fail(&app, request, kind).await;
            let answer = ask(&who, request, &upload).await;
            assert_eq!(answer.brief(), "503 UNAVAILABLE", "{request:?} {kind}");
            assert!(answer.header("retry-after").is_some(), "{request:?} {kind}");
        }
        app.no_faults().await;
        let answer = ask(&who, request, &upload).await;
        assert!(answer.status < 300, "{request:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn rejected_call_at_home_answers_500_through_another_region() {
    let app = App::start().await;
    let who = app.living_in(Region::Eu).user("ewa-rejected").await.by_way_of(Region::Ap);
    for (kind, brief) in [("denied", "500 INTERNAL_ERROR"), ("refused", "503 UNAVAILABLE")] {
        fail(&app, READS_SETTINGS, kind).await;
        assert_eq!(who.get("/api/settings").await.brief(), brief, "{kind}");
    }
    app.no_faults().await;
    who.get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn rejected_calls_of_workers_lose_no_message() {
    let app = App::start().await;
    for (n, (service, function)) in
        [("ses", "send-mail"), ("dynamodb", "send-mail"), ("events", "publish-events")]
            .into_iter()
            .enumerate()
    {
        // SES finds the mail invalid, and refuses it permanently.
        let kinds = DEFECTS.into_iter().filter(|kind| (service, *kind) != ("ses", "validation"));
        for kind in kinds {
            let email = format!("{kind}-{n}@people.example");
            let since = app.last_call().await;
            app.faults(json!([{ "service": service, "function": function, "kind": kind, "times": 0 }])).await;
            app.sign_up(&email).await.expect(202);
            let mut waited = 0;
            while app.calls_of(function, since).await.iter().all(|call| call["service"] != service) {
                waited += 1;
                assert!(waited < 500, "{function} made no call to {service}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            app.no_faults().await;
            app.redeliver().await;
            app.code(&email).await;
            assert_eq!(app.mail(&email).await.len(), 1, "{service} {kind}");
        }
    }
}
