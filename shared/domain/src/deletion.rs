//! Deletions of accounts and teams. The request revokes all access. A job that survives interruptions deletes
//! everything else.
//!
//! A request that started earlier may still write, and a signed upload may still arrive. So the job makes two passes:
//! one at once, and one when nothing can arrive any more.

mod erasure;
mod receipt;
mod steps;
mod under_way;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use erasure::Erasure;
pub use receipt::{Kept, Receipt};
pub use steps::{DeletionScope, Part, STEPS, Step, StepsDone};
pub use under_way::UnderWay;

use crate::{
    directory::{self, Holder, Name},
    email::EmailAddress,
    handle::Handle,
    id::{JobId, SessionId, UserId, WorkspaceId},
    job::Status,
    region::Region,
    time::after,
    upload,
    user::EmailHash,
};

/// The confirmation word.
pub const CONFIRMATION: &str = "DELETE";
/// Time for which a freed handle stays reserved.
pub const RESERVED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Time for which a job is not due after it was handed over to its own run: less than the schedule's interval of 15 minutes.
pub const HANDED_OVER: SignedDuration = SignedDuration::from_mins(10);

/// The deletion of an account or a team.
#[derive(Clone, Serialize, Deserialize)]
pub struct Deletion {
    /// The job's id.
    pub id: JobId,
    /// The scope.
    pub scope: DeletionScope,
    /// The user who requested the deletion. For an account, its user.
    pub user: UserId,
    /// The home region of the user who requested the deletion of a team in another region. Absent if it is the job's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_home: Option<Region>,
    /// The session that requested the deletion of an account and ended with the request. Its bearer may still read the
    /// status of the job. Absent in older jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The workspace. For an account, the personal workspace, which may not exist.
    pub workspace: WorkspaceId,
    /// The home region.
    pub region: Region,
    /// The handle that is freed.
    #[serde(default, deserialize_with = "crate::handle::optional_existing")]
    pub handle: Option<Handle>,
    /// The hash of the primary email address, which is freed.
    pub address: Option<EmailHash>,
    /// The hashes of the other email addresses, which are freed. The job reads them before it erases their record. Absent in
    /// older jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<EmailHash>,
    /// The recipient of the receipt. Absent if only the home of the user knows the address: that region sends the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_address")]
    pub receipt_to: Option<EmailAddress>,
    /// The status.
    pub status: Status,
    /// Time of the request, which revoked all access.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// Time of completion.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub ended_at: Option<Timestamp>,
    /// Whether the job is in its second pass.
    #[serde(default)]
    pub looks_again: bool,
    /// The completed [`STEPS`] of this pass. Older versions stored their number, as `done`.
    #[serde(default, alias = "done")]
    pub steps_done: StepsDone,
    /// Time at which the job is due again if its own run does not complete it. Orders the queue; locks nothing.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub handed_over_until: Option<Timestamp>,
    /// The last item counted in the next step, so that no item is counted twice.
    #[serde(default)]
    pub counted: Option<String>,
    /// Numbers of deleted items.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Until when the account's referral is kept, if it had one.
    #[serde(
        with = "jiff::fmt::serde::timestamp::millisecond::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub referral_kept_until: Option<Timestamp>,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

fn optional_address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<EmailAddress>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| EmailAddress::parse_existing(&text).map_err(serde::de::Error::custom)).transpose()
}

impl Deletion {
    /// The job with its next version.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Time by which all earlier requests and signed uploads have arrived or failed.
    pub fn looks_again_at(&self) -> Timestamp {
        after(after(self.created_at, upload::SENT_WITHIN), directory::PENDING)
    }

    /// End of the reservation of the handle.
    pub fn reserved_until(&self) -> Timestamp {
        after(self.created_at, RESERVED)
    }

    /// The names in the directory that are freed, with their holders.
    pub fn names(&self) -> Vec<(Name, Holder)> {
        let holder = |id| Holder { region: self.region, id, confirmed: true };
        let handle =
            self.handle.clone().map(|handle| (Name::Handle(handle), holder(self.workspace.to_string())));
        let address = |address| (Name::Address(address), holder(self.user.to_string()));
        handle.into_iter().chain(self.all_addresses().map(address)).collect()
    }

