//! Every changing endpoint × every AWS call it makes × every way that the call can fail: after the client's retry there is
//! exactly one effect and exactly one line in the history.

use futures::{StreamExt, stream};
use kit::Spec;
use tests::{App, Value, authority_is_up, every, json};

use crate::fixtures::{self, InOutage, Retry, short};

/// Ways to fail, and the status that says so.
const KINDS: [(&str, u16); 5] =
    [("refused", 503), ("lost-response", 503), ("throttled", 503), ("stall", 503), ("denied", 500)];
/// So many cases run at a time, each on a platform of its own.
const AT_A_TIME: usize = 3;

/// A changing call of an endpoint.
struct Case {
    spec: Spec,
    retry: Retry,
}

impl Case {
    fn accepts(&self, status: u16) -> bool {
        status == self.spec.success || (self.retry.may_be_gone && status == 404)
    }
}

/// Every case; in an outage of the authority without those that claim a name.
fn cases(can_claim: bool) -> Vec<Case> {
    let all = fixtures::all().into_iter();
    let all = all.filter(|(_, fixture)| can_claim || fixture.in_outage != InOutage::ClaimsName);
    all.flat_map(|(spec, fixture)| fixture.retries.into_iter().map(move |retry| Case { spec, retry }))
        .collect()
}

async fn sweep(case: &Case) -> usize {
    let (app, id) = (App::start().await, case.spec.id);
    let who = (case.retry.prepare)(app.in_network("clean"), format!("{}-0", short(id))).await;
    let before = app.last_call().await;
    let clean = (case.retry.call)(who, "clean".to_owned()).await;
    assert!(clean.status < 300, "{id}: {}", clean.text);
    let calls = app.calls_of(id, before).await;
    let mut cells = 0;
    for (nth, call) in calls.iter().enumerate() {
        let same =
            |other: &&Value| other["service"] == call["service"] && other["operation"] == call["operation"];
        let place = calls.iter().take(nth + 1).filter(same).count();
        for (_, kind) in KINDS.into_iter().enumerate().filter(|(kind, _)| is_sampled(nth, *kind)) {
            cell(&app, case, nth, (call, place), kind).await;
            cells += 1;
        }
    }
    cells
}

/// Whether a cell runs in this run. The stride and the number of kinds have no divisor in common, so every kind gets its turn.
fn is_sampled(nth: usize, kind: usize) -> bool {
    (nth * KINDS.len() + kind).is_multiple_of(every(7))
}

/// One cell: from the `place`th call of this operation on, every attempt fails.
async fn cell(
    app: &App,
    case: &Case,
    nth: usize,
    (call, place): (&Value, usize),
    (kind, status): (&str, u16),
) {
    let Case { spec, retry } = case;
    let name = format!("{} call {nth} ({} {}) {kind}", spec.id, call["service"], call["operation"]);
    let handle = format!("{}-{nth}{}", short(spec.id), &kind[..2]);
    let who = (retry.prepare)(app.in_network(&handle), handle).await;
    // Every attempt of the SDK from the nth call on fails, so the request as a whole does; a retry finds all well again.
    app.faults(json!([{
        "service": call["service"], "operation": call["operation"], "function": spec.id, "kind": kind, "times": 0,
        "nth": place,
    }]))
    .await;
    let failed = (retry.call)(who.clone(), "the-key".to_owned()).await;
    app.no_faults().await;
    assert!(failed.status == status || failed.status < 300, "{name}: {} {}", failed.status, failed.text);
    if failed.status >= 300 {
        // A defect does not pass in a second.
        assert_eq!(failed.header("retry-after").is_some(), status == 503, "{name}: Retry-After");
    }
    let retried = (retry.call)(who.clone(), "the-key".to_owned()).await;
    assert!(case.accepts(retried.status), "{name}: the retry got {}", retried.text);
    let counted = (retry.effects)(who).await;
    assert_eq!(counted, (1, retry.lines), "{name}: effects and lines in the history");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the number of cells is worth seeing: run with --nocapture")]
async fn retry_after_any_fault_leaves_one_effect_and_one_line() {
    let cases = cases(authority_is_up());
    let cells: Vec<usize> = stream::iter(&cases).map(sweep).buffered(AT_A_TIME).collect().await;
    for (case, cells) in cases.iter().zip(&cells) {
        println!("{:20} {cells} cells", case.spec.id);
    }
    println!("{} cells in all", cells.iter().sum::<usize>());
}
