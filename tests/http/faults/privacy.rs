//! A person's data: asked for, and given up.

use super::*;

/// How many jobs there are of a sort, as the table has them: `EXPORT` or `DELETION`.
async fn jobs(who: &Person, sort: &str) -> usize {
    let jobs = who.jobs().await;
    jobs.iter().filter(|job| job["sk"].as_str().unwrap().starts_with(&format!("{sort}#"))).count()
}

/// Exports and deletions.
pub fn cases() -> [Case; 2] {
    [
        Case {
            function: "gdpr-request",
            prepare: |app, handle| Box::pin(async move { app.user(&handle).await }),
            call: |who, key| {
                Box::pin(async move {
                    who.app.send(once(&who, "/api/gdpr", &json!({ "action": "export" }), &key)).await
                })
            },
            retried: &[202],
            effects: |who| {
                Box::pin(async move {
                    (jobs(&who, "EXPORT").await, lines(&who.activity().await, "started export"))
                })
            },
            lines: 1,
        },
        Case {
            function: "gdpr-request",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = app.user(&handle).await;
                    who.make_key("ci").await;
                    who
                })
            },
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "action": "delete", "confirmationWord": "DELETE" });
                    who.app.send(once(&who, "/api/gdpr", &form, &key)).await
                })
            },
            // Nobody is let in any more once it has begun.
            retried: &[202, 401],
            effects: |who| Box::pin(async move { (jobs(&who, "DELETION").await, 0) }),
            lines: 0,
        },
    ]
}
