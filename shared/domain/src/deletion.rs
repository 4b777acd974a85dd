//! Deletions: of an account, or of a team. What lets people in is gone with the request; everything else goes in a job that
//! may be killed anywhere and goes on.
//!
//! A request that was let in just before may still write, and a file may still be sent with a request that was signed
//! before. So the job looks twice: at once, and again when all that could still arrive has arrived.

mod receipt;
mod under_way;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use receipt::{Kept, Receipt};
pub use under_way::UnderWay;

use crate::{
    directory::{self, Holder, Name},
    email::EmailAddress,
    handle::Handle,
    id::{JobId, UserId, WorkspaceId},
    job::Status,
    region::Region,
    time::after,
    upload,
    user::EmailHash,
};

/// What has to be typed.
pub const CONFIRMATION: &str = "DELETE";
/// For how long nobody gets a handle that was freed.
pub const RESERVED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A person's account with the personal workspace.
    Account,
    /// A team.
    Team,
}

/// Records that belong to a workspace or a person, removed in this order: what leads to others goes after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// API keys, each with what it is found by.
    ApiKeys,
    /// Sessions.
    Sessions,
    /// Datasets, each with the records of its files.
    Datasets,
    /// Models, the same.
    Models,
    /// What is in the trash, the same.
    Trash,
    /// What is being removed, the same.
    Purges,
    /// Projects.
    Projects,
    /// Which models are in which project.
    Groups,
    /// Slugs.
    Slugs,
    /// Datasets and models by size.
    Sizes,
    /// The trash by time.
    TrashList,
    /// Uploads.
    Uploads,
    /// What the workspace uses.
    Usage,
    /// The history.
    Events,
    /// What was said of it.
    Marks,
    /// Who belongs to the workspace.
    Members,
    /// What the person belongs to, on both sides.
    Memberships,
    /// Messages about it that wait, or waited, to be published.
    Messages,
    /// Which mailed token set the password last.
    Resets,
    /// The person, the password and the address, should a late request have written one anew.
    Person,
    /// The workspace and its handle, the same.
    Workspace,
    /// Exports, whose bundles are gone by then.
    Exports,
}

/// A step of the job. Each may be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Exports in the making are given up, and bundles removed.
    Bundles,
    /// The files in the store.
    Files,
    /// Records.
    Records(Part),
    /// The names in the directory: last, when nothing is left that they lead to.
    Names,
}

/// All steps, in their order. The first ones let nobody in any more: the request takes them before it answers.
pub const STEPS: [Step; 25] = [
    Step::Records(Part::ApiKeys),
    Step::Records(Part::Sessions),
    Step::Bundles,
    Step::Files,
    Step::Records(Part::Datasets),
    Step::Records(Part::Models),
    Step::Records(Part::Trash),
    Step::Records(Part::Purges),
    Step::Records(Part::Projects),
    Step::Records(Part::Groups),
    Step::Records(Part::Slugs),
    Step::Records(Part::Sizes),
    Step::Records(Part::TrashList),
    Step::Records(Part::Uploads),
    Step::Records(Part::Usage),
    Step::Records(Part::Events),
    Step::Records(Part::Marks),
    Step::Records(Part::Members),
    Step::Records(Part::Memberships),
    Step::Records(Part::Messages),
    Step::Records(Part::Resets),
    Step::Records(Part::Person),
    Step::Records(Part::Workspace),
    Step::Records(Part::Exports),
    Step::Names,
];

impl Step {
    /// Whether it is taken when a team is deleted: the person stays.
    pub fn is_of(self, scope: Scope) -> bool {
        let personal = matches!(
            self,
            Self::Bundles
                | Self::Records(
                    Part::Sessions | Part::Memberships | Part::Resets | Part::Person | Part::Exports
                )
        );
        scope == Scope::Account || !personal
    }

    /// Whether it lets nobody in any more.
    pub const fn shuts_out(self) -> bool {
        matches!(self, Self::Records(Part::ApiKeys | Part::Sessions))
    }

    /// What the receipt counts here, if it counts anything.
    pub const fn counts(self) -> Option<&'static str> {
        match self {
            Self::Bundles => Some("export bundles"),
            Self::Files => Some("files"),
            Self::Records(Part::ApiKeys) => Some("API keys"),
            Self::Records(Part::Sessions) => Some("sessions"),
            Self::Records(Part::Datasets) => Some("datasets"),
            Self::Records(Part::Models) => Some("models"),
            Self::Records(Part::Trash) => Some("things in the trash"),
            Self::Records(Part::Projects) => Some("projects"),
            Self::Records(Part::Events) => Some("lines of history"),
            Self::Records(Part::Memberships) => Some("memberships"),
            Self::Records(_) | Self::Names => None,
        }
    }
}

