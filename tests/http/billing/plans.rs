//! Plans, and what is used of them.

use domain::{Timestamp, resource::Kind};
use reqwest::Method;
use tests::{App, Person, Value, json};

use super::again;
use crate::{fixtures::billing::holds, provision};

const SUMMARY: &str = "/api/billing/usage-summary";
/// Stands for no limit.
const UNLIMITED: u64 = 9_007_199_254_740_991;

async fn summary(who: &Person, query: &str) -> Value {
    who.get(&format!("{SUMMARY}?{query}")).await.expect(200).body
}

fn metric(id: &str, limit: u64, used: u64) -> Value {
    json!({
        "metricId": id, "kind": "GAUGE", "period": "NONE", "limit": limit, "used": used, "remaining": limit - used,
        "overageAllowed": false,
    })
}

#[tokio::test]
async fn plans_are_listed_for_anyone() {
    const GB: u64 = 1_000_000_000;
    let app = App::start().await;
    let limits = |models: Option<u64>, storage: Option<u64>, upload: u64, seats: u64, jobs: Option<u64>| {
        json!({
            "models": models, "storageBytes": storage, "datasetUploadBytes": upload, "seats": seats,
            "trainings": jobs, "deployments": jobs,
        })
    };
    let features = |teams: bool, license: bool| json!({ "privateProjects": true, "teams": teams, "enterpriseLicense": license });
    let expected = json!({ "plans": [
        {
            "planId": "free", "name": "Free", "priceCents": { "monthly": 0, "yearly": 0 }, "monthlyCreditCents": 0,
            "signUpCreditCents": { "personal": 500, "company": 2_500 },
            "limits": limits(Some(100), Some(100 * GB), 10 * GB, 1, Some(3)), "features": features(false, false),
        },
        {
            "planId": "pro", "name": "Pro", "priceCents": { "monthly": 2_900, "yearly": 29_000 },
            "monthlyCreditCents": 3_000, "limits": limits(Some(500), Some(500 * GB), 20 * GB, 5, Some(10)),
            "features": features(true, false),
        },
        {
            "planId": "enterprise", "name": "Enterprise", "priceCents": null, "monthlyCreditCents": null,
            "limits": limits(None, None, 50 * GB, 50, None), "features": features(true, true),
        },
    ] });
    assert_eq!(app.get("/api/plans").await.expect(200).body, expected);
    assert_eq!(app.get("/api/plans?x=1").await.complaints(), "x UNKNOWN");
}

#[tokio::test]
async fn summary_counts_what_runs_against_the_limits() {
    let app = App::start().await;
    let who = app.user("use-free").await;
    who.make(Kind::Model, "nano").await;
    holds(&who, "job-1", 2_000_000).await.expect(200);
    let expected = json!({
        "plan": { "planId": "free", "name": "Free", "status": "active", "cancelAtPeriodEnd": false },
        "metrics": [metric("storage_bytes", 100_000_000_000, 0)],
        "trainingCredit": { "monthlyGrant": 0, "balanceAvailable": 2_300 },
        "features": { "privateProjects": true, "teams": false, "enterpriseLicense": false },
        "creditsCents": 2_500,
    });
    assert_eq!(summary(&who, "").await, expected);
    let metrics = json!([
        metric("storage_bytes", 100_000_000_000, 0),
        metric("models", 100, 1),
        metric("trainings", 3, 1),
        metric("deployments", 3, 0),
    ]);
    let expanded = summary(&who, "expand=limits").await;
    assert_eq!(expanded["metrics"], metrics);
    let others = |body: &Value| {
        let mut body = body.clone();
        body["metrics"] = Value::Null;
        body
    };
    assert_eq!(others(&expanded), others(&expected));
    assert_eq!(who.get(&format!("{SUMMARY}?expand=all")).await.complaints(), "expand INVALID");
}

#[tokio::test]
async fn summary_of_a_team_has_its_seats() {
    let app = App::start().await;
    let owner = app.user("use-owner").await;
    owner.found_team("use-team").await;
    let team = summary(&owner, "owner=use-team").await;
    assert_eq!((&team["currentSeats"], &team["maxSeats"]), (&json!(1), &json!(5)));
    assert_eq!(team["plan"]["planId"], "pro");
    assert_eq!(team["trainingCredit"], json!({ "monthlyGrant": 3_000, "balanceAvailable": 0 }));
    assert_eq!(team["creditsCents"], 0);
    let listed = owner.get("/api/billing/transactions?owner=use-team").await.expect(200);
    assert_eq!(listed.body, json!({ "transactions": [] }));
}

#[tokio::test]
async fn enterprise_plan_has_no_limits_until_it_ends() {
    let app = App::start().await;
    let who = app.user("use-contract").await;
    let end = Timestamp::from_second(app.now().await.as_second() + 3_600).unwrap().to_string();
    let form = json!({ "username": "use-contract", "plan": "enterprise", "endsAt": end });
    app.as_service(Method::POST, provision::PATH, form).await.expect(200);
    let now = summary(&who, "expand=limits").await;
    let plan = json!({
        "planId": "enterprise", "name": "Enterprise", "status": "active", "cancelAtPeriodEnd": false,
        "currentPeriodEnd": end, "enterpriseLicenseEnd": end, "licenseExpired": false,
    });
    assert_eq!(now["plan"], plan);
    assert_eq!(now["metrics"][2], metric("trainings", UNLIMITED, 0));
    assert_eq!(now["features"]["enterpriseLicense"], true);
    app.advance(3_601).await;
    let now = summary(&again(&who).await, "").await;
    let plan = json!({
        "planId": "free", "name": "Free", "status": "active", "cancelAtPeriodEnd": false,
        "enterpriseLicenseEnd": end, "licenseExpired": true,
    });
    assert_eq!((&now["plan"], &now["features"]["enterpriseLicense"]), (&plan, &json!(false)));
}
