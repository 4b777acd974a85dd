//! What the calls come to in dollars, by Amazon's public list prices.

use kit::{Endpoint, Visitor, Worker, spec::Memory};

use super::*;

/// Dollars for a million of each, in `us-east-1`, without free tiers and discounts, as listed in 2025 on the
/// services' pages (<https://aws.amazon.com/dynamodb/pricing/on-demand/>, `/kms/`, `/eventbridge/`, `/ses/`, `/s3/`, `/lambda/`,
/// `/api-gateway/`, each with `pricing/`).
mod per_million {
    /// DynamoDB on demand: units of 4 KB read and 1 KB written, and what a write costs in each other replica.
    pub const READ: f64 = 0.125;
    pub const WRITE: f64 = 0.625;
    pub const REPLICATED: f64 = 0.625;
    /// $0.03 for 10,000.
    pub const KMS: f64 = 3.0;
    /// $0.05 for 10,000.
    pub const SECRET: f64 = 5.0;
    pub const EVENT: f64 = 1.0;
    /// $0.10 for 1,000.
    pub const MAIL: f64 = 100.0;
    /// $0.005 for 1,000 lists or steps of writing, as for the client's own `PUT`; deleting is free.
    pub const LIST: f64 = 5.0;
    pub const HTTP_API: f64 = 1.0;
    /// Lambda on ARM.
    pub const INVOCATION: f64 = 0.20;
    /// $0.0000133334 a second.
    pub const GIGABYTE_SECOND: f64 = 13.3334;
}

/// How long a function runs is not measured here, but assumed, in milliseconds: by itself,
const ITSELF: f64 = 2.0;
/// for each trip to an AWS service of its region, and more for one to another region,
const TRIP: f64 = 5.0;
const FAR: f64 = 95.0;
/// for a password's hash on one virtual processor,
const HASH: f64 = 50.0;
/// and where all answers are held back, so long.
const HELD_BACK: f64 = 800.0;

/// The calls to Secrets Manager.
const SECRET_CALLS: [&str; 4] =
    ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"];

/// The calls to S3 that cost as much as a list.
const S3_CALLS: [&str; 4] =
    ["ListObjectsV2", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"];

/// What a function is, as far as it is paid for.
#[derive(Clone, Copy)]
struct Kind {
    memory: Memory,
    has_route: bool,
    held_back: bool,
}

#[derive(Default)]
struct Kinds(BTreeMap<&'static str, Kind>);

impl Visitor for Kinds {
    fn endpoint<E: Endpoint>(&mut self) {
        let held_back = E::SPEC.timing_padding == kit::spec::TimingPadding::Everything;
        self.0.insert(E::SPEC.id, Kind { memory: E::SPEC.memory, has_route: true, held_back });
    }

    fn worker<W: Worker>(&mut self) {
        self.0.insert(W::SPEC.id, Kind { memory: Memory::Small, has_route: false, held_back: false });
    }
}

fn milliseconds(row: &Row, kind: Kind) -> f64 {
    let far: usize = row.cost.by_region.get(Region::Us.aws()).map_or(0, |calls| calls.values().sum());
    // A function that hashes passwords has a processor of its own for it.
    let hash = if kind.memory == Memory::FullCpu { HASH } else { 0.0 };
    let busy = ITSELF + TRIP * row.cost.trips as f64 + FAR * far as f64 + hash;
    if kind.held_back { busy.max(HELD_BACK) } else { busy }
}

/// Dollars for a million: DynamoDB, Lambda, and everything else.
fn dollars(row: &Row, kind: Kind) -> [f64; 3] {
    let cost = &row.cost;
    // A transactional write is two units here, and one in each of the two other replicas.
    let dynamo = cost.read * per_million::READ
        + cost.write * per_million::WRITE
        + cost.directory * per_million::REPLICATED;
    let gigabyte_seconds = f64::from(kind.memory.megabytes()) / 1_024.0 * milliseconds(row, kind) / 1_000.0;
    let lambda = per_million::INVOCATION + gigabyte_seconds * per_million::GIGABYTE_SECOND;
    let other = cost.kms as f64 * per_million::KMS
        + SECRET_CALLS.map(|call| cost.of(call)).iter().sum::<usize>() as f64 * per_million::SECRET
        + cost.of("PutEvents") as f64 * per_million::EVENT
        + cost.of("SendEmail") as f64 * per_million::MAIL
        + S3_CALLS.map(|call| cost.of(call)).iter().sum::<usize>() as f64 * per_million::LIST
        + if kind.has_route { per_million::HTTP_API } else { 0.0 };
    [dynamo, lambda, other]
}

/// The document's part on them.
pub fn table(rows: &[Row]) -> String {
    let mut kinds = Kinds::default();
    infra::every(&mut kinds);
    let total = |row: &Row| dollars(row, kinds.0[row.function]).iter().sum::<f64>();
    let mut text = format!(
        "
## In dollars

For a million requests or events, warm and at home, by the list prices of `us-east-1` in 2025, without free tiers:
DynamoDB $0.125 and $0.625 for a million read and write units (the directory's writes once more for its other replicas), KMS
$0.03 for 10,000 calls, EventBridge $1 for a million events, SES $0.10 for 1,000 mails, S3 $0.005 for 1,000 lists or steps of writing, HTTP API $1 for a million requests,
Lambda on ARM $0.20 for a million and $0.0000133334 a gigabyte-second. Secrets Manager $0.05 for 10,000 calls; a container reads
a secret once in five minutes, which is not counted, and Lambda reads streams for nothing. How long functions run is assumed: {ITSELF} ms, {TRIP} ms a trip,
{FAR} ms more for one to another region, {HASH} ms for a password's hash, and the {HELD_BACK} ms for which answers are held back
that must not tell by time. *With what follows* adds the workers that the request's message sets off.

| function | ms | DynamoDB | Lambda | others | together | with what follows |
|---|---|---|---|---|---|---|
"
    );
    for row in rows {
        let kind = kinds.0[row.function];
        let [dynamo, lambda, other] = dollars(row, kind);
        let follows: f64 = rows.iter().filter(|it| row.sets_off.contains(&it.name.as_str())).map(total).sum();
        let (name, ms, own) = (&row.name, milliseconds(row, kind), total(row));
        let _ = writeln!(
            text,
            "| {name} | {ms} | {dynamo:.2} | {lambda:.2} | {other:.2} | {own:.2} | {:.2} |",
            own + follows
        );
    }
    text
}

/// Rows with messages that set nothing off, rows that set something off without a message, and unknown names.
pub fn wrong(rows: &[Row]) -> Vec<String> {
    let known = |name: &str| rows.iter().any(|row| row.name == name);
    let mut wrong = Vec::new();
    for Row { name, cost, sets_off, .. } in rows {
        if (cost.messages == 0) != sets_off.is_empty() {
            wrong.push(format!("{name}: {} messages set off {sets_off:?}", cost.messages));
        }
        wrong.extend(
            sets_off
                .iter()
                .filter(|it| !known(it))
                .map(|it| format!("{name} sets off {it}, which is no row")),
        );
    }
    wrong
}
