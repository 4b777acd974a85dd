//! The steps of a deletion, and the set of completed steps.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Deserializer, Serialize};

/// The name of the count of customers, payments and subscriptions in a receipt.
pub(super) const PAYMENT_RECORDS: &str = "payment records";

/// The scope of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeletionScope {
    /// A person's account with the personal workspace.
    Account,
    /// A team.
    Team,
}

/// Records of a workspace or a user, deleted in this order: records that lead to others are deleted last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// API keys, with their lookup items.
    ApiKeys,
    /// Sessions.
    Sessions,
    /// Datasets, with the records of their files.
    Datasets,
    /// Models, with the records of their files.
    Models,
    /// Items in the trash, with their files and expiry notes.
    Trash,
    /// Items that are being removed, with their files and notes.
    Purges,
    /// Projects.
    Projects,
    /// The index of models by project.
    Groups,
    /// Slugs.
    Slugs,
    /// The index of datasets and models by size.
    Sizes,
    /// The index of the trash by time.
    TrashList,
    /// Uploads, with their expiry notes.
    Uploads,
    /// The usage counters.
    Usage,
    /// Payments, and the customer at Stripe, who is already deleted.
    Payments,
    /// Postings of the wallet, whose amounts are kept.
    Postings,
    /// The wallet, and what it remembers of causes.
    Wallet,
    /// Activity events.
    Events,
    /// Marks of activity events.
    Marks,
    /// Memberships of the workspace.
    Members,
    /// Pending invitations to the workspace.
    Invitations,
    /// Memberships of the user, on both sides.
    Memberships,
    /// The accounts that the user follows, each with the number that it counts in.
    Follows,
    /// Messages in the outbox.
    Messages,
    /// The record of the last used reset token.
    Resets,
    /// The user, the password and the email address, in case a late request wrote them again.
    Person,
    /// The workspace and its handle, in case a late request wrote them again.
    Workspace,
    /// Export jobs, whose bundles are already deleted.
    Exports,
}

/// A step of the job. Idempotent. Stored by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Aborts incomplete exports and deletes bundles.
    Bundles,
    /// Deletes the files and the picture in the store.
    Files,
    /// Frees the names in the directory: last, when nothing remains that the names lead to.
    Names,
    /// Deletes records.
    #[serde(untagged)]
    Records(Part),
}

/// All steps in order. The first ones revoke access, and the request performs these before it responds.
pub const STEPS: [Step; 30] = [
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
    Step::Records(Part::Payments),
    Step::Records(Part::Wallet),
    Step::Records(Part::Postings),
    Step::Records(Part::Events),
    Step::Records(Part::Marks),
    Step::Records(Part::Members),
    Step::Records(Part::Invitations),
    Step::Records(Part::Memberships),
    Step::Records(Part::Follows),
    Step::Records(Part::Messages),
    Step::Records(Part::Resets),
    Step::Records(Part::Person),
    Step::Records(Part::Workspace),
    Step::Records(Part::Exports),
    Step::Names,
];

/// Names of the steps in the order of older versions, which stored the number of completed steps. Never changes.
const COUNTED_STEPS: [&str; 25] = [
    "api-keys",
    "sessions",
    "bundles",
    "files",
    "datasets",
    "models",
    "trash",
    "purges",
    "projects",
    "groups",
    "slugs",
    "sizes",
    "trash-list",
    "uploads",
    "usage",
    "events",
    "marks",
    "members",
    "memberships",
    "messages",
    "resets",
    "person",
    "workspace",
    "exports",
    "names",
];

impl Display for Part {
    /// Its stored name.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Display for Step {
    /// Its stored name.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Step {
    /// Whether the step applies to teams, whose owner stays.
    pub fn is_of(self, scope: DeletionScope) -> bool {
        let personal = matches!(
            self,
            Self::Bundles
                | Self::Records(
                    Part::Sessions
                        | Part::Memberships
                        | Part::Follows
                        | Part::Resets
                        | Part::Person
                        | Part::Exports
                )
        );
        scope == DeletionScope::Account || !personal
    }

    /// Whether the step revokes access.
    pub const fn shuts_out(self) -> bool {
        matches!(self, Self::Records(Part::ApiKeys | Part::Sessions))
    }

    /// The name of the step's count in the receipt, if any.
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
            Self::Records(Part::Payments) => Some(PAYMENT_RECORDS),
            Self::Records(Part::Postings) => Some("transactions"),
            Self::Records(Part::Events) => Some("lines of history"),
            Self::Records(Part::Memberships) => Some("memberships"),
            Self::Records(_) | Self::Names => None,
        }
    }

    /// The step with this name; `None` if this version has no such step.
    fn named(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}

/// The completed steps of a pass. Steps are identified by name, so that a version with other steps or another order
/// performs each of its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepsDone {
    /// All steps: the pass is complete.
    All,
    /// These steps, in the order of completion.
    #[serde(untagged)]
    Some(Vec<Step>),
}

impl Default for StepsDone {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl StepsDone {
    /// The first of `steps` that is not complete.
    pub fn next_of(&self, steps: &[Step]) -> Option<Step> {
        match self {
            Self::Some(done) => steps.iter().find(|step| !done.contains(step)).copied(),
            Self::All => None,
        }
    }

    /// Marks the next of `steps` as complete.
    pub fn advance(&mut self, steps: &[Step]) {
        if let (Some(step), Self::Some(done)) = (self.next_of(steps), &mut *self) {
            done.push(step);
        }
        if self.next_of(steps).is_none() {
            *self = Self::All;
        }
    }

