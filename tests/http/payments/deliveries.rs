//! Very many deliveries of events to the webhook, at once, some twice, late or never, while payments change
//! and reconciliation runs: in the end every wallet has what Stripe has. `ACCOUNT_TEST_DELIVERIES` is the
//! number of deliveries.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use domain::{payment::StripeEventId, ports::PaymentRecords, wallet::Cause};
use futures::{StreamExt as _, stream};
use tests::{App, Stripe, Value, json, needs_every_region};

use super::{
    CENT, OPENING,
    payer::{Paid, Payer},
    random::Random,
    sends, signature, store_of, webhook_secret,
};
use crate::{
    fixtures::billing::postings,
    many::number,
    wallets::{recomputed, surely},
};

const WORKSPACES: usize = 40;
/// So many requests are made at a time.
const AT_A_TIME: usize = 8;
/// So many payments begin in a round.
const NEW: usize = 12;
/// So many deliveries have one time in their signatures, which are good for five minutes.
const SIGNED_AT_ONCE: usize = 100;
/// A delivery that comes late lets at most so many others overtake it.
const LATE_BY: usize = 200;
/// A round begins when at most so many messages wait.
const BACKLOG: u64 = 200;
/// An event that is younger may be on its way to the webhook: reconciliation leaves it.
const ON_THE_WAY: i64 = 10 * 60 + 1;
/// The time between phases. Stripe lists the events of 30 days, and the stand-in reads all of them for each
/// page: so it has those of four phases, however many there are.
const PAUSE: i64 = 10 * 24 * 3_600;
const RECONCILE: &str = "reconcile-payments";
const SEED: u64 = 1;

/// A payment, and how many changes of it are to come.
struct Life {
    payer: usize,
    paid: Paid,
    changes: u64,
    random: Random,
}

/// What became of events.
#[derive(Default)]
struct Counts {
    deliveries: usize,
    doubled: usize,
    reordered: usize,
    lost: usize,
    /// Those of the lost ones that the test's own runs of reconciliation found; scheduled ones run, too.
    missed: u64,
}

/// A run.
struct Run {
    app: App,
    stripe: Stripe,
    random: Random,
    payers: Vec<Payer>,
    lives: Vec<Life>,
    /// The last event that was read.
    last: String,
    /// Events of this phase that are not delivered.
    lost: Vec<StripeEventId>,
    /// Events of this phase that are delivered again after reconciliation.
    again: Vec<String>,
    counts: Counts,
}

/// Whether an event is about a payment. A page that nobody pays has events, too.
fn is_of_payment(event: &Value) -> bool {
    let kinds = ["payment_intent", "charge", "refund", "dispute"];
    kinds.iter().any(|kind| event["data"]["object"]["object"] == *kind)
}

impl Run {
    /// Nothing is delivered but by the test: the stand-in has every delivery lost.
    async fn start() -> Self {
        let app = App::alone().await;
        let stripe = app.stripe();
        stripe.control("webhooks", json!({ "hold": true, "lose_percent": 100 })).await;
        let mut payers = Vec::new();
        for n in 0..WORKSPACES {
            payers.push(Payer::new(&app.user(&format!("delivered-{n}")).await).await);
        }
        let last = stripe.events().await.last().unwrap()["id"].as_str().unwrap().to_owned();
        let (lives, lost, again, counts) = Default::default();
        Self { app, stripe, random: Random::new(SEED), payers, lives, last, lost, again, counts }
    }

    /// Payments begin, and earlier ones change. The new events about payments, oldest first.
    async fn changes(&mut self) -> Vec<Value> {
        let begun = self.lives.len();
        let mut starts = Vec::new();
        for n in begun..begun + NEW {
            starts.push((n % WORKSPACES, Random::new(self.random.next())));
        }
        let (payers, stripe) = (&self.payers, &self.stripe);
        let begins = stream::iter(starts).map(|(payer, mut random)| async move {
            let paid = payers[payer].pays(1_000 + random.amount(2_000)).await;
            Life { payer, paid, changes: 1 + random.below(7), random }
        });
        let new: Vec<Life> = begins.buffered(AT_A_TIME).collect().await;
        let mut changing: Vec<&mut Life> = Vec::new();
        for life in self.lives.iter_mut().filter(|life| life.changes > 0) {
            life.changes -= 1;
            changing.push(life);
        }
        stream::iter(changing)
            .for_each_concurrent(AT_A_TIME, |life| async move {
                life.paid.changes(stripe, &mut life.random).await;
            })
            .await;
        self.lives.extend(new);
        let mut events = self.stripe.events_after(&self.last).await;
        if let Some(last) = events.last() {
            self.last = last["id"].as_str().unwrap().to_owned();
        }
        events.retain(is_of_payment);
        events
    }

