//! `GET /api/billing/usage`: adds up what the jobs of a workspace cost, by day or month, and by what they have in common.
//!
//! A request reads at most 5,000 transactions of the range, newest first. The last one of an old range is found by binary search, so
//! that it costs no more than a recent one.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use domain::{
    Timestamp,
    id::WorkspaceId,
    ports::{Failure, Outcome, Page, Wallets, Workspaces},
    role::Role,
    text::Invalid,
    wallet::Posting,
    workspace::Workspace,
};
use jiff::SignedDuration;
use kit::{
    Access, CursorError, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched, Problem,
    RequestContext, Spec, TokenIds,
    cursor::Cursor,
    grants::{wallets, workspaces},
    parameters::TimeOrDate,
    prefetched::Early,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    time_range::{ReversedRange, TimeRange},
    usage_sums::{GroupBy, Groups, LastUntil, Period, PeriodLength, Sum, SumProgress, UsageSums},
};

/// Adds up what jobs cost.
pub struct ReadUsage;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// Maximum number of postings of the range that a request adds up.
const MOST: usize = 5_000;
/// Number of the newest postings, which are read before it is known whether the range has any of them.
const NEWEST: usize = 100;
/// Number of postings per further read.
const CHUNK: usize = 500;
/// The longest range.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// From the beginning of the first day to that of the last one, without `from`.
const USUAL: SignedDuration = SignedDuration::from_hours(29 * 24);
/// The name of the list in its cursors.
const LIST: &str = "usage";

/// Range, periods and groups.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    /// Earliest time, or day in UTC, inclusive. Default: 29 days before the day of `to`.
    #[serde(default)]
    from: Option<TimeOrDate>,
    /// Latest time, or day in UTC, inclusive. At most 366 days after `from`. Default: the end of today in UTC, or of the day of `from`
    /// if that is later.
    #[serde(default)]
    to: Option<TimeOrDate>,
    /// The length of a period. Default: `day`.
    #[serde(default)]
    by: Option<PeriodLength>,
    /// Also add up the jobs that have this in common.
    #[serde(default)]
    group: Option<GroupBy>,
    /// Cursor from the `Link` header of the previous part.
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// What the jobs of a workspace cost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageReport {
    /// The first time of the range.
    #[schemars(schema_with = "kit::input::date_time")]
    from: Timestamp,
    /// The last time of the range.
    #[schemars(schema_with = "kit::input::date_time")]
    to: Timestamp,
    /// The charges for jobs minus the refunds, in millionths of a US dollar.
    amount_micro_usd: i64,
    /// The same in whole cents, rounded down.
    amount_cents: i64,
    /// The number of jobs that were charged.
    jobs: u64,
    /// What a job cost on average, in millionths of a US dollar, rounded down. Absent without jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    average_micro_usd: Option<i64>,
    /// The periods in which jobs were charged or refunded, the oldest first.
    periods: Vec<UsagePeriod>,
    /// The groups over all periods, the largest amount first. Present with `group`.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<UsageGroup>>,
    /// Whether these are the sums of the whole range, or of the last part of it. `false`: they are those of up to 5,000 transactions,
    /// and the `Link` header names the next, older part. Add up the amounts and jobs of all parts; a period or a group may be in
    /// several.
    complete: bool,
    #[serde(skip)]
    next_page: Option<Cursor>,
}

/// What the jobs of a period cost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsagePeriod {
    /// The day or month in UTC, as in `2026-11-30` or `2026-11`.
    start: String,
    /// The charges of the period minus its refunds, in millionths of a US dollar. Negative: refunds of earlier jobs are more.
    amount_micro_usd: i64,
    /// The same in whole cents, rounded down.
    amount_cents: i64,
    /// The number of jobs that were charged.
    jobs: u64,
    /// The groups, the largest amount first. Present with `group`.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<UsageGroup>>,
}

/// What jobs with something in common cost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageGroup {
    /// What the jobs have in common: the category, the type of GPU, or the id of the user, API key or dataset. `null`: the service did
    /// not state it.
    key: Option<String>,
    /// The charges minus the refunds, in millionths of a US dollar.
    amount_micro_usd: i64,
    /// The same in whole cents, rounded down.
    amount_cents: i64,
    /// The number of jobs that were charged.
    jobs: u64,
}

impl Output for UsageReport {
    fn next_page(&self) -> Option<&Cursor> {
        self.next_page.as_ref()
    }
}

kit::errors! {
    pub enum Error from NoWorkspace, CursorError, ReversedRange, Failure {
        /// The range is longer than a year.
        TooLong => Problem::field("from", &Invalid::new("Use a range of at most 366 days.")),
    }
}