    /// The number of `steps` that are complete.
    pub fn count_of(&self, steps: &[Step]) -> usize {
        match self {
            Self::Some(done) => steps.iter().filter(|step| done.contains(step)).count(),
            Self::All => steps.len(),
        }
    }
}

impl<'de> Deserialize<'de> for StepsDone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum All {
            All,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            /// The number of completed [`COUNTED_STEPS`], stored by an older version.
            Count(usize),
            Names(Vec<String>),
            All(All),
        }
        fn known<'a>(names: impl IntoIterator<Item = &'a str>) -> StepsDone {
            StepsDone::Some(names.into_iter().filter_map(Step::named).collect())
        }
        Ok(match Stored::deserialize(from)? {
            Stored::Count(count) if count >= COUNTED_STEPS.len() => Self::All,
            Stored::Count(count) => known(COUNTED_STEPS.into_iter().take(count)),
            Stored::Names(names) => known(names.iter().map(String::as_str)),
            Stored::All(All::All) => Self::All,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(stored: serde_json::Value) -> StepsDone {
        serde_json::from_value(stored).unwrap()
    }

    #[test]
    fn completed_steps_are_stored_by_name() {
        let mut done = StepsDone::default();
        assert_eq!(serde_json::to_value(&done).unwrap(), json!([]));
        for (n, step) in STEPS.into_iter().enumerate() {
            assert_eq!((done.next_of(&STEPS), done.count_of(&STEPS)), (Some(step), n));
            done.advance(&STEPS);
            assert_eq!(read(serde_json::to_value(&done).unwrap()), done);
            if n == 3 {
                let names = json!(["api-keys", "sessions", "bundles", "files"]);
                assert_eq!(serde_json::to_value(&done).unwrap(), names);
            }
        }
        assert_eq!((serde_json::to_value(&done).unwrap(), done), (json!("all"), StepsDone::All));
    }

    #[test]
    fn step_names_are_unique_and_parse_back() {
        let names: Vec<serde_json::Value> = STEPS.iter().map(|step| json!(step)).collect();
        for (n, name) in names.iter().enumerate() {
            assert_eq!(Step::named(name.as_str().unwrap()), Some(STEPS[n]));
            assert!(!names[..n].contains(name), "{name}");
        }
        assert_eq!(Step::named("records"), None);
    }

    #[test]
    fn count_of_older_version_resumes_at_its_step() {
        let is_old = |step: &Step| COUNTED_STEPS.contains(&step.to_string().as_str());
        let old: Vec<Step> = STEPS.into_iter().filter(is_old).collect();
        for (count, name) in COUNTED_STEPS.into_iter().enumerate() {
            assert_eq!(read(json!(count)).next_of(&old), Step::named(name), "{name}");
        }
        for all in [25, 26] {
            assert_eq!(read(json!(all)), StepsDone::All);
        }
    }

    #[test]
    fn job_of_older_version_runs_newer_steps() {
        let mut done = read(json!(24));
        for newer in [Part::Payments, Part::Wallet, Part::Postings, Part::Invitations, Part::Follows] {
            assert_eq!(done.next_of(&STEPS), Some(Step::Records(newer)));
            done.advance(&STEPS);
        }
        assert_eq!(done.next_of(&STEPS), Some(Step::Names));
    }

    #[test]
    fn inserted_step_runs_at_any_progress() {
        // A version without the step `uploads`, and the next version, which has it.
        let inserted = Step::Records(Part::Uploads);
        let before: Vec<Step> = STEPS.into_iter().filter(|step| *step != inserted).collect();
        for taken in 0..before.len() {
            let mut done = StepsDone::default();
            (0..taken).for_each(|_| done.advance(&before));
            let mut done = read(serde_json::to_value(&done).unwrap());
            let mut rest = Vec::new();
            while let Some(step) = done.next_of(&STEPS) {
                rest.push(step);
                done.advance(&STEPS);
            }
            assert!(rest.contains(&inserted), "after {taken} steps");
            let again = rest.iter().filter(|step| before[..taken].contains(step));
            assert_eq!((again.count(), rest.len()), (0, STEPS.len() - taken), "after {taken} steps");
        }
    }

    #[test]
    fn finished_pass_stays_finished_after_step_is_inserted() {
        // The second pass performs the new step.
        let before = &STEPS[..20];
        let mut done = StepsDone::default();
        before.iter().for_each(|_| done.advance(before));
        assert_eq!(read(serde_json::to_value(&done).unwrap()).next_of(&STEPS), None);
    }

    #[test]
    fn unknown_step_of_newer_version_is_skipped() {
        let done = read(json!(["api-keys", "invoices", "sessions"]));
        assert_eq!((done.count_of(&STEPS), done.next_of(&STEPS)), (2, Some(Step::Bundles)));
    }

    #[test]
    fn names_are_deleted_last_and_no_step_repeats() {
        assert_eq!(STEPS.last(), Some(&Step::Names));
        for (n, step) in STEPS.iter().enumerate() {
            assert!(!STEPS[..n].contains(step), "{step:?}");
        }
    }

    #[test]
    fn access_is_revoked_before_other_steps() {
        assert!(STEPS.is_sorted_by_key(|step| !step.shuts_out()) && STEPS[0].shuts_out());
    }

    #[test]
    fn team_deletion_keeps_owner() {
        assert!(!Step::Records(Part::Person).is_of(DeletionScope::Team));
        assert!(Step::Records(Part::Workspace).is_of(DeletionScope::Team));
        assert!(STEPS.iter().all(|step| step.is_of(DeletionScope::Account)));
    }
}
