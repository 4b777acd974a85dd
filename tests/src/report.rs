//! Where and how a run of the suite takes place, and what it reports: times, and tests that are left out.

use std::{fs::OpenOptions, io::Write as _, thread, time::Instant};

use aws::LeadingKeys;
use domain::{region::Region, secret::Digest256};

/// The name of the running test: the harness names threads so.
fn test_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// The region that a variable names.
fn region_of(variable: &str) -> Option<Region> {
    std::env::var(variable).ok().map(|region| region.parse().unwrap())
}

/// The region that is down, if the suite runs in an outage.
pub fn region_down() -> Option<Region> {
    region_of("ACCOUNT_TEST_OUTAGE")
}

/// The keys that permissions for batches and transactions are judged with.
pub fn leading_keys() -> LeadingKeys {
    match std::env::var("ACCOUNT_TEST_LEADING_KEYS").as_deref() {
        Ok("per-batch") => LeadingKeys::PerBatch,
        Ok("per-request") => LeadingKeys::PerRequest,
        Ok("per-table") | Err(_) => LeadingKeys::PerTable,
        Ok(other) => panic!("ACCOUNT_TEST_LEADING_KEYS has the value {other}"),
    }
}

/// Whether names can be claimed: not in an outage of the directory's authority.
pub fn authority_is_up() -> bool {
    region_down() != Some(Region::AUTHORITY)
}

/// The region that a test's people live in.
pub fn home() -> Region {
    let by_turns = |down| {
        let up: Vec<Region> = Region::ALL.into_iter().filter(|region| *region != down).collect();
        up[Digest256::of(test_name()).first_bits() as usize % up.len()]
    };
    region_of("ACCOUNT_TEST_REGION").or_else(|| region_down().map(by_turns)).unwrap_or(Region::Us)
}

/// Appends a line to the report, if one is written.
fn report(line: &str) {
    if let Some(file) = std::env::var_os("ACCOUNT_TEST_REPORT") {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Reports how long a test's platform ran.
pub struct Stopwatch {
    began: Instant,
    test: String,
}

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Self {
        Self { began: Instant::now(), test: test_name() }
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        report(&format!("ran\t{:.1}\t{}", self.began.elapsed().as_secs_f64(), self.test));
    }
}

/// Whether the suite runs in an outage, in which this test is left out; the report names it.
pub fn is_left_out() -> bool {
    let is_left_out = region_down().is_some();
    if is_left_out {
        report(&format!("left out\t\t{}", test_name()));
    }
    is_left_out
}

/// Leaves a test out of runs in an outage: it claims names, or expects answers that only another region can give.
#[macro_export]
macro_rules! needs_every_region {
    () => {
        if $crate::is_left_out() {
            return;
        }
    };
}

/// A stride through many similar cases: `otherwise` in everyday runs, or what `ACCOUNT_TEST_EVERY` says, 1 for every case.
pub fn every(otherwise: usize) -> usize {
    std::env::var("ACCOUNT_TEST_EVERY").map_or(otherwise, |text| text.parse().unwrap())
}
