//! What each function costs, measured: AWS calls, sequential round trips, read and write units, and what they come to in
//! dollars. `docs/aws-calls.md` is what this prints; `UPDATE_DOCS=1 cargo test --workspace --test http aws_calls` writes it.
//!
//! Not run in outages: it chooses its regions.

mod least;
mod prices;
mod workers;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use domain::region::Region;
use futures::{StreamExt, stream};
use kit::Spec;
use tests::{App, Person, Value, json};

use crate::fixtures::{self, Caller, Figures, Fixture, Scenario};

/// Trips are the least of so many runs: a busy machine can only make calls look less parallel than they are.
const RUNS: usize = 5;
/// So many runs before more trips than documented are believed.
const MOST_RUNS: usize = 200;
/// So many scenarios are measured at a time, each on a platform of its own.
const AT_A_TIME: usize = 2;

const HEAD: &str = "# AWS calls by function

Measured on the local platform, whose stand-in for DynamoDB reports the units that DynamoDB would charge. Written by
`UPDATE_DOCS=1 cargo test --workspace --test http aws_calls`; the same test fails when the figures are no longer these.

*Home* is the region `eu`, so that calls to the directory's authority in `us` show (*in `us`*). *Warm* is a container that has
answered before. *Cold* adds what the first request reads once and keeps: secrets, public signing keys, and a workspace's data
key. Trips are calls that wait for one another. A transactional write counts two units for each item of up to 1 KB. API-key
requests also take ten requests at a time out of their minute's counter, with one `UpdateItem` (1 write unit) in ten requests;
it is in the cold column, as the first of ten.

What could be less, why it is not, and what all this comes to in dollars, stands below.

*Forwarded* is the same request through `ap`, both containers warm: all calls and trips in both regions, and which of them are
made in `ap`. To these trips comes the one between the regions. A dash: the region that is asked answers itself.

| function | calls | trips | read units | write units | KMS | calls when warm | in `us` | added when cold | forwarded: calls | trips | in `ap` |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

type Operations = BTreeMap<String, usize>;

#[derive(Debug, Default, Clone, PartialEq)]
struct Cost {
    operations: Operations,
    /// The same by the AWS region that was called.
    by_region: BTreeMap<String, Operations>,
    /// Those of functions where the request arrived, if that was not its home.
    on_the_way: Operations,
    trips: usize,
    read: f64,
    write: f64,
    kms: usize,
    /// Of the write units, those of the directory.
    directory: f64,
    /// Messages written to the outbox.
    messages: usize,
}

fn cost(calls: &[Value]) -> Cost {
    let mut cost = Cost::default();
    let mut depths: Vec<(f64, usize)> = Vec::new();
    let mut calls = calls.to_vec();
    calls.sort_by(|a, b| a["began"].as_f64().partial_cmp(&b["began"].as_f64()).unwrap());
    for call in &calls {
        let text = |name: &str| call[name].as_str().unwrap().to_owned();
        let count = |operations: &mut Operations| *operations.entry(text("operation")).or_default() += 1;
        count(&mut cost.operations);
        count(cost.by_region.entry(text("region")).or_default());
        if text("home") != Region::Eu.aws() {
            count(&mut cost.on_the_way);
        }
        cost.read += call["capacity"]["read"].as_f64().unwrap_or(0.0);
        cost.write += call["capacity"]["write"].as_f64().unwrap_or(0.0);
        cost.kms += usize::from(text("service") == "kms");
        if call["table"] == "account-directory" {
            cost.directory += call["capacity"]["write"].as_f64().unwrap_or(0.0);
        }
        cost.messages += call["needs"].as_array().unwrap().iter().filter(|need| is_message(need)).count();
        let (began, millis) = (call["began"].as_f64().unwrap(), call["millis"].as_f64().unwrap());
        let before = depths.iter().filter(|(ended, _)| *ended <= began).map(|(_, depth)| *depth).max();
        depths.push((began + millis, before.unwrap_or(0) + 1));
    }
    cost.trips = depths.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    cost
}

impl Cost {
    fn calls(&self) -> usize {
        self.operations.values().sum()
    }

