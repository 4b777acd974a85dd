//! How many postings a second one wallet takes: a model of one partition of DynamoDB, with the units that settlements cost here.
//!
//! Assumed, and not measured on AWS: how long a read and a transaction take, that a transaction which meets another one or a newer
//! version is refused after half of its time, that a refused one costs the same units, and that no more than the units of one second can
//! be saved up. A partition takes 1,000 write units a second
//! ([partition limits](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)).

use std::{cmp::Reverse, collections::BinaryHeap};

/// Microseconds of a batch get and of a transaction with 52 items.
const READ: u64 = 5_000;
const COMMIT: u64 = 15_000;
/// The jobs of a request, and the write units that it takes of the partition of postings: `docs/aws-calls.md`.
const JOBS: u64 = 25;
const UNITS: u64 = 2 * JOBS;
const UNITS_A_SECOND: u64 = 1_000;
/// The longest wait after a lost race, as of `spread` in the store.
const LONGEST_WAIT: u64 = 128_000;
const SECOND: u64 = 1_000_000;
/// For how long the partition provides the units of a request.
const COST: u64 = UNITS * SECOND / UNITS_A_SECOND;
const SECONDS: u64 = 60;

/// What a submitter does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Read,
    Commit { version: u64 },
    End { version: u64, is_refused: bool },
}

#[derive(Debug, Default)]
struct Model {
    version: u64,
    is_locked: bool,
    /// When the units that are spent are there again.
    free_at: u64,
    attempts: u64,
    batches: u64,
    random: u64,
}

impl Model {
    /// A pseudorandom number below `most`: splitmix64.
    fn random(&mut self, most: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    /// Does a step, and returns the next one and when it is.
    fn step(&mut self, now: u64, step: Step) -> (u64, Step) {
        match step {
            Step::Read => (now + READ, Step::Commit { version: self.version }),
            // Throttled: the SDK tries again after up to 50 ms. That is no attempt of ours.
            Step::Commit { version } if self.free_at + COST > now + SECOND => {
                (now + self.random(50_000), Step::Commit { version })
            }
            Step::Commit { version } => {
                self.attempts += 1;
                self.free_at = self.free_at.max(now) + COST;
                let is_refused = self.is_locked || version != self.version;
                self.is_locked |= !is_refused;
                let ends = now + if is_refused { COMMIT / 2 } else { COMMIT };
                (ends, Step::End { version, is_refused })
            }
            Step::End { is_refused: true, .. } => (now + 1_000 + self.random(LONGEST_WAIT), Step::Read),
            Step::End { version, .. } => {
                self.is_locked = false;
                self.version = version + 1;
                self.batches += 1;
                (now, Step::Read)
            }
        }
    }
}

/// Postings a second, and attempts of each, if so many services settle for one workspace: each one batch after the other, at random
/// times, so that together they tell of `offered` postings a second.
fn run(services: u64, offered: u64) -> (f64, f64) {
    let mut model = Model { random: services, ..Model::default() };
    let pause = services * JOBS * SECOND / offered;
    let mut queue = BinaryHeap::new();
    // When the service's next batch is ready.
    let mut ready = Vec::new();
    for service in 0..services {
        ready.push(model.random(2 * pause));
        queue.push(Reverse((ready[ready.len() - 1], service, Step::Read)));
    }
    while let Some(Reverse((now, service, step))) = queue.pop() {
        if now > SECONDS * SECOND {
            break;
        }
        let before = model.batches;
        let (mut at, next) = model.step(now, step);
        if model.batches > before {
            let ready = &mut ready[usize::try_from(service).unwrap()];
            *ready += model.random(2 * pause);
            at = at.max(*ready);
        }
        queue.push(Reverse((at, service, next)));
    }
    let postings = model.batches * JOBS;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let figures = (postings as f64 / SECONDS as f64, model.attempts as f64 / model.batches as f64);
    figures
}

#[test]
#[expect(clippy::print_stdout, reason = "figures for docs/performance.md")]
fn one_wallet_takes_400_postings_a_second_with_few_repetitions() {
    println!("services | offered | postings a second | attempts");
    for services in [1, 2, 3, 4, 8, 16] {
        for offered in [100, 200, 300, 410] {
            let (rate, attempts) = run(services, offered);
            println!("{services} | {offered} | {rate:.0} | {attempts:.2}");
        }
    }
    for services in [1, 2] {
        let (rate, attempts) = run(services, 410);
        assert!(rate >= 400.0 && attempts <= 1.3, "{services}: {rate} postings/s, {attempts} attempts");
    }
}