    /// The hashes of all email addresses that are freed.
    pub fn all_addresses(&self) -> impl Iterator<Item = EmailHash> {
        self.address.into_iter().chain(self.addresses.iter().copied())
    }

    /// Adds the email addresses of the account that the job does not know. Returns whether there were any.
    pub fn learn_addresses(&mut self, found: impl IntoIterator<Item = EmailHash>) -> bool {
        let before = self.addresses.len();
        for address in found {
            if !self.all_addresses().any(|known| known == address) {
                self.addresses.push(address);
            }
        }
        self.addresses.len() > before
    }

    /// Whether the first pass is complete and it is too early for the second.
    pub fn waits(&self, now: Timestamp) -> bool {
        self.has_looked_once() && now < self.looks_again_at()
    }

    /// Whether the first pass is complete and the second has not started.
    pub fn has_looked_once(&self) -> bool {
        !self.looks_again && self.step().is_none()
    }

    /// Starts the second pass.
    pub fn look_again(&mut self) {
        self.looks_again = true;
        self.steps_done = StepsDone::default();
        self.counted = None;
    }

    /// Marks the next step as complete.
    pub fn step_is_done(&mut self) {
        self.steps_done.advance(&STEPS);
        self.counted = None;
        if self.step().is_none() {
            self.handed_over_until = None;
        }
    }

    /// Counts the items of a step that were not counted before. Returns whether there were any. The count is saved
    /// before the items are deleted, so that an interruption neither loses nor repeats a count.
    pub fn count(&mut self, what: &str, names: &[String]) -> bool {
        let is_new = |name: &&String| self.counted.as_ref().is_none_or(|counted| *name > counted);
        let new = names.iter().filter(is_new).fold(0_u64, |count, _| count.saturating_add(1));
        if new == 0 {
            return false;
        }
        let count = self.counts.entry(what.to_owned()).or_default();
        *count = count.saturating_add(new);
        self.counted = names.iter().max().cloned();
        true
    }

    /// The next step; `None` if this pass is complete.
    pub fn step(&self) -> Option<Step> {
        self.steps_done.next_of(&STEPS)
    }

    /// Progress in percent.
    pub fn progress(&self) -> u8 {
        let whole = STEPS.len().saturating_mul(2).saturating_add(1);
        let before = if self.looks_again { STEPS.len() } else { 0 };
        let done = self.steps_done.count_of(&STEPS).saturating_add(before);
        match self.status {
            Status::Completed => 100,
            _ => u8::try_from(done.saturating_mul(100) / whole).unwrap_or(100),
        }
    }

    /// Time at which a run must continue the job if no message triggers a run. A job that was handed over is due after
    /// all waiting jobs.
    pub fn due_at(&self) -> Timestamp {
        let due = if self.has_looked_once() { self.looks_again_at() } else { self.created_at };
        self.handed_over_until.map_or(due, |until| until.max(due))
    }

