//! Sums of what jobs cost, by period and by what jobs have in common.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    money::MicroUsd,
    wallet::{Cause, JobCategory, JobRecord, Posting},
};
use jiff::{civil::Date, tz::Offset};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::time_range::TimeRange;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PeriodLength {
    /// A day in UTC.
    Day,
    /// A calendar month in UTC.
    Month,
}

impl PeriodLength {
    /// The first day of the period that a time is in.
    fn start_of(self, at: Timestamp) -> Date {
        let day = Offset::UTC.to_datetime(at).date();
        match self {
            Self::Day => day,
            Self::Month => day.first_of_month(),
        }
    }

    /// The name of the period with this first day: `2026-11-30` or `2026-11`.
    pub fn name(self, start: Date) -> String {
        match self {
            Self::Day => start.to_string(),
            Self::Month => format!("{:04}-{:02}", start.year(), start.month()),
        }
    }
}

/// What the jobs of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum GroupBy {
    /// The category.
    Category,
    /// The type of GPU.
    Gpu,
    /// The user who started the job.
    User,
    /// The API key that started the job.
    ApiKey,
    /// The dataset.
    Dataset,
}

impl GroupBy {
    /// The group of a job. `None`: the job lacks it.
    fn key(self, record: &JobRecord) -> Option<String> {
        match self {
            Self::Category => Some(category(record.category).to_owned()),
            Self::Gpu => record.gpu_type.as_ref().map(ToString::to_string),
            Self::User => record.user.map(|id| id.to_string()),
            Self::ApiKey => record.api_key.map(|id| id.to_string()),
            Self::Dataset => record.dataset.map(|id| id.to_string()),
        }
    }
}

/// The name of a category in the API.
const fn category(category: JobCategory) -> &'static str {
    match category {
        JobCategory::Training => "training",
        JobCategory::Deployment => "deployment",
        JobCategory::Inference => "inference",
    }
}

/// What some jobs cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// The charges minus the refunds.
    pub amount: MicroUsd,
    /// The number of jobs that were charged.
    pub jobs: u64,
}

impl Sum {
    /// What a posting adds; `None` if it is not about what a job cost.
    fn of(posting: &Posting) -> Option<Self> {
        let jobs = match posting.cause {
            Cause::Job(_) => 1,
            Cause::Refund(_) => 0,
            _ => return None,
        };
        Some(Self { amount: posting.amount.negated(), jobs })
    }

    fn add(&mut self, other: Self) {
        self.amount = [self.amount, other.amount].into_iter().sum();
        self.jobs = self.jobs.saturating_add(other.jobs);
    }

    /// What a job cost on average; `None` without jobs.
    pub fn average(self) -> Option<MicroUsd> {
        let jobs = i64::try_from(self.jobs).ok()?;
        self.amount.micros().checked_div_euclid(jobs).map(MicroUsd::new)
    }
}

/// The sums of groups, by what the jobs of each have in common.
pub type Groups = BTreeMap<Option<String>, Sum>;

/// The sums of a period.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The sum of all groups.
    pub sum: Sum,
    /// The groups; empty if nothing is grouped.
    pub groups: Groups,
}

/// What to do after a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumProgress {
    /// Add the posting before it.
    Next,
    /// The part is full. This posting was not added: the next part begins with it.
    Full,
    /// The range is complete.
    Complete,
}

/// The sums of the postings of a range, or of a part of them, newest first.
#[derive(Debug)]
pub struct UsageSums {
    range: TimeRange,
    length: PeriodLength,
    group: Option<GroupBy>,
    /// How many more postings of the range the part takes.
    left: usize,
    /// The sum of all amounts without their signs. While it is within the limits of an amount, each of the sums is.
    moved: MicroUsd,
    /// The sum of all periods.
    pub total: Sum,
    /// The periods, by their first days.
    pub periods: BTreeMap<Date, Period>,
    /// The groups over all periods; empty if nothing is grouped.
    pub groups: Groups,
}

impl UsageSums {
    /// Begins a part of up to `most` postings.
    pub fn new(range: TimeRange, length: PeriodLength, group: Option<GroupBy>, most: usize) -> Self {
        Self {
            range,
            length,
            group,
            left: most,
            moved: MicroUsd::ZERO,
            total: Sum::default(),
            periods: BTreeMap::new(),
            groups: Groups::new(),
        }
    }

