//! What a plan has room for.

use futures::future::join_all;

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
async fn of_twenty_at_once_one_gets_the_last_place() {
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
async fn what_comes_back_from_the_trash_needs_room_too() {
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