    /// The bodies to deliver, in order: of a hundred events, one is lost, 20 come twice, and 10 are
    /// overtaken.
    fn plan(&mut self, events: Vec<Value>) -> Vec<String> {
        let mut planned: Vec<(usize, String)> = Vec::new();
        for (n, event) in events.into_iter().enumerate() {
            let (chance, late, body) =
                (self.random.below(100), self.random.place(LATE_BY), event.to_string());
            match chance {
                0 => {
                    self.counts.lost += 1;
                    self.lost.push(StripeEventId::parse(event["id"].as_str().unwrap()).unwrap());
                }
                1..=20 => {
                    self.counts.doubled += 1;
                    planned.push((n, body.clone()));
                    if chance == 1 {
                        self.again.push(body);
                    } else {
                        planned.push((n + late, body));
                    }
                }
                21..=30 => {
                    self.counts.reordered += 1;
                    planned.push((n + 1 + late, body));
                }
                _ => planned.push((n, body)),
            }
        }
        planned.sort_by_key(|(place, _)| *place);
        self.counts.deliveries += planned.len();
        planned.into_iter().map(|(_, body)| body).collect()
    }

    /// Waits until few messages wait: then the last one does not wait for long.
    async fn keeps_up(&self) {
        let is_short = async || {
            let (visible, handled, waiting) = self.app.queue("apply-payments").await;
            visible + handled + waiting <= BACKLOG
        };
        self.app.until("payments are not applied", is_short).await;
    }

    /// Reconciliation finds what was lost. Events that come after that are known.
    async fn reconciles(&mut self) {
        self.stripe.settle().await;
        self.app.advance(ON_THE_WAY).await;
        let report = surely(|| self.app.try_worker(RECONCILE)).await.expect(200).body;
        let missed = report["missed"].as_u64().unwrap();
        assert!(missed <= u64::try_from(self.lost.len()).unwrap(), "{report}");
        assert_eq!(report["repaired"], 0, "{report}");
        self.counts.missed += missed;
        let store = store_of(&self.app);
        for id in self.lost.drain(..) {
            assert!(PaymentRecords::knows_event(&store, &id).await.unwrap(), "{id:?} is lost");
        }
        let again = std::mem::take(&mut self.again);
        self.counts.deliveries += again.len();
        delivers(&self.app, &again).await;
        self.stripe.settle().await;
    }

    /// Delivers at least so many events, and reconciles.
    async fn phase(&mut self, deliveries: usize) {
        let end = self.counts.deliveries + deliveries;
        let (app, mut planned): (App, Vec<String>) = (self.app.clone(), Vec::new());
        while self.counts.deliveries < end {
            // The platform receives events while payments change.
            let (events, ()) = futures::join!(self.changes(), delivers(&app, &planned));
            planned = self.plan(events);
            self.keeps_up().await;
        }
        delivers(&app, &planned).await;
        self.reconciles().await;
    }

    /// Each payment counts as Stripe's objects say, and each wallet has the sum of its payments.
    async fn compare(&self) {
        let at_stripe = at_stripe(&self.stripe).await;
        let mut expected: Vec<BTreeMap<String, i64>> = vec![BTreeMap::new(); WORKSPACES];
        for Life { payer, paid, .. } in &self.lives {
            let micros = paid.micros();
            assert_eq!(at_stripe[&paid.id], micros, "{}: the model is not as Stripe", paid.id);
            assert_eq!(self.payers[*payer].counted(paid).await, micros, "{}: not as at Stripe", paid.id);
            if micros != 0 {
                expected[*payer].insert(paid.id.clone(), micros);
            }
        }
        for (payer, expected) in self.payers.iter().zip(&expected) {
            is_booked(payer, expected).await;
        }
    }
}