/// The deletion of an account or a team.
#[derive(Clone, Serialize, Deserialize)]
pub struct Deletion {
    /// The job's id.
    pub id: JobId,
    /// What is deleted.
    pub scope: Scope,
    /// Who asked for it: of an account, its person.
    pub user: UserId,
    /// The workspace: of an account, the personal one, whether or not it came to be.
    pub workspace: WorkspaceId,
    /// The home.
    pub region: Region,
    /// The workspace's public name, which is freed.
    #[serde(default, deserialize_with = "existing")]
    pub handle: Option<Handle>,
    /// What stands for the person's address, which is freed.
    pub address: Option<EmailHash>,
    /// Where the receipt goes.
    pub receipt_to: EmailAddress,
    /// How far it is.
    pub status: Status,
    /// When it was asked for; what lets people in was gone then.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub created_at: Timestamp,
    /// When nothing was left.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    pub ended_at: Option<Timestamp>,
    /// Whether it is looking for the second time.
    #[serde(default)]
    pub looks_again: bool,
    /// How many of the [`STEPS`] are done, this time.
    #[serde(default)]
    pub done: usize,
    /// The last thing that was counted in the step that is next, so that none is counted twice.
    #[serde(default)]
    pub counted: Option<String>,
    /// How many of what were removed.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

fn existing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Handle>, D::Error> {
    let handle = Option::<String>::deserialize(from)?;
    handle.map(|handle| Handle::parse_existing(&handle).map_err(serde::de::Error::custom)).transpose()
}

impl Deletion {
    /// The same with its next version, to be changed.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// When all that was let in before has arrived, or never will: requests, and files sent with requests that were signed.
    pub fn looks_again_at(&self) -> Timestamp {
        after(after(self.created_at, upload::SENT_WITHIN), directory::PENDING)
    }

    /// Until when nobody gets the handle.
    pub fn reserved_until(&self) -> Timestamp {
        after(self.created_at, RESERVED)
    }

    /// The names in the directory that are freed, and whose they are.
    pub fn names(&self) -> Vec<(Name, Holder)> {
        let holder = |id| Holder { region: self.region, id, confirmed: true };
        let handle =
            self.handle.clone().map(|handle| (Name::Handle(handle), holder(self.workspace.to_string())));
        let address = self.address.map(|address| (Name::Address(address), holder(self.user.to_string())));
        handle.into_iter().chain(address).collect()
    }

    /// Whether it has looked once, and it is too early to look again.
    pub fn waits(&self, now: Timestamp) -> bool {
        self.has_looked_once() && now < self.looks_again_at()
    }

    /// Whether the first look is over and the second has not begun.
    pub fn has_looked_once(&self) -> bool {
        !self.looks_again && self.step().is_none()
    }

    /// Begins the second look.
    pub fn look_again(&mut self) {
        self.looks_again = true;
        self.done = 0;
        self.counted = None;
    }

    /// Nothing is left of the step that is next.
    pub fn step_is_done(&mut self) {
        self.done = self.done.saturating_add(1);
        self.counted = None;
    }

    /// Counts those of a step's names that were not counted before; whether there were any. Saved before they are erased, it
    /// forgets none; and whoever comes after a save counts none again.
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

    /// The step that is next; none if this look is over.
    pub fn step(&self) -> Option<Step> {
        STEPS.get(self.done).copied()
    }

    /// Percent of it that is done.
    pub fn progress(&self) -> u8 {
        let whole = STEPS.len().saturating_mul(2).saturating_add(1);
        let done = self.done.saturating_add(if self.looks_again { STEPS.len() } else { 0 });
        match self.status {
            Status::Completed => 100,
            _ => u8::try_from(done.saturating_mul(100) / whole).unwrap_or(100),
        }
    }

    /// When somebody has to look after it, if no message brings anybody.
    pub fn due_at(&self) -> Timestamp {
        if self.has_looked_once() { self.looks_again_at() } else { self.created_at }
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
            scope: Scope::Account,
            user,
            workspace: user.cast(),
            region: Region::Eu,
            handle: Some(Handle::parse("ada-lovelace").unwrap()),
            address: Some(EmailHash(Digest256::of("ada@people.example"))),
            receipt_to: EmailAddress::parse("ada@people.example").unwrap(),
            status: Status::Queued,
            created_at: at(1_000),
            ended_at: None,
            looks_again: false,
            done: 0,
            counted: None,
            counts: BTreeMap::new(),
            version: 1,
        }
    }

    /// Takes a step with ten things, three at a time, and dies wherever `dies` says so; what was saved is what is left.
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
    fn whenever_it_dies_everything_is_counted_once() {
        assert_eq!(remove_all(|_| false), 10);
        for first in 1..=14 {
            for second in first..=20 {
                assert_eq!(remove_all(|moment| moment == first || moment == second), 10, "{first}, {second}");
            }
        }
    }

    #[test]
    fn what_comes_late_is_counted_in_the_second_look() {
        let mut deletion = deletion();
        assert!(deletion.count("files", &["b".to_owned()]));
        assert!(!deletion.count("files", &["a".to_owned(), "b".to_owned()]));
        deletion.look_again();
        assert!(deletion.count("files", &["a".to_owned()]));
        assert_eq!(deletion.counts["files"], 2);
    }

    #[test]
    fn it_looks_again_when_nothing_can_arrive_any_more() {
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
    fn a_receipt_says_how_many_and_not_whose() {
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
        assert_eq!(
            Receipt::of(&deletion, at(9_000)).kept.len() + 1,
            receipt["kept"].as_array().unwrap().len()
        );
    }

    #[test]
    fn names_go_last_and_nothing_goes_twice() {
        assert_eq!(STEPS.last(), Some(&Step::Names));
        for (n, step) in STEPS.iter().enumerate() {
            assert!(!STEPS[..n].contains(step), "{step:?}");
        }
    }

    #[test]
    fn nobody_gets_in_before_anything_else_is_done() {
        assert!(STEPS.is_sorted_by_key(|step| !step.shuts_out()) && STEPS[0].shuts_out());
    }

    #[test]
    fn a_team_goes_without_its_owner() {
        assert!(!Step::Records(Part::Person).is_of(Scope::Team));
        assert!(Step::Records(Part::Workspace).is_of(Scope::Team));
        assert!(STEPS.iter().all(|step| step.is_of(Scope::Account)));
    }
}
