//! Exports and deletions.

use domain::resource::Kind;
use tests::{Person, json};

use super::{Event, run, settle};
use crate::privacy;

/// The look that somebody has to be deleted for before.
pub const SECOND: &str = "a small account, the second look";

/// People's data.
pub fn events() -> Vec<Event> {
    vec![
        Event {
            function: "run-export",
            name: "nothing due",
            set_off: |who, _| Box::pin(run(who, "run-export")),
            last_call: "Query",
            least: (1, 1, 1.0, 0.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "run-export",
            name: "a small account",
            set_off: |who, _| Box::pin(export(who)),
            last_call: "CompleteMultipartUpload",
            least: (32, 12, 23.5, 22.0),
            reason: "kinds of records are read one after another, so that no more than a page of one is in memory",
            sets_off: &["publish-events (a message)", "send-mail (a bundle that is ready)"],
        },
        Event {
            function: "run-deletion",
            name: "nothing due",
            set_off: |who, _| Box::pin(run(who, "run-deletion")),
            last_call: "Query",
            least: (1, 1, 1.0, 0.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "run-deletion",
            name: "a small account, the first look",
            set_off: |who, n| Box::pin(leave_once(who, n)),
            last_call: "TransactWriteItems",
            least: (50, 22, 31.0, 36.0),
            reason: "what leads to other records goes after them, so parts are erased one after another, and each is asked for until \
        nothing is left",
            sets_off: &[],
        },
        Event {
            function: "run-deletion",
            name: SECOND,
            set_off: |who, _| Box::pin(look_again(who)),
            last_call: "TransactWriteItems",
            least: (45, 17, 36.0, 8.0),
            reason: "as in the first look",
            sets_off: &[],
        },
    ]
}

pub async fn export(who: Person) {
    who.export("zip").await;
    settle(&who.app).await;
}

/// Somebody with a file, a key and a session is deleted, as far as the first look goes.
pub async fn leave_once(who: Person, n: usize) {
    let new = departing(&who, n).await;
    // The request has taken its steps before the worker begins.
    let held = json!({ "service": "dynamodb", "function": "run-deletion", "kind": "refused", "times": 0 });
    who.app.faults(json!([held])).await;
    new.ask_to_be_deleted().await.expect(202);
    who.app.no_faults().await;
    privacy::looked_once(&new).await;
    settle(&who.app).await;
}

/// The time of the second look comes.
async fn look_again(who: Person) {
    who.app.advance(privacy::SECOND_LOOK).await;
    settle(&who.app).await;
}

async fn departing(who: &Person, n: usize) -> Person {
    let new = who.app.user(&format!("departing{n}")).await;
    let dataset = new.make(Kind::Dataset, "left").await;
    new.upload(&dataset, "12345").await;
    new.make_key("left").await;
    new
}
