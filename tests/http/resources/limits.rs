//! What a plan has room for.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use kit::ItemKind;

use super::*;

/// The models of the free plan.
const MODELS: usize = 100;

async fn make_models(who: &Person, count: usize) -> Vec<String> {
    let numbers: Vec<usize> = (0..count).collect();
    let mut ids = Vec::new();
    for some in numbers.chunks(10) {
        let make = |n: &usize| {
            let (who, slug) = (who.clone(), format!("model-{n}"));
            async move { who.make(Kind::Model, &slug).await }
        };
        ids.extend(join_all(some.iter().map(make)).await);
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_free_place_goes_to_one_of_twenty_requests() {
    let app = App::alone().await;
    let ada = app.user("ada17").await;
    make_models(&ada, MODELS - 1).await;
    let slugs: Vec<String> = (0..20).map(|n| format!("last-{n}")).collect();
    let answers = join_all(slugs.iter().map(|slug| ada.ask_for(Kind::Model, slug))).await;
    let mut briefs: Vec<String> = answers.iter().map(tests::Answer::brief).collect();
    briefs.sort();
    let refused = vec!["403 PLAN_LIMIT_REACHED".to_owned(); 19];
    assert_eq!(briefs, [vec!["201".to_owned()], refused].concat());
    assert_eq!(listed(&ada, Kind::Model).await.len(), MODELS);
    assert_eq!(ada.get("/api/account/summary").await.expect(200).at("/counts/models"), MODELS);
    // Neither projects nor datasets have a limit.
    ada.make(Kind::Project, "one").await;
    ada.make(Kind::Dataset, "one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_beyond_the_plan_limit_is_refused() {
    let app = App::alone().await;
    let bob = app.user("bob17").await;
    let project = bob.make(Kind::Project, "two").await;
    for slug in ["one", "two"] {
        bob.make_in(&project, slug).await;
    }
    bob.trash(&project).await.expect(200);
    let models = make_models(&bob, MODELS).await;
    assert_eq!(bob.ask_for(Kind::Model, "more").await.brief(), "403 PLAN_LIMIT_REACHED");
    bob.trash(&models[0]).await.expect(200);
    // One place for two models: nothing of the project comes back.
    assert_eq!(bob.restore(&project).await.brief(), "403 PLAN_LIMIT_REACHED");
    assert_eq!(bob.get(&path_of(&project)).await.status, 404);
    bob.make(Kind::Model, "more").await;
    assert_eq!(bob.restore(&models[0]).await.brief(), "403 PLAN_LIMIT_REACHED");
    for model in &models[1..3] {
        bob.trash(model).await.expect(200);
    }
    assert_eq!(bob.restore(&project).await.expect(200).body, json!({ "success": true, "restoredModels": 2 }));
    assert_eq!(bob.restore(&models[0]).await.brief(), "403 PLAN_LIMIT_REACHED");
    bob.purge(&models[0]).await.expect(200);
    bob.trash(&models[3]).await.expect(200);
    bob.restore(&models[3]).await.expect(200);
    assert_eq!(listed(&bob, Kind::Model).await.len(), MODELS);
}

/// Stores the quotas that a contract sets for a person's own workspace: a number each, or unlimited.
async fn store_overrides(app: &App, who: &Person, quotas: &[(&str, Option<u64>)]) {
    let quota = |(name, most): &(&str, Option<u64>)| {
        let unlimited = || AttributeValue::S("unlimited".to_owned());
        let at_most = |most: u64| {
            AttributeValue::M(HashMap::from([("at-most".to_owned(), AttributeValue::N(most.to_string()))]))
        };
        ((*name).to_owned(), most.map_or_else(unlimited, at_most))
    };
    let update = app.tables().update_item().table_name(app.table("workspaces"));
    let update = update
        .key("pk", AttributeValue::S(ItemKind::Workspaces.partition(who.workspace())))
        .key("sk", AttributeValue::S("WS".to_owned()))
        .update_expression("SET entitlementOverrides = :overrides")
        .expression_attribute_values(":overrides", AttributeValue::M(quotas.iter().map(quota).collect()));
    update.send().await.unwrap();
}

#[tokio::test]
async fn overrides_of_a_contract_replace_limits_of_the_plan() {
    let app = App::start().await;
    let carol = app.user("carol17").await;
    let key = carol.with_api_key("ci").await;
    let dataset = carol.make(Kind::Dataset, "files").await;
    store_overrides(&app, &carol, &[("models", Some(1)), ("storageBytes", Some(10))]).await;
    let model = carol.make(Kind::Model, "one").await;
    for who in [&carol, &key] {
        assert_eq!(who.ask_for(Kind::Model, "two").await.brief(), "403 PLAN_LIMIT_REACHED");
        assert_eq!(who.begin_upload(&dataset, 11).await.brief(), "403 PLAN_LIMIT_REACHED");
    }
    carol.trash(&model).await.expect(200);
    carol.make(Kind::Model, "two").await;
    assert_eq!(carol.restore(&model).await.brief(), "403 PLAN_LIMIT_REACHED");
    let usage = carol.get("/api/storage").await.expect(200);
    assert_eq!((usage.at("/usage/models/limit"), usage.at("/usage/storage/limit")), (&json!(1), &json!(10)));
    let unlimited = [("models", None), ("datasetUploadBytes", Some(20))];
    store_overrides(&app, &carol, &unlimited).await;
    carol.restore(&model).await.expect(200);
    let usage = carol.get("/api/storage").await.expect(200);
    assert_eq!(usage.body.pointer("/usage/models"), None);
    assert_eq!(carol.begin_upload(&dataset, 21).await.brief(), "403 PLAN_LIMIT_REACHED");
    carol.begin_upload(&dataset, 20).await.expect(200);
}
