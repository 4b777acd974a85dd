//! The steps of a rotation: each may come twice, at the same time, too late, or die at any call.

use super::*;

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// Announces a version, as Secrets Manager does before the first step.
async fn announce(app: &App, secret: &str) -> String {
    let request = app.secrets_manager().rotate_secret().secret_id(name(app, secret));
    request.rotation_lambda_arn("arn:aws:lambda:::function:f").send().await.unwrap().version_id.unwrap()
}

async fn step(app: &App, secret: &str, version: &str, step: &str) -> Answer {
    let event = json!({ "Step": step, "SecretId": name(app, secret), "ClientRequestToken": version });
    app.post(&format!("/_local/run/rotate-secrets?region={}", app.home()), event).await
}

fn why(answer: &Answer) -> String {
    assert_eq!(answer.status, 502, "{}", answer.text);
    answer.text_at("/errorMessage")
}

/// The version with a label.
async fn labelled(app: &App, secret: &str, label: &str) -> Option<String> {
    let described =
        app.secrets_manager().describe_secret().secret_id(name(app, secret)).send().await.unwrap();
    let versions = described.version_ids_to_stages.unwrap();
    versions.into_iter().find(|(_, labels)| labels.iter().any(|each| each == label)).map(|(id, _)| id)
}

#[tokio::test]
async fn steps_that_come_twice_and_at_the_same_time_make_one_key() {
    let app = App::start().await;
    let mut ada = app.user("ada-twice").await;
    for secret in ["tokens", "codes"] {
        let version = announce(&app, secret).await;
        for each in STEPS {
            for answer in join_all((0..4).map(|_| step(&app, secret, &version, each))).await {
                answer.expect(200);
            }
            step(&app, secret, &version, each).await.expect(200);
        }
        assert_eq!(labelled(&app, secret, "AWSCURRENT").await, Some(version.clone()));
        assert_eq!(keys(&app, secret).await, 2);
        // Long after, the steps come once more.
        app.rotate(secret).await.expect(200);
        for each in STEPS {
            assert_eq!(
                why(&step(&app, secret, &version, each).await),
                "there is no such rotation, or it is over"
            );
        }
        assert_eq!(keys(&app, secret).await, 3);
    }
    assert_eq!(published(&app).await.len(), 5);
    app.advance(LEAD.as_secs()).await;
    goes_on(&mut ada, app.home()).await;
}

/// The calls that a rotation of tokens makes, some of which only a later one makes.
const CALLS: [(&str, &str); 8] = [
    ("secretsmanager", "DescribeSecret"),
    ("secretsmanager", "GetSecretValue"),
    ("secretsmanager", "PutSecretValue"),
    ("secretsmanager", "UpdateSecretVersionStage"),
    ("dynamodb", "PutItem"),
    ("dynamodb", "Query"),
    ("dynamodb", "GetItem"),
    ("dynamodb", "TransactWriteItems"),
];

#[tokio::test]
async fn interrupted_rotation_is_completed_by_the_next_attempt() {
    let app = App::start().await;
    let mut ada = app.user("ada-dies").await;
    for _ in 0..2 {
        app.rotate("tokens").await.expect(200);
        app.advance(2 * 3_600).await;
    }
    for (service, operation) in CALLS {
        for (kind, nth) in [("refused", 1), ("lost-response", 1), ("refused", 2), ("lost-response", 3)] {
            let before = labelled(&app, "tokens", "AWSCURRENT").await.unwrap();
            let fault = json!({ "service": service, "operation": operation, "function": "rotate-secrets",
                "kind": kind, "nth": nth, "times": 0 });
            app.faults(json!([fault])).await;
            let died = app.rotate("tokens").await.status != 200;
            app.no_faults().await;
            goes_on(&mut ada, app.home()).await;
            // Only the answer to the last call may have been lost.
            if labelled(&app, "tokens", "AWSCURRENT").await.as_ref() == Some(&before) {
                app.rotate("tokens").await.expect(200);
            }
            let after = labelled(&app, "tokens", "AWSCURRENT").await.unwrap();
            let what = format!("{operation} {kind} {nth}");
            assert!(nth > 1 || died, "{what} was not needed");
            assert_ne!(before, after, "{what}");
            assert_eq!(labelled(&app, "tokens", "AWSPREVIOUS").await, Some(before), "{what}: one version");
            // The next one retires a key.
            app.advance(2 * 3_600).await;
            goes_on(&mut ada, app.home()).await;
            assert_eq!(published(&app).await.len(), 2 + 2, "{what}: two of ours");
        }
    }
}