impl Endpoint for ReadUsage {
    const SPEC: Spec = spec("billing-usage", Get, "/api/billing/usage")
        .summary("Add up what a workspace's jobs cost")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[workspaces::FIND, wallets::POSTINGS, wallets::POSTING]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<UsageQuery>, Page<Posting>>;
    type Output = UsageReport;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if query.cursor.is_none() {
            early.read(deps.wallets.postings(ids.workspace, None, NEWEST)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<UsageReport, Error> {
        let (workspace, range, page) = begin(deps, call, &query, early).await?;
        let length = query.by.unwrap_or(PeriodLength::Day);
        let mut sums = UsageSums::new(range, length, query.group, MOST);
        let last = add_up(deps, workspace.id, &mut sums, page).await?;
        let position = last.map(|last| PartPosition { last, range }.to_string());
        let next_page = position.map(|position| call.cursors(&workspace, LIST).at(&position));
        Ok(UsageReport::new(sums, range, &query, next_page))
    }
}

impl UsageQuery {
    fn range(&self, now: Timestamp) -> Result<TimeRange, Error> {
        let from = self.from.map(TimeOrDate::begins);
        // Until the end of the day: a posting may be later than the clock of this request.
        let today = || TimeRange::day_of(from.map_or(now, |from| from.max(now))).to;
        let to = self.to.map_or_else(today, TimeOrDate::ends);
        let usual = || TimeRange::day_of(to).from.saturating_sub(USUAL).unwrap_or(Timestamp::MIN);
        let range = TimeRange::new(from.unwrap_or_else(usual), to)?;
        if range.to.duration_since(range.from) > LONGEST { Err(Error::TooLong) } else { Ok(range) }
    }
}

/// Where a part ends, with the range of all parts: a default range would change with the day.
struct PartPosition {
    /// The number of the last posting that was added.
    last: u64,
    range: TimeRange,
}

impl fmt::Display for PartPosition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.last, self.range.from, self.range.to)
    }
}

impl FromStr for PartPosition {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (last, range) = text.split_once(' ').ok_or(CursorError)?;
        let (from, to) = range.split_once(' ').ok_or(CursorError)?;
        let time = |text: &str| text.parse::<Timestamp>().map_err(|_| CursorError);
        let range = TimeRange { from: time(from)?, to: time(to)? };
        Ok(Self { last: last.parse().map_err(|_| CursorError)?, range })
    }
}

/// The workspace, the range, and the first postings to look at.
async fn begin<'a>(
    deps: &Deps,
    call: &'a RequestContext<KeyOrMember>,
    query: &UsageQuery,
    early: Early<Page<Posting>>,
) -> Result<(Cow<'a, Workspace>, TimeRange, Page<Posting>), Error> {
    let workspace = call.caller.workspace_record(&*deps.workspaces);
    if let Some(cursor) = &query.cursor {
        let workspace = workspace.await?;
        let PartPosition { last, range } = call.cursors(&workspace, LIST).position(cursor)?;
        let page = deps.wallets.postings(workspace.id, Some(last.saturating_sub(1)), CHUNK).await?;
        return Ok((workspace, range, page));
    }
    let range = query.range(call.now)?;
    let newest = early.or_read(deps.wallets.postings(call.caller.workspace(), None, NEWEST));
    let newest = async { Ok::<_, NoWorkspace>(newest.await?) };
    let (workspace, newest) = futures::try_join!(workspace, newest)?;
    let page = skip_later(deps, workspace.id, range.to, newest).await?;
    Ok((workspace, range, page))
}

/// The newest postings that are not all later than `to`.
async fn skip_later(
    deps: &Deps,
    workspace: WorkspaceId,
    to: Timestamp,
    newest: Page<Posting>,
) -> Outcome<Page<Posting>> {
    let oldest = newest.items.last().filter(|oldest| oldest.at > to).map(|oldest| oldest.number);
    let Some(later) = oldest else { return Ok(newest) };
    let mut search = LastUntil::below(later);
    while let Some(number) = search.probe() {
        let posting = deps.wallets.posting(workspace, number).await?;
        search.learn(number, posting.is_none_or(|posting| posting.at > to));
    }
    match search.found() {
        0 => Ok(Page { items: Vec::new(), more: false }),
        last => deps.wallets.postings(workspace, Some(last), CHUNK).await,
    }
}

