//! The least that each function could do with, and why it does with more.

use super::*;

fn measured(cost: &Cost) -> Figures {
    (cost.calls(), cost.trips, cost.read, cost.write)
}

/// Whether one is more than the other in something, and whether it is less in something.
fn compare(one: Figures, other: Figures) -> (bool, bool) {
    let pairs =
        [(one.0 as f64, other.0 as f64), (one.1 as f64, other.1 as f64), (one.2, other.2), (one.3, other.3)];
    (pairs.iter().any(|(one, other)| one > other), pairs.iter().any(|(one, other)| one < other))
}

/// Rows that are below their least, or that are above it without a reason, or have a reason for nothing.
pub fn wrong(rows: &[Row]) -> Vec<String> {
    let is_wrong = |row: &Row| {
        let (least, why) = (row.least, row.reason);
        let (more, less) = compare(measured(&row.cost), least);
        let told = more != why.is_empty();
        (less || !told)
            .then(|| format!("{}: {:?}, at least {least:?}: {why:?}", row.name, measured(&row.cost)))
    };
    rows.iter().filter_map(is_wrong).collect()
}

/// The document's part on them.
pub fn table(rows: &[Row]) -> String {
    let mut text = "
## The least

The fewest calls, trips and units with which a function could do the same, and the reason where it does with more.

| function | calls: least | is | trips: least | is | read units: least | is | write units: least | is | because |
|---|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for row in rows {
        let (least, why) = (row.least, row.reason);
        let is = measured(&row.cost);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {why} |",
            row.name, least.0, is.0, least.1, is.1, least.2, is.2, least.3, is.3,
        );
    }
    text
}
