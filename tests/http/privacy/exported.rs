//! Exports of very long histories: in little memory, and whole, wherever the worker dies.

use std::fmt::Write;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    id::EventId,
};
use tests::{Download, Person, Value, json};

use super::{bundle::Bundle, until};
use crate::{binaries, many};

const WORKER: &str = "run-export";

/// A text that can't be compressed much, another for each number.
fn noise(number: u64, length: usize) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let _ = write!(text, "{state:016x}");
    }
    text
}

/// Gives somebody a history of so many events, each with so much in it.
pub async fn live_long(who: &Person, count: usize, length: usize) {
    let actor = Actor { user: who.id(), key: None };
    let first = who.app.now().await.as_millisecond() - 86_400_000;
    let events = (0..count as u64).map(|n| {
        let id = EventId::floor(Timestamp::from_millisecond(first + n as i64).unwrap());
        let event = ActivityEvent::new(id, who.workspace(), actor, Action::Completed, ResourceType::Training);
        let mut event = event.about(format!("run-{n:06}"), format!("Training {n}"));
        event.metadata.insert("note".to_owned(), noise(n, length).into());
        event
    });
    many::remember(&who.app, events).await;
}

/// Checks that a bundle has all of it, each event once.
fn check(bundle: &Bundle, count: usize) {
    let rows = bundle.rows("activity.ndjson");
    let trained = rows.iter().filter(|row| row["resourceType"] == "training");
    let mut ids: Vec<&str> = trained.map(|row| row["resourceId"].as_str().unwrap()).collect();
    assert!(ids.is_sorted(), "the oldest first");
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert_eq!(rows.len(), count + rows.iter().filter(|row| row["resourceType"] != "training").count());
}

/// The most memory that any process of the worker ever had, in kilobytes.
fn peak(app: &tests::App) -> u64 {
    let of_process = |process: u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
    };
    binaries::of(app, WORKER).into_iter().map(of_process).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figure is the point: run with --nocapture")]
async fn an_export_takes_little_memory_however_much_there_is() {
    const MEGABYTE: u64 = 1_024;
    let (app, _programs) = binaries::start().await;
    let who = app.user("ada80").await;
    let count = many::number("ACCOUNT_TEST_MANY", 5_000);
    live_long(&who, count, if count > 50_000 { 300 } else { 3_000 }).await;
    let zip = who.export("zip").await;
    let peak = peak(&app);
    println!(
        "{count} events in {} bytes: peak memory of {WORKER}: {} MB",
        zip.len(),
        peak.div_ceil(MEGABYTE)
    );
    check(&Bundle::of(&zip).await, count);
    assert!(zip.len() > 5 * 1024 * 1024, "it has one part only");
    assert!(peak < 64 * MEGABYTE, "{peak} KB");
}

/// Where the worker dies: at which call of which sort, and how.
const DEATHS: [(&str, &str, u32, &str); 10] = [
    ("s3", "CreateMultipartUpload", 1, "refused"),
    ("s3", "CreateMultipartUpload", 1, "lost-response"),
    ("s3", "UploadPart", 1, "refused"),
    ("s3", "UploadPart", 1, "lost-response"),
    ("dynamodb", "TransactWriteItems", 2, "lost-response"),
    ("dynamodb", "TransactWriteItems", 2, "refused"),
    ("dynamodb", "Query", 16, "refused"),
    ("s3", "UploadPart", 2, "refused"),
    ("s3", "CompleteMultipartUpload", 1, "refused"),
    ("s3", "CompleteMultipartUpload", 1, "lost-response"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_export_writes_each_record_once() {
    let app = tests::App::start().await;
    let who = app.user("ada81").await;
    let count = many::number("ACCOUNT_TEST_MANY", 3_000);
    live_long(&who, count, if count > 50_000 { 300 } else { 10_000 }).await;
    let mut job = None;
    for (service, operation, nth, kind) in DEATHS {
        let since = app.last_call().await;
        let fault = json!({
            "service": service, "operation": operation, "function": WORKER, "nth": nth, "times": 0, "kind": kind,
        });
        app.faults(json!([fault.clone()])).await;
        if job.is_none() {
            job = Some(who.ask_for_export("zip").await.expect(202).text_at("/jobId"));
        }
        let (on, by) = (&app, &who);
        until(&format!("the worker never comes to {fault}"), move || async move {
            let calls = on.calls_of(WORKER, since).await;
            if calls.iter().any(|call| call["fault"].is_string()) {
                return true;
            }
            go_on(by).await;
            false
        })
        .await;
        // The next one follows at once: in between, a run would get on.
    }
    app.no_faults().await;
    let (job, tokens) = (job.unwrap(), app.sign_in(&who.email, tests::PASSWORD).await.expect(200));
    let who = Person::new(app.clone(), &who.handle, &who.email, &tokens);
    let (by, id) = (&who, &job);
    until("the export does not come to its end", move || async move {
        go_on(by).await;
        by.job(id).await.at("/status") == "completed"
    })
    .await;
    let done = who.done(&job).await;
    let file = Download::from(&done.text_at("/downloadUrl")).await;
    check(&Bundle::of(&file.bytes).await, count);
    assert_eq!(app.file_keys().await.len(), 1);
    let mail: Vec<Value> = app.mail(&who.email).await;
    assert_eq!(mail.iter().filter(|mail| mail["kind"] == "export-ready").count(), 1);
}

/// Has the worker looked after, if nobody is at work: a lease may be in the way of the next run.
async fn go_on(who: &Person) {
    let before = who.app.last_call().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    if who.app.last_call().await == before {
        who.app.advance(91).await;
        who.app.try_worker(WORKER).await;
    }
}