/// Adds up the postings from `page` on. Returns the number of the last one that was added if the range has more.
async fn add_up(
    deps: &Deps,
    workspace: WorkspaceId,
    sums: &mut UsageSums,
    mut page: Page<Posting>,
) -> Outcome<Option<u64>> {
    loop {
        for posting in &page.items {
            match sums.add(posting) {
                SumProgress::Next => {}
                SumProgress::Full => return Ok(Some(posting.number.saturating_add(1))),
                SumProgress::Complete => return Ok(None),
            }
        }
        // Numbers have no gaps.
        let last = page.items.last().map(|last| last.number).filter(|last| *last > 1);
        let Some(last) = last else { return Ok(None) };
        page = deps.wallets.postings(workspace, Some(last.saturating_sub(1)), CHUNK).await?;
    }
}

impl UsageReport {
    fn new(sums: UsageSums, range: TimeRange, query: &UsageQuery, next_page: Option<Cursor>) -> Self {
        let UsageSums { total, periods, groups, .. } = sums;
        let length = query.by.unwrap_or(PeriodLength::Day);
        let is_grouped = query.group.is_some();
        let period = |(start, Period { sum, groups })| UsagePeriod {
            start: length.name(start),
            amount_micro_usd: sum.amount.micros(),
            amount_cents: sum.amount.floor_cents(),
            jobs: sum.jobs,
            groups: is_grouped.then(|| UsageGroup::all(groups)),
        };
        Self {
            from: range.from,
            to: range.to,
            amount_micro_usd: total.amount.micros(),
            amount_cents: total.amount.floor_cents(),
            jobs: total.jobs,
            average_micro_usd: total.average().map(|average| average.micros()),
            periods: periods.into_iter().map(period).collect(),
            groups: is_grouped.then(|| UsageGroup::all(groups)),
            complete: next_page.is_none(),
            next_page,
        }
    }
}

impl UsageGroup {
    fn new((key, Sum { amount, jobs }): (Option<String>, Sum)) -> Self {
        Self { key, amount_micro_usd: amount.micros(), amount_cents: amount.floor_cents(), jobs }
    }

    /// The largest amount first, and those of the same amount by their names.
    fn all(groups: Groups) -> Vec<Self> {
        let mut all: Vec<Self> = groups.into_iter().map(Self::new).collect();
        all.sort_by_key(|group| std::cmp::Reverse(group.amount_micro_usd));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(from: Option<&str>, to: Option<&str>) -> UsageQuery {
        let time = |text: &str| serde_json::from_value::<TimeOrDate>(text.into()).unwrap();
        UsageQuery { from: from.map(time), to: to.map(time), by: None, group: None, cursor: None }
    }

    fn range(from: Option<&str>, to: Option<&str>) -> Option<[String; 2]> {
        let now = "2026-11-30T16:00:00Z".parse().unwrap();
        let range = query(from, to).range(now).ok()?;
        Some([range.from.to_string(), range.to.to_string()])
    }

    #[test]
    fn range_is_the_last_thirty_days_unless_the_query_says_otherwise() {
        let days = |first: &str, last: &str| {
            Some([format!("{first}T00:00:00Z"), format!("{last}T23:59:59.999999999Z")])
        };
        assert_eq!(range(None, None), days("2026-11-01", "2026-11-30"));
        assert_eq!(range(Some("2026-05-01"), None), days("2026-05-01", "2026-11-30"));
        assert_eq!(range(None, Some("2026-03-30")), days("2026-03-01", "2026-03-30"));
        assert_eq!(range(Some("2026-12-05"), None), days("2026-12-05", "2026-12-05"));
        assert_eq!(range(Some("2024-01-01"), Some("2024-12-31")), days("2024-01-01", "2024-12-31"));
        for (from, to) in [
            (Some("2024-01-01"), Some("2025-01-01")),
            (Some("0001-01-01"), None),
            (Some("2026-11-30"), Some("2026-11-29")),
        ] {
            assert_eq!(range(from, to), None, "{from:?} {to:?}");
        }
        assert!(range(None, Some("0001-01-01")).is_some());
        assert!(range(None, Some("9999-12-31")).is_some());
    }

    #[test]
    fn position_is_read_as_it_was_written() {
        for (from, to) in [
            (Timestamp::MIN, Timestamp::MAX),
            (Timestamp::UNIX_EPOCH, "2026-11-30T23:59:59.999999999Z".parse().unwrap()),
        ] {
            let range = TimeRange { from, to };
            let text = PartPosition { last: 12, range }.to_string();
            let read: PartPosition = text.parse().unwrap();
            assert_eq!((read.last, read.range), (12, range), "{text}");
        }
        for wrong in ["", "12", "12 13", "x 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z", "1 a b"] {
            assert!(wrong.parse::<PartPosition>().is_err(), "{wrong}");
        }
    }
}