    /// Adds the next older posting. Times never go back, so the range is complete with the first posting before it.
    pub fn add(&mut self, posting: &Posting) -> SumProgress {
        if posting.at > self.range.to {
            return SumProgress::Next;
        }
        if posting.at < self.range.from {
            return SumProgress::Complete;
        }
        let Some(left) = self.left.checked_sub(1) else { return SumProgress::Full };
        if let Some(sum) = Sum::of(posting) {
            let Some(moved) = self.moved.plus(sum.amount.max(sum.amount.negated())) else {
                return SumProgress::Full;
            };
            self.moved = moved;
            self.count(posting, sum);
        }
        self.left = left;
        SumProgress::Next
    }

    fn count(&mut self, posting: &Posting, sum: Sum) {
        self.total.add(sum);
        let period = self.periods.entry(self.length.start_of(posting.at)).or_default();
        period.sum.add(sum);
        if let Some(group) = self.group {
            let key = posting.record.as_ref().and_then(|record| group.key(record));
            period.groups.entry(key.clone()).or_default().add(sum);
            self.groups.entry(key).or_default().add(sum);
        }
    }
}

/// A binary search for the number of the last posting until a time.
#[derive(Debug, Clone, Copy)]
pub struct LastUntil {
    /// The posting with this number is not later, or it is 0.
    not_later: u64,
    /// The posting with this number is later.
    later: u64,
}

impl LastUntil {
    /// Begins below a posting that is later.
    pub const fn below(later: u64) -> Self {
        Self { not_later: 0, later }
    }

    /// The number of the posting to look at; `None` once the last one is known.
    pub fn probe(self) -> Option<u64> {
        let unknown = self.later.saturating_sub(self.not_later) > 1;
        unknown.then(|| self.not_later.midpoint(self.later))
    }

    /// Takes in whether the posting with this number is later.
    pub const fn learn(&mut self, number: u64, is_later: bool) {
        if is_later {
            self.later = number;
        } else {
            self.not_later = number;
        }
    }

    /// The number of the last posting that is known to be not later; 0 if none is.
    pub const fn found(self) -> u64 {
        self.not_later
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        reference::Reference,
        wallet::{Lots, PostingType},
    };

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// November and December 2026.
    fn range() -> TimeRange {
        TimeRange::new(at("2026-11-01T00:00:00Z"), at("2026-12-31T23:59:59.999999999Z")).unwrap()
    }