    /// Takes what a further run shows: fewer calls, since an attempt that took too long is made again, or fewer trips. Units stay those of
    /// the earlier run: what a worker works on grows.
    fn lower(&mut self, next: Self, function: &str) {
        match next.calls().cmp(&self.calls()) {
            Ordering::Less => *self = next,
            Ordering::Greater => {}
            Ordering::Equal => {
                assert_eq!(next.operations, self.operations, "{function}");
                self.trips = self.trips.min(next.trips);
            }
        }
    }

    /// Whether so many runs are enough.
    fn is_believed(&self, runs: usize, expected: Option<usize>) -> bool {
        runs >= RUNS && expected.is_none_or(|expected| self.trips <= expected)
    }

    fn of(&self, operation: &str) -> usize {
        self.operations.get(operation).copied().unwrap_or(0)
    }
}

fn is_message(need: &Value) -> bool {
    let key = need["context"]["dynamodb:LeadingKeys"][0].as_str().unwrap_or_default();
    need["action"] == "dynamodb:PutItem" && key.starts_with(kit::ItemKind::Outbox.prefix())
}

/// A container whose requests are measured.
struct Measured<'a> {
    app: &'a App,
    who: Person,
    function: &'static str,
    scenario: &'a Scenario,
}

impl Measured<'_> {
    /// The calls of the last request to the function.
    async fn once(&self, n: usize) -> Cost {
        let before = self.app.last_call().await;
        let answer = (self.scenario.run)(self.who.clone(), n).await;
        assert!(answer.status < 400, "{}: {}", self.function, answer.text);
        let calls = self.app.calls_of(self.function, before).await;
        let last = calls.last().map(|call| call["request"].clone()).unwrap_or_default();
        cost(&calls.into_iter().filter(|call| call["request"] == last).collect::<Vec<_>>())
    }

    /// A warm container's cost, with the fewest trips that were seen.
    async fn warm(&self, first: usize, expected: Option<usize>) -> Cost {
        let mut least = self.once(first).await;
        for run in 1..MOST_RUNS {
            if least.is_believed(run, expected) {
                break;
            }
            least.lower(self.once(first + run).await, self.function);
            if run % 20 == 0 {
                // Sessions and limits: a new minute.
                self.app.advance(61).await;
            }
        }
        least
    }

    /// The same through another region's endpoint.
    fn sent_on(&self) -> Self {
        Self { who: self.who.by_way_of(Region::Ap), ..*self }
    }
}

fn list(operations: &Operations) -> String {
    let some = operations.iter().filter(|(_, count)| **count > 0);
    let name = |(name, count): (&String, &usize)| {
        if *count > 1 { format!("{count} {name}") } else { name.clone() }
    };
    some.map(name).collect::<Vec<_>>().join(", ")
}

/// What `one` has beyond `other`.
fn beyond(one: &Operations, other: &Operations) -> Operations {
    let left = |(name, count): (&String, &usize)| {
        (name.clone(), count.saturating_sub(other.get(name).copied().unwrap_or(0)))
    };
    one.iter().map(left).collect()
}

/// The trips that the document has in a column of a row.
fn documented(table: &str, name: &str, column: usize) -> Option<usize> {
    let row = table.lines().find(|line| line.starts_with(&format!("| {name} |")))?;
    row.split('|').nth(column)?.trim().parse().ok()
}

/// The trips that end the repetitions: fewer are there only if calls that wait for nothing were seen one after another, as on a busy
/// machine. Without a reason for more, those of the least figures.
fn expected(table: &str, name: &str, column: usize, (least, reason): (Figures, &str)) -> Option<usize> {
    if reason.is_empty() { Some(least.1) } else { documented(table, name, column) }
}

fn named(function: &str, way: &str) -> String {
    if way.is_empty() { function.to_owned() } else { format!("{function} ({way})") }
}

/// A function in one of its scenarios, and what it costs at home in a warm container.
struct Row {
    function: &'static str,
    name: String,
    cost: Cost,
    least: Figures,
    reason: &'static str,
    sets_off: &'static [&'static str],
}

