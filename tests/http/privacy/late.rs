//! Requests that are admitted just before a deletion and write after it.

use domain::resource::Kind;
use futures::future::join_all;
use tests::{Answer, App, Person, json};

use super::{SECOND_LOOK, everything::Everything, forgotten, looked_once};

/// The nth of many requests at once.
async fn request(who: &Person, n: usize) -> (usize, Answer) {
    let slug = format!("late-{n}");
    let answer = match n % 5 {
        0 => who.post("/api/api-keys", json!({ "name": slug })).await,
        1 => who.ask_for(Kind::Project, &slug).await,
        2 => who.ask_for(Kind::Dataset, &slug).await,
        3 => who.patch("/api/settings", json!({ "company": slug })).await,
        _ => who.ask_for_export("zip").await,
    };
    (n, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_made_during_deletion_are_deleted() {
    tests::needs_every_region!();
    let app = App::alone().await;
    for round in 0..6 {
        let ada = app.user(&format!("ada76-{round}")).await;
        let requests = join_all((0..20).map(|n| request(&ada, n)));
        let deletion = async {
            tokio::time::sleep(std::time::Duration::from_millis(5 * round)).await;
            ada.ask_to_be_deleted().await
        };
        let (answers, deletion) = futures::future::join(requests, deletion).await;
        assert!([202, 503].contains(&deletion.status), "{}", deletion.text);
        if deletion.status == 503 {
            let again = ada.ask_to_be_deleted().await;
            assert!([202, 401].contains(&again.status), "{}", again.text);
        }
        let mut made = vec![ada.id().bare()];
        for (n, answer) in answers {
            // Until its sessions have ended, an account that is closed looks like one that is not set up.
            let unset = answer.brief() == "403 ONBOARDING_REQUIRED";
            assert!(unset || [200, 201, 202, 401, 404, 503].contains(&answer.status), "{n}: {}", answer.text);
            if let Some(key) = answer.at("/key").as_str() {
                let request = app.request("GET".parse().unwrap(), "/api/account/summary").bearer_auth(key);
                assert_eq!(app.send(request).await.brief(), "401 UNAUTHORIZED");
            }
            made.extend(
                ["/_id", "/keyId", "/jobId"].iter().filter_map(|id| Some(answer.at(id).as_str()?.to_owned())),
            );
        }
        looked_once(&ada).await;
        app.advance(SECOND_LOOK).await;
        forgotten(&ada).await;
        let left = Everything::of(&app).await;
        assert_eq!(left.name(&made), Vec::<String>::new());
        assert_eq!(left.tell_of(&[ada.handle]), Vec::<String>::new());
    }
}

#[tokio::test]
async fn file_sent_after_deletion_is_deleted_in_second_pass() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada77").await;
    let dataset = ada.make(Kind::Dataset, "coco").await;
    let (first, second) = (ada.begin_upload(&dataset, 5).await, ada.begin_upload(&dataset, 5).await);
    app.put(&first.expect(200), "12345").await.expect(200);
    ada.ask_to_be_deleted().await.expect(202);
    looked_once(&ada).await;
    assert_eq!(app.file_keys().await, Vec::<String>::new());
    // The request was signed before.
    app.put(&second.expect(200), "12345").await.expect(200);
    assert_eq!(app.file_keys().await.len(), 1);
    app.advance(SECOND_LOOK).await;
    forgotten(&ada).await;
    assert_eq!(app.file_keys().await, Vec::<String>::new());
}
