//! Requests with one `Idempotency-Key` at the same time take effect once, and every one of them gets the answer.
//!
//! Not run in outages: some requests claim names.

use futures::{StreamExt, future::join_all, stream};
use kit::Spec;
use tests::App;

use crate::fixtures::{self, Retry, short};

/// Requests at the same time. Each may meet the change of another at another place.
const AT_ONCE: usize = 6;
/// So many endpoints are tried at a time, each on a platform of its own.
const AT_A_TIME: usize = 2;

async fn send_at_once((spec, retry): (Spec, Retry)) {
    let app = App::start().await;
    for round in 0..3 {
        let handle = format!("{}-{round}k", short(spec.id));
        let who = (retry.prepare)(app.in_network(&handle), handle).await;
        let answers = join_all((0..AT_ONCE).map(|_| (retry.call)(who.clone(), "the-key".to_owned()))).await;
        for answer in answers {
            assert_eq!(answer.status, spec.success, "{} round {round}: {}", spec.id, answer.text);
        }
        assert_eq!((retry.effects)(who).await, (1, retry.lines), "{}: effects and lines", spec.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_one_key_at_once_take_effect_once_and_all_get_the_answer() {
    let all = fixtures::all().into_iter().filter(|(spec, _)| spec.once);
    let cases = all.flat_map(|(spec, fixture)| fixture.retries.into_iter().map(move |retry| (spec, retry)));
    stream::iter(cases).map(send_at_once).buffered(AT_A_TIME).collect::<Vec<()>>().await;
}