impl Row {
    fn of(function: &'static str, scenario: &Scenario, cost: Cost) -> Self {
        let Scenario { least, reason, sets_off, .. } = *scenario;
        Self { function, name: named(function, scenario.name), cost, least, reason, sets_off }
    }
}

/// The caller of a scenario.
async fn caller(app: &App, scenario: &Scenario) -> Person {
    let who = app.user("measured").await;
    match scenario.caller {
        Caller::SessionAlone => who,
        Caller::Session => {
            who.make_key("measured").await;
            who
        }
        Caller::Key => who.with_api_key("measured").await,
    }
}

async fn row(
    (function, scenario): (&'static str, &Scenario),
    sent_on: Option<u16>,
    table: &str,
) -> (Row, String) {
    let app = App::start().await.living_in(Region::Eu);
    let name = named(function, scenario.name);
    let at_home = Measured { app: &app, who: caller(&app, scenario).await, function, scenario };
    let cold = at_home.once(0).await;
    let figures = (scenario.least, scenario.reason);
    let home = at_home.warm(1, expected(table, &name, 3, figures)).await;
    let of = |region: Region| home.by_region.get(region.aws()).map(list).unwrap_or_default();
    let sent_on = match sent_on {
        None => "– | – | –".to_owned(),
        Some(success) => {
            let sent = at_home.sent_on();
            app.advance(61).await;
            let answer = (scenario.run)(sent.who.clone(), 100).await;
            assert_eq!(answer.status, success, "{name}: {}", answer.text);
            let cost = sent.warm(101, documented(table, &name, 11)).await;
            format!("{} | {} | {}", cost.calls(), cost.trips, list(&cost.on_the_way))
        }
    };
    let line = format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {sent_on} |\n",
        home.calls(),
        home.trips,
        home.read,
        home.write,
        home.kms,
        list(&home.operations),
        of(Region::Us),
        list(&beyond(&cold.operations, &home.operations)),
    );
    (Row::of(function, scenario, home), line)
}

/// The status of a successful forwarded request, if the endpoint forwards requests.
fn status_when_sent_on(spec: &Spec, fixture: &Fixture) -> Option<u16> {
    (!fixture.never_forwarded).then_some(spec.success)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws_calls_are_as_documented() {
    if std::env::var_os("ACCOUNT_TEST_AWS").is_some() {
        return; // The external emulator is not asked for capacity units.
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/aws-calls.md");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let mut table = HEAD.to_owned();
    let mut rows = Vec::new();
    let endpoints = fixtures::all();
    let scenarios = endpoints.iter().flat_map(|(spec, fixture)| {
        let sent_on = status_when_sent_on(spec, fixture);
        fixture.scenarios.iter().map(move |scenario| (spec.id, scenario.clone(), sent_on))
    });
    let authorizer = workers::authorizer().into_iter().map(|scenario| ("authorizer", scenario, None));
    let measuring = scenarios.chain(authorizer).map(|(function, scenario, sent_on)| {
        let before = &before;
        async move { row((function, &scenario), sent_on, before).await }
    });
    for (row, line) in stream::iter(measuring).buffered(AT_A_TIME).collect::<Vec<_>>().await {
        table.push_str(&line);
        rows.push(row);
    }
    let followers = workers::rows(&before).await;
    table.push_str(&workers::table(&followers));
    rows.extend(followers);
    table.push_str(&least::table(&rows));
    table.push_str(&prices::table(&rows));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let documented = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(documented, table, "docs/aws-calls.md is not what was measured");
    let verify = table.lines().find(|line| line.starts_with("| authorizer (API key)")).unwrap();
    assert!(verify.starts_with("| authorizer (API key) | 1 | 1 | 1 | 0 | 0 |"), "{verify}");
    let measured: BTreeSet<&str> = rows.iter().map(|row| row.function).collect();
    let all: BTreeSet<&str> = infra::grants().into_iter().map(|(function, _)| function).collect();
    assert_eq!(measured, all, "every function is measured");
    let wrong = least::wrong(&rows);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let unpriced = prices::wrong(&rows);
    assert!(unpriced.is_empty(), "{unpriced:#?}");
}