    /// Hands the job over to a run that a message triggers.
    pub fn hand_over(&mut self, now: Timestamp) {
        self.handed_over_until = Some(after(now, HANDED_OVER));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Digest256;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn deletion() -> Deletion {
        let user = UserId::floor(at(1));
        Deletion {
            id: JobId::floor(at(1_000)),
            scope: DeletionScope::Account,
            user,
            requester_home: None,
            session: None,
            workspace: user.cast(),
            region: Region::Eu,
            handle: Some(Handle::parse("ada-lovelace").unwrap()),
            address: Some(EmailHash(Digest256::of("ada@people.example"))),
            addresses: Vec::new(),
            receipt_to: Some(EmailAddress::parse("ada@people.example").unwrap()),
            status: Status::Queued,
            created_at: at(1_000),
            ended_at: None,
            looks_again: false,
            steps_done: StepsDone::default(),
            handed_over_until: None,
            counted: None,
            referral_kept_until: None,
            counts: BTreeMap::new(),
            version: 1,
        }
    }

    /// Runs a step with ten items in batches of three, interrupted where `dies` says so. Only saved state survives.
    fn remove_all(dies: impl Fn(usize) -> bool) -> u64 {
        let mut things: std::collections::BTreeSet<String> = (10..20).map(|n| n.to_string()).collect();
        let mut saved = deletion();
        let mut moment = 0;
        let mut dies = || {
            moment += 1;
            dies(moment)
        };
        while !things.is_empty() {
            let names: Vec<String> = things.iter().take(3).cloned().collect();
            let mut next = saved.next();
            if next.count("things", &names) {
                if dies() {
                    continue;
                }
                saved = next;
            }
            for name in names {
                if dies() {
                    break;
                }
                things.remove(&name);
            }
        }
        saved.counts["things"]
    }

    #[test]
    fn interrupted_job_counts_each_item_once() {
        assert_eq!(remove_all(|_| false), 10);
        for first in 1..=14 {
            for second in first..=20 {
                assert_eq!(remove_all(|moment| moment == first || moment == second), 10, "{first}, {second}");
            }
        }
    }

    #[test]
    fn late_item_is_counted_in_second_pass() {
        let mut deletion = deletion();
        assert!(deletion.count("files", &["b".to_owned()]));
        assert!(!deletion.count("files", &["a".to_owned(), "b".to_owned()]));
        deletion.look_again();
        assert!(deletion.count("files", &["a".to_owned()]));
        assert_eq!(deletion.counts["files"], 2);
    }

    #[test]
    fn second_pass_starts_after_last_possible_arrival() {
        let mut deletion = deletion();
        assert!(!deletion.waits(at(1_000)) && deletion.due_at() == at(1_000));
        for _ in STEPS {
            deletion.step_is_done();
        }
        let again = 1_000 + 70 * 60;
        assert!(
            deletion.waits(at(again - 1)) && !deletion.waits(at(again)) && deletion.due_at() == at(again)
        );
        deletion.look_again();
        assert!(!deletion.waits(at(1_000)) && deletion.step() == Some(STEPS[0]));
    }

    #[test]
    fn stored_job_without_session_parses() {
        let stored = serde_json::to_value(deletion()).unwrap();
        assert!(stored.get("session").is_none());
        assert_eq!(serde_json::from_value::<Deletion>(stored).unwrap().session, None);
    }

    #[test]
    fn stored_job_with_address_and_without_home_is_of_this_region() {
        let stored = serde_json::to_value(deletion()).unwrap();
        assert_eq!(stored["receipt_to"], "ada@people.example");
        assert!(stored.get("requester_home").is_none());
        let read: Deletion = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!((read.receipt_to, read.requester_home), (deletion().receipt_to, None));
        let mut broken = stored;
        broken["receipt_to"] = "nobody".into();
        assert!(serde_json::from_value::<Deletion>(broken).is_err());
    }

    #[test]
    fn job_of_requester_from_another_region_holds_no_address() {
        let asked = Deletion { requester_home: Some(Region::Ap), receipt_to: None, ..deletion() };
        let stored = serde_json::to_value(&asked).unwrap();
        assert_eq!(stored["requester_home"], "ap");
        assert!(stored.get("receipt_to").is_none());
        let read: Deletion = serde_json::from_value(stored).unwrap();
        assert_eq!((read.receipt_to, read.requester_home), (None, Some(Region::Ap)));
    }

    #[test]
    fn job_frees_each_address_that_it_learns_of_once() {
        let hash = |name: &str| EmailHash(Digest256::of(name));
        let mut deletion = deletion();
        assert!(!deletion.learn_addresses([hash("ada@people.example")]));
        assert!(deletion.learn_addresses(["ada@people.example", "b", "c"].map(hash)));
        assert!(!deletion.learn_addresses(["c", "b"].map(hash)));
        assert_eq!(deletion.names().len(), 4);
        let mut old = serde_json::to_value(&deletion).unwrap();
        old.as_object_mut().unwrap().remove("addresses");
        assert_eq!(serde_json::from_value::<Deletion>(old).unwrap().names().len(), 2);
    }

    #[test]
    fn receipt_has_counts_but_no_identity() {
        let mut deletion = deletion();
        deletion.count("files", &["a".to_owned(), "b".to_owned()]);
        let receipt = serde_json::to_value(Receipt::of(&deletion, at(9_000))).unwrap();
        assert_eq!(receipt["jti"], deletion.id.to_string());
        assert_eq!(receipt["scope"], "account");
        assert_eq!(receipt["erased"], serde_json::json!({ "files": 2 }));
        assert_eq!(receipt["kept"][0]["until"], "1970-01-31T00:16:40Z");
        let text = receipt.to_string();
        let address = deletion.address.unwrap().to_string();
        for whose in ["ada", &deletion.user.bare(), &address] {
            assert!(!text.contains(whose), "{whose}");
        }
        deletion.handle = None;
        let kept = |deletion: &Deletion| Receipt::of(deletion, at(9_000)).kept.len();
        assert_eq!(kept(&deletion) + 1, receipt["kept"].as_array().unwrap().len());
        let without = kept(&deletion);
        deletion.count("transactions", &["c".to_owned()]);
        assert_eq!(kept(&deletion), without + 1);
        deletion.referral_kept_until = Some(at(9_000));
        assert_eq!(kept(&deletion), without + 2);
    }

    #[test]
    fn receipt_says_whether_there_were_payments() {
        let mut deletion = deletion();
        let invoices = |deletion: &Deletion| {
            let kept = Receipt::of(deletion, at(9_000)).kept;
            kept.iter().filter(|kept| kept.what.contains("nvoices")).map(|kept| kept.what).collect::<Vec<_>>()
        };
        assert_eq!(invoices(&deletion), ["No invoices"]);
        let step = Step::Records(Part::Payments);
        deletion.count(step.counts().unwrap(), &["a".to_owned()]);
        assert_eq!(invoices(&deletion), ["Payments and invoices at Stripe, if there are any"]);
    }

    #[test]
    fn handed_over_job_is_due_after_waiting_jobs() {
        let mut job = deletion();
        assert_eq!(job.due_at(), at(1_000));
        job.hand_over(at(2_000));
        assert_eq!(job.due_at(), at(2_600));
        // A hand-over of the first pass does not delay the second pass.
        job.hand_over(at(9_000));
        STEPS.iter().for_each(|_| job.step_is_done());
        assert_eq!(job.due_at(), job.looks_again_at());
    }

    #[test]
    fn job_of_older_version_resumes_at_its_step() {
        let stored = |done: usize, looks_again: bool| {
            let mut stored = serde_json::to_value(deletion()).unwrap();
            let fields = stored.as_object_mut().unwrap();
            fields.remove("steps_done").unwrap();
            fields.remove("handed_over_until").unwrap();
            fields.insert("done".to_owned(), done.into());
            fields.insert("looks_again".to_owned(), looks_again.into());
            serde_json::from_value::<Deletion>(stored).unwrap()
        };
        assert_eq!(stored(0, false).step(), Some(Step::Records(Part::ApiKeys)));
        assert_eq!(stored(13, false).step(), Some(Step::Records(Part::Uploads)));
        // Steps that are younger than those jobs.
        let mut last = stored(24, true);
        for newer in [Part::Payments, Part::Wallet, Part::Postings, Part::Invitations, Part::Follows] {
            assert_eq!(last.step(), Some(Step::Records(newer)));
            last.step_is_done();
        }
        assert_eq!(last.step(), Some(Step::Names));
        assert!(stored(25, false).has_looked_once());
        let mut job = stored(13, false);
        let before = job.progress();
        job.step_is_done();
        let saved: Deletion = serde_json::from_value(serde_json::to_value(&job).unwrap()).unwrap();
        assert_eq!(saved.step(), Some(Step::Records(Part::Usage)));
        assert!(saved.progress() >= before && before == 21);
    }
}
