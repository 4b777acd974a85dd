//! What somebody else has in the trash looks like nothing at all.

use super::*;

/// All that can be asked about an id, and about an upload.
async fn ask_all(who: &Person, id: &str, session: &str) -> Vec<(&'static str, Answer)> {
    let mut answers = vec![
        ("read", who.get(&path_of(id)).await),
        ("update", who.patch(&path_of(id), json!({ "name": "x" })).await),
        ("trash", who.trash(id).await),
        ("restore", who.restore(id).await),
        (
            "restore elsewhere",
            who.post("/api/trash", json!({ "id": id, "type": kind_of(id), "slug": "x" })).await,
        ),
        ("purge", who.purge(id).await),
    ];
    if kind_of(id) != Kind::Project {
        answers.push(("upload-url", who.begin_upload(id, 1).await));
        answers.push(("complete", who.complete(session).await));
    }
    answers
}

#[tokio::test]
async fn others_trash_looks_missing() {
    let app = App::start().await;
    let (ada, mallory) = (app.user("ada23").await, app.user("mallory23").await);
    let key = mallory.with_api_key("ci").await;
    let missing = |id: &str| id.replace(&id[id.len() - 4..], "zzzz");
    for kind in Kind::ALL {
        let id = ada.make(kind, "secret").await;
        let mut session = "upl_01m858qy4a1ar9by88nhafn40x".to_owned();
        if kind != Kind::Project {
            ada.upload(&id, "12345").await;
            session = ada.begin_upload(&id, 5).await.expect(200).text_at("/sessionId");
        }
        ada.trash(&id).await.expect(200);
        let row = ada.get("/api/trash").await.expect(200).body["items"][0].clone();
        for who in [&mallory, &key] {
            let hidden = ask_all(who, &id, &session).await;
            let nothing = ask_all(who, &missing(&id), &missing(&session)).await;
            for ((what, hidden), (_, nothing)) in hidden.iter().zip(&nothing) {
                assert_eq!(hidden.status, 404, "{what}: {}", hidden.text);
                let bytes = |answer: &Answer| {
                    let id = answer.text_at("/requestId");
                    (answer.status, answer.text.replace(&id, ""), answer.headers.len())
                };
                assert_eq!(bytes(hidden), bytes(nothing), "{what}");
            }
            assert_eq!(who.in_trash().await.len(), 0);
        }
        for path in ["/api/trash", "/api/storage", "/api/datasets"] {
            assert_eq!(mallory.get(&format!("{path}?owner=ada23")).await.brief(), "404 NOT_FOUND");
        }
        assert_eq!(ada.get("/api/trash").await.expect(200).at("/items/0"), &row);
    }
    assert_eq!(mallory.delete("/api/trash/empty").await.expect(200).at("/deletedCount"), 0);
    assert_eq!(ada.in_trash().await.len(), 3);
}