    fn posting(r#type: PostingType, amount: i64, time: &str, gpu: Option<&str>) -> Posting {
        let record = JobRecord {
            category: JobCategory::Training,
            gpu_type: gpu.map(|gpu| Reference::parse(gpu).unwrap()),
            user: None,
            api_key: None,
            dataset: None,
            model: None,
            run: None,
        };
        let job = Reference::parse("job").unwrap();
        let cause = match r#type {
            PostingType::Training => Cause::Job(job),
            PostingType::Refund => Cause::Refund(job),
            _ => Cause::Adjustment(job),
        };
        Posting {
            number: 1,
            r#type,
            amount: MicroUsd::new(amount),
            balance: MicroUsd::ZERO,
            lots: Lots::default(),
            cause,
            at: at(time),
            record: Some(record),
            reason: None,
        }
    }

    fn charge(amount: i64, time: &str) -> Posting {
        posting(PostingType::Training, -amount, time, None)
    }

    fn sum(amount: i64, jobs: u64) -> Sum {
        Sum { amount: MicroUsd::new(amount), jobs }
    }

    fn sums(group: Option<GroupBy>, most: usize) -> UsageSums {
        UsageSums::new(range(), PeriodLength::Month, group, most)
    }

    #[test]
    fn refund_reduces_its_own_period_and_group_and_no_number_of_jobs() {
        let mut sums = sums(Some(GroupBy::Gpu), 10);
        for posting in [
            posting(PostingType::Refund, 300, "2026-12-02T00:00:00Z", Some("a100")),
            posting(PostingType::Adjustment, 7, "2026-12-01T00:00:00Z", None),
            posting(PostingType::Training, -50, "2026-11-30T23:59:59.999Z", None),
            posting(PostingType::Training, -1_000, "2026-11-01T00:00:00Z", Some("a100")),
        ] {
            assert_eq!(sums.add(&posting), SumProgress::Next);
        }
        let month = PeriodLength::Month;
        let periods: Vec<_> =
            sums.periods.iter().map(|(start, period)| (month.name(*start), period.sum)).collect();
        assert_eq!(periods, [("2026-11".to_owned(), sum(1_050, 2)), ("2026-12".to_owned(), sum(-300, 0))]);
        let gpu = Some("a100".to_owned());
        assert_eq!(sums.groups, Groups::from([(None, sum(50, 1)), (gpu.clone(), sum(700, 1))]));
        let december = sums.periods.values().next_back().unwrap();
        assert_eq!(december.groups, Groups::from([(gpu, sum(-300, 0))]));
        assert_eq!((sums.total, sums.total.average()), (sum(750, 2), Some(MicroUsd::new(375))));
    }

    #[test]
    fn refund_of_a_payment_is_no_usage() {
        let mut sums = sums(None, 10);
        let intent = domain::payment::PaymentIntentId::parse("pi_1").unwrap();
        let refund = posting(PostingType::Refund, -300, "2026-12-02T00:00:00Z", None);
        let refund = Posting { cause: Cause::Payment { intent, change: 2 }, ..refund };
        assert_eq!(sums.add(&refund), SumProgress::Next);
        assert_eq!((sums.total, sums.periods.len()), (sum(0, 0), 0));
    }

    #[test]
    fn only_the_range_counts_and_it_is_complete_before_its_first_time() {
        let mut sums = sums(None, 1);
        assert_eq!(sums.add(&charge(1, "2027-01-01T00:00:00Z")), SumProgress::Next);
        assert_eq!(sums.add(&charge(2, "2026-12-31T23:59:59.999999999Z")), SumProgress::Next);
        // Complete, and not full: no posting of the range is left.
        assert_eq!(sums.add(&charge(4, "2026-10-31T23:59:59.999999999Z")), SumProgress::Complete);
        assert_eq!((sums.total, sums.groups.len()), (sum(2, 1), 0));
    }

    #[test]
    fn full_part_does_not_count_the_posting_that_the_next_part_begins_with() {
        let mut first = sums(None, 2);
        let times = ["2026-11-03T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z"];
        // Other transactions take room, too.
        assert_eq!(first.add(&posting(PostingType::Adjustment, 5, times[0], None)), SumProgress::Next);
        assert_eq!(first.add(&charge(1, times[1])), SumProgress::Next);
        assert_eq!(first.add(&charge(2, times[2])), SumProgress::Full);
        assert_eq!(first.total, sum(1, 1));
    }

    #[test]
    fn part_ends_before_a_sum_exceeds_the_limits_of_an_amount() {
        let most = MicroUsd::MOST.micros();
        let mut sums = sums(None, 10);
        assert_eq!(sums.add(&charge(most, "2026-11-03T00:00:00Z")), SumProgress::Next);
        let refund = posting(PostingType::Refund, 1, "2026-11-02T00:00:00Z", None);
        assert_eq!(sums.add(&refund), SumProgress::Full);
        assert_eq!(sums.total, sum(most, 1));
    }

    #[test]
    fn average_is_rounded_down_and_needs_a_job() {
        assert_eq!(sum(7, 2).average(), Some(MicroUsd::new(3)));
        assert_eq!(sum(-7, 2).average(), Some(MicroUsd::new(-4)));
        assert_eq!(sum(-7, 0).average(), None);
    }

    #[test]
    fn categories_have_their_names_in_json() {
        for one in [JobCategory::Training, JobCategory::Deployment, JobCategory::Inference] {
            assert_eq!(serde_json::to_value(one).unwrap(), category(one));
        }
    }

    #[test]
    fn search_finds_each_last_posting_in_few_steps() {
        for later in [1, 2, 3, 100, 1_000_000] {
            for last in [0, 1, 2, 50, 99, 999_999].into_iter().filter(|last| *last < later) {
                let (mut search, mut steps) = (LastUntil::below(later), 0);
                while let Some(number) = search.probe() {
                    assert!((1..later).contains(&number));
                    search.learn(number, number > last);
                    steps += 1;
                }
                assert_eq!(search.found(), last, "below {later}");
                assert!(steps <= 20, "{steps} steps below {later}");
            }
        }
    }
}
