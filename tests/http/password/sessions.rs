//! A new password ends every session, however many there are.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    id::SessionId,
    ports::{Sessions, TransactionExtras},
    secret::MacKey,
    session::{RefreshToken, Session},
};
use futures::future::join_all;
use jiff::SignedDuration;
use kit::ItemKind;
use tests::{App, PASSWORD, Person, json};

use super::{NEW, reset, session, token};

/// How many sessions a person has, from the table: the reset ends the session that could list them.
async fn sessions(who: &Person) -> i32 {
    let query = who.app.tables().query().table_name(who.app.table("identity"));
    let value = |text: &str| AttributeValue::S(text.to_owned());
    let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :sk)");
    let query = query.expression_attribute_values(":pk", value(&ItemKind::Sessions.partition(who.id())));
    query.expression_attribute_values(":sk", value("SESSION#")).send().await.unwrap().count()
}

/// Begins sessions, more than sign-ins would: each ten believe that those before have expired.
pub async fn begin(who: &Person, count: usize) {
    let store = store::Store::new(who.app.tables(), format!("account-{}-", who.app.home()));
    let begin = async |batch: i64| {
        let (now, user) = (who.id().made_at(), who.id());
        let later = now.saturating_add(SignedDuration::from_hours(batch * 31 * 24)).unwrap();
        let id = SessionId::new(now, &lambda::OsEntropy);
        let first = RefreshToken::first(who.app.home(), user, id, &MacKey::new([7; 32]));
        store
            .begin(&Session::begin(id, user, &first, later), None, TransactionExtras::default())
            .await
            .unwrap();
    };
    for batch in 0..i64::try_from(count / 10).unwrap() {
        join_all((0..10).map(|_| begin(batch))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_password_never_stands_beside_old_sessions_however_many() {
    let app = App::alone().await;
    // 207 of 301 sessions end in three transactions before the one that sets the password and ends the others.
    for (name, place, nth, status, left) in [
        ("ola-f", "none", 1, 200, 0),
        ("pam-f", "TransactWriteItems", 1, 503, 301),
        ("quy-f", "TransactWriteItems", 2, 503, 201),
        ("roy-f", "TransactWriteItems", 4, 503, 94),
        ("sam-f", "Query", 2, 503, 0),
    ] {
        let who = app.user(name).await;
        begin(&who, 300).await;
        let token = token(&app, &who.email).await;
        app.faults(json!([{
            "service": "dynamodb", "operation": place, "function": "auth-password-reset", "kind": "refused", "times": 0,
            "nth": nth,
        }]))
        .await;
        let answer = reset(&app, &token, NEW).await;
        app.no_faults().await;
        assert_eq!((answer.status, sessions(&who).await), (status, left), "{place} {nth}");
        if left > 0 {
            // No new password stands beside an old session: it is set by the retry, which ends the rest.
            assert_eq!(
                app.sign_in(&who.email, NEW).await.brief(),
                "401 INVALID_CREDENTIALS",
                "{place} {nth}"
            );
            reset(&app, &token, NEW).await.expect(200);
            assert_eq!(sessions(&who).await, 0, "{place} {nth}");
        }
        let who = session(&who, NEW).await;
        assert_eq!(reset(&app, &token, PASSWORD).await.brief(), "422 TOKEN_INVALID");
        assert_eq!(sessions(&who).await, 1, "{place} {nth}");
        assert_eq!(who.activity().await.len(), 2, "{place} {nth}");
    }
}
