//! The age of secrets, which is logged daily.

use super::*;

const DAY: i64 = 86_400;

async fn ages(app: &App) -> Value {
    app.run_worker("rotate-secrets").await["days"].clone()
}

#[tokio::test]
async fn age_counts_days_since_the_last_rotation() {
    let app = App::start().await.living_in(Region::AUTHORITY);
    app.stop_clock().await;
    assert_eq!(ages(&app).await, json!({ "tokens": 0, "codes": 0, "forwarding": 0 }));
    // The secrets are older than this by the time that the platform took to start.
    app.advance(31 * DAY - 3_600).await;
    assert_eq!(ages(&app).await, json!({ "tokens": 30, "codes": 30, "forwarding": 30 }));
    app.advance(3_600).await;
    app.rotate("codes").await.expect(200);
    assert_eq!(ages(&app).await, json!({ "tokens": 31, "codes": 0, "forwarding": 31 }));
    // A rotation that has begun and not ended makes nothing younger.
    app.faults(json!([{ "service": "secretsmanager", "operation": "PutSecretValue", "kind": "denied" }]))
        .await;
    app.rotate("tokens").await.expect(502);
    app.advance(DAY).await;
    assert_eq!(ages(&app).await, json!({ "tokens": 32, "codes": 1, "forwarding": 32 }));
    app.rotate("tokens").await.expect(200);
    assert_eq!(ages(&app).await, json!({ "tokens": 0, "codes": 1, "forwarding": 32 }));
    // Shared secrets are rotated in the authority only, so only there they have an age.
    let eu = app.living_in(Region::Eu);
    assert_eq!(ages(&eu).await, json!({ "tokens": 32, "codes": 32 }));
}

#[tokio::test]
async fn schedule_asks_for_the_age_of_every_secret_daily() {
    let app = App::start().await.living_in(Region::Eu);
    let before = app.last_call().await;
    app.advance(DAY + 1).await;
    let described = async || {
        let mut calls = app.calls_of("rotate-secrets", before).await;
        calls.retain(|call| call["region"] == app.home().aws() && call["operation"] == "DescribeSecret");
        calls.len()
    };
    for _ in 0..500 {
        if described().await == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("described {} secrets, not 2", described().await);
}

#[tokio::test]
async fn one_failed_secret_hides_no_other() {
    let app = App::start().await;
    let before = app.last_call().await;
    app.faults(json!([{ "service": "secretsmanager", "function": "rotate-secrets", "kind": "denied" }]))
        .await;
    app.try_worker("rotate-secrets").await.expect(502);
    let calls = app.calls_of("rotate-secrets", before).await;
    assert_eq!(calls.len(), if app.home() == Region::AUTHORITY { 3 } else { 2 });
}

#[tokio::test]
async fn incomplete_request_is_no_schedule() {
    let app = App::start().await;
    for event in [
        json!({ "Step": "createSecret" }),
        json!({ "Step": "unknownStep", "SecretId": "x", "ClientRequestToken": "y" }),
        json!({ "SecretId": "x", "ClientRequestToken": "y" }),
        json!({ "SecretId": "x" }),
    ] {
        let path = format!("/_local/run/rotate-secrets?region={}", app.home());
        app.post(&path, event).await.expect(502);
    }
}