/// The bookings of each payment are as much as is left of it, none is there twice, and there are no others
/// but the opening credit.
async fn is_booked(payer: &Payer, expected: &BTreeMap<String, i64>) {
    let who = &payer.who;
    let booked = if postings(who).await == 0 { Vec::new() } else { recomputed(who).await };
    let (mut changes, mut sums) = (BTreeSet::new(), BTreeMap::<String, i64>::new());
    for posting in &booked {
        if let Cause::Payment { intent, change } = &posting.cause {
            assert!(changes.insert((intent.as_str(), *change)), "{}: {posting:?} is there twice", who.handle);
            *sums.entry(intent.as_str().to_owned()).or_default() += posting.amount.micros();
        }
    }
    sums.retain(|_, sum| *sum != 0);
    assert_eq!(&sums, expected, "{}", who.handle);
    if let Some(last) = booked.last() {
        assert_eq!(booked.len(), changes.len() + 1, "{}", who.handle);
        assert_eq!(last.balance.micros(), OPENING + expected.values().sum::<i64>(), "{}", who.handle);
    }
}

/// Sends events to the webhook, several at a time.
async fn delivers(app: &App, bodies: &[String]) {
    let secret = &webhook_secret(app);
    for some in bodies.chunks(SIGNED_AT_ONCE) {
        let at = app.now().await.as_second();
        let deliver = |body: &String| {
            let (body, signed) = (body.clone(), signature(secret, at, body));
            async move {
                surely(|| sends(app, &body, Some(signed.as_str()))).await.expect(200);
            }
        };
        stream::iter(some).for_each_concurrent(AT_A_TIME, deliver).await;
    }
}

/// All objects of a list of Stripe. The path has a query.
async fn all(stripe: &Stripe, path: &str) -> Vec<Value> {
    let (mut objects, mut after) = (Vec::new(), String::new());
    loop {
        let page = stripe.get(&format!("{path}&limit=100{after}")).await;
        objects.extend(page["data"].as_array().unwrap().iter().cloned());
        match objects.last() {
            Some(last) if page["has_more"] == true => {
                after = format!("&starting_after={}", last["id"].as_str().unwrap());
            }
            _ => return objects,
        }
    }
}

/// The rest of each payment by Stripe's objects, in micro-USD. A list of each kind: asking for each
/// payment takes hours.
async fn at_stripe(stripe: &Stripe) -> BTreeMap<String, i64> {
    let cents = |value: &Value| value.as_i64().unwrap_or(0);
    let mut left = BTreeMap::new();
    for intent in all(stripe, "/v1/payment_intents?expand[]=data.latest_charge").await {
        let kept = cents(&intent["amount_received"]) - cents(&intent["latest_charge"]["amount_refunded"]);
        left.insert(intent["id"].as_str().unwrap().to_owned(), kept);
    }
    for dispute in all(stripe, "/v1/disputes?created[gte]=0").await {
        let holds = ["needs_response", "under_review", "lost"].iter().any(|it| dispute["status"] == *it);
        if holds {
            *left.get_mut(dispute["payment_intent"].as_str().unwrap()).unwrap() -= cents(&dispute["amount"]);
        }
    }
    left.into_iter().map(|(id, cents)| (id, cents.max(0) * CENT)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the point: run with --nocapture")]
async fn unreliable_deliveries_lose_and_double_nothing() {
    needs_every_region!();
    let most = number("ACCOUNT_TEST_DELIVERIES", 2_000);
    // More phases take more time, and the stand-in is slow with many events of one.
    let phase = (most / 100).max(500);
    let mut run = Run::start().await;
    let began = Instant::now();
    loop {
        run.phase(phase).await;
        if run.counts.deliveries >= most {
            break;
        }
        run.app.advance(PAUSE).await;
    }
    let took = began.elapsed().as_secs();
    run.compare().await;
    let Counts { deliveries, doubled, reordered, lost, missed } = run.counts;
    println!(
        "{deliveries} deliveries of {} payments in {took} s: {doubled} doubled, {reordered} reordered, \
         {lost} lost, of which this test found {missed} and scheduled runs found the others",
        run.lives.len()
    );
    assert!(doubled > 0 && reordered > 0 && lost > 0, "seed {SEED}");
}