#[tokio::test]
async fn a_version_that_comes_too_late_never_becomes_the_current_one() {
    let app = App::start().await;
    let mut ada = app.user("ada-late").await;
    let shown = published(&app).await;
    for (late, withdrawn) in [(51 * 60, false), (24 * 3_600, true)] {
        let before = labelled(&app, "tokens", "AWSCURRENT").await;
        let version = announce(&app, "tokens").await;
        for each in &STEPS[..3] {
            step(&app, "tokens", &version, each).await.expect(200);
        }
        app.advance(late).await;
        let refused =
            step(&app, "tokens", &version, if withdrawn { "createSecret" } else { "finishSecret" }).await;
        assert!(why(&refused).starts_with("too late"), "{}", refused.text);
        assert_eq!(labelled(&app, "tokens", "AWSCURRENT").await, before);
        assert_eq!(labelled(&app, "tokens", "AWSPENDING").await, None);
        assert_eq!(published(&app).await.len(), shown.len() + 1, "one is left over, and no more");
        goes_on(&mut ada, app.home()).await;
    }
    app.rotate("tokens").await.expect(200);
    app.advance(LEAD.as_secs()).await;
    goes_on(&mut ada, app.home()).await;
}

#[tokio::test]
async fn overtaken_version_never_becomes_current() {
    let app = App::start().await;
    let mut ada = app.user("ada-over").await;
    let version = announce(&app, "tokens").await;
    for each in &STEPS[..3] {
        step(&app, "tokens", &version, each).await.expect(200);
    }
    let secrets = app.secrets_manager();
    let read = secrets.get_secret_value().secret_id(name(&app, "tokens")).send().await.unwrap();
    let put = secrets.put_secret_value().secret_id(name(&app, "tokens"));
    let by_hand = put.secret_string(read.secret_string().unwrap()).send().await.unwrap().version_id;
    let refused = step(&app, "tokens", &version, "finishSecret").await;
    assert!(why(&refused).starts_with("another version"), "{}", refused.text);
    assert_eq!(labelled(&app, "tokens", "AWSCURRENT").await, by_hand);
    app.rotate("tokens").await.expect(200);
    app.advance(LEAD.as_secs()).await;
    goes_on(&mut ada, app.home()).await;
}

#[tokio::test]
async fn unpublished_public_key_blocks_its_version() {
    let app = App::start().await.living_in(Region::Eu);
    let mut ada = app.user("ada-lag").await;
    app.post("/_local/replication", json!({ "paused": true })).await.expect(200);
    let refused = app.rotate("tokens").await;
    assert!(why(&refused).starts_with("testSecret: the region's replica"), "{}", refused.text);
    goes_on(&mut ada, Region::Ap).await;
    app.post("/_local/replication", json!({ "paused": false })).await.expect(200);
    app.rotate("tokens").await.expect(200);
    app.advance(LEAD.as_secs()).await;
    goes_on(&mut ada, Region::Ap).await;
}

#[tokio::test]
async fn invalid_rotation_event_changes_nothing() {
    let app = App::start().await;
    let never = "0123456789abcdef0123456789abcdef";
    for each in STEPS {
        assert_eq!(why(&step(&app, "codes", never, each).await), "there is no such rotation, or it is over");
    }
    let version = announce(&app, "codes").await;
    for each in ["setSecret", "finishSecret"] {
        assert_eq!(why(&step(&app, "codes", &version, each).await), "the version has no value yet");
    }
    step(&app, "codes", &version, "testSecret").await.expect(200);
    let run = "/_local/run/rotate-secrets";
    for event in [
        json!({ "Step": "createSecret", "SecretId": "account/eu/codes", "ClientRequestToken": never }),
        json!({ "Step": "dropSecret", "SecretId": "account/us/codes", "ClientRequestToken": version }),
        json!({ "Step": "createSecret" }),
    ] {
        app.post(run, event).await.expect(502);
    }
    assert_eq!(keys(&app, "codes").await, 1);
    app.rotate("codes").await.expect(200);
    assert_eq!(keys(&app, "codes").await, 2);
}
