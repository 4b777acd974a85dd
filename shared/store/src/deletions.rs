//! Deletion.  Table `operations`: PK `JOBS#<user>`  SK `DELETION#<job>`, of a team gone a week after its end, and
//! `RUNNING#delete#<workspace>` (uniqueness: the one that is under way); PK `DELETIONSDUE`  SK
//! `<13 digits of milliseconds>#<user>#<job>`.
//! Reads: one (get), the one under way (get), those that are due (query, the longest due first), what is left of an account or
//! a team (query, page by page), all strongly consistent.
//! Writes: what lets people in goes in one transaction; everything else is deleted in batches, each of which may be repeated,
//! and what leads to other records goes after them.

use async_trait::async_trait;
use domain::{
    Timestamp,
    api_key::ApiKey,
    deletion::{Deletion, Part, Scope},
    export::Export,
    id::{JobId, UserId, WorkspaceId},
    policy::DeletesForGood,
    ports::{Alongside, Closed, Closing, Deletions, Exports, Failure, Outcome, Page, Purges, Saved},
    resource::{Kind, ResourceId},
    workspace::Workspace,
};
use jiff::SignedDuration;
use tables::Items;

use crate::{
    Store, accounts, api_keys,
    item::{Key, from_item, text, to_expiring_item, to_item},
    jobs::{Job, due_key},
    lists::sort_key,
    resources::is_good_for,
    transaction::{Condition, Transaction},
    workspaces,
};

/// How long it is known that a team was deleted.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many records of files are deleted at a time,
const FILES: usize = 100;
/// and how many deletions are looked at.
const MOST_DELETIONS: usize = 1_000;

fn key_of(user: UserId, id: JobId) -> Key {
    Key::new(Items::Jobs, user, format!("DELETION#{id}"))
}

fn running_key(user: UserId, workspace: WorkspaceId) -> Key {
    Key::new(Items::Jobs, user, format!("RUNNING#delete#{workspace}"))
}

fn job_of(deletion: &Deletion) -> Outcome<Job> {
    let key = key_of(deletion.user, deletion.id);
    Ok(Job {
        id: deletion.id,
        version: deletion.version,
        record: (key.clone(), to_item(&key, deletion)?),
        running: running_key(deletion.user, deletion.workspace),
        due: due_key(Items::DeletionsDue, deletion.due_at(), deletion.user, deletion.id),
    })
}

/// The partitions that hold a part's records.
fn partitions(deletion: &Deletion, part: Part) -> Vec<(Items, String)> {
    let (user, workspace) = (deletion.user.to_string(), deletion.workspace.to_string());
    vec![match part {
        Part::ApiKeys => (Items::Keys, workspace),
        Part::Sessions => (Items::Sessions, user),
        Part::Datasets => (Items::Datasets, workspace),
        Part::Models => (Items::Models, workspace),
        Part::Trash => (Items::Trash, workspace),
        Part::Purges => (Items::Purges, workspace),
        Part::Projects => (Items::Projects, workspace),
        Part::Groups => (Items::Groups, workspace),
        Part::Slugs => (Items::Slugs, workspace),
        Part::Sizes => (Items::Sizes, workspace),
        Part::TrashList => (Items::TrashList, workspace),
        Part::Uploads => (Items::Uploads, workspace),
        Part::Usage => (Items::Usage, workspace),
        Part::Events => (Items::Events, workspace),
        Part::Marks => (Items::Marks, workspace),
        Part::Members => (Items::Members, workspace),
        Part::Memberships => (Items::Memberships, user),
        Part::Messages => return messages(deletion),
        Part::Resets => (Items::LastResets, user),
        Part::Person => return vec![(Items::Passwords, user.clone()), (Items::Users, user)],
        Part::Workspace => (Items::Workspaces, workspace),
        Part::Exports => (Items::Jobs, user),
    }]
}

/// Messages lie by what they are about; see [`domain::outbox::Notice::subject`].
fn messages(deletion: &Deletion) -> Vec<(Items, String)> {
    let mut subjects = vec![deletion.workspace.to_string()];
    if deletion.scope == Scope::Account {
        subjects.push(deletion.user.to_string());
        if let Some(address) = deletion.address {
            subjects.extend([format!("password-reset/{address}"), format!("sign-up/{address}")]);
        }
    }
    subjects.into_iter().map(|subject| (Items::Outbox, subject)).collect()
}

/// The sort keys of a part's records: all of their partitions', but for those that hold other things too.
fn range_of(part: Part) -> (String, String) {
    let (from, to) = if part == Part::Exports { ("EXPORT#", "EXPORT$") } else { ("!", "~") };
    (from.to_owned(), to.to_owned())
}

/// A record's name: which of the part's partitions it is in, and its sort key.
fn name(partition: usize, sort_key: &str) -> String {
    format!("{partition}/{sort_key}")
}

/// Where the records with these names are.
fn keys_of(deletion: &Deletion, part: Part, names: &[String]) -> Outcome<Vec<Key>> {
    let partitions = partitions(deletion, part);
    let key = |name: &String| {
        let (partition, sort_key) = name.split_once('/')?;
        let (kind, subject) = partitions.get(partition.parse::<usize>().ok()?)?;
        Some(Key::new(*kind, subject, sort_key))
    };
    let keys: Option<Vec<Key>> = names.iter().map(key).collect();
    keys.ok_or_else(|| Failure::Broken(format!("a name of {part:?} that is none")))
}

/// The ids that sort keys end with.
fn ids<T: std::str::FromStr>(keys: &[Key], prefix: &str) -> Outcome<Vec<T>> {
    let ids: Option<Vec<T>> = keys.iter().map(|key| key.sk.strip_prefix(prefix)?.parse().ok()).collect();
    ids.ok_or_else(|| Failure::Broken("a record's key that holds no id".to_owned()))
}

#[async_trait]
impl Deletions for Store {
    async fn close(
        &self,
        proof: &DeletesForGood,
        closing: &Closing<'_>,
        alongside: Alongside,
    ) -> Outcome<Closed> {
        let deletion = closing.deletion;
        is_good_for(proof.workspace(), deletion.workspace)?;
        let mut transaction = self.transaction().begin(job_of(deletion)?)?;
        if deletion.scope == Scope::Account {
            transaction = transaction.close_person(closing)?;
        }
        let transaction = transaction.close_workspace(deletion, closing.workspace).alongside(alongside)?;
        Ok(match transaction.commit().await? {
            None => Closed::Yes,
            Some("running") => {
                let running = running_key(deletion.user, deletion.workspace);
                self.under_way(running).await?.map_or(Closed::Stale, Closed::Running)
            }
            Some(_) => Closed::Stale,
        })
    }

    async fn find(&self, user: UserId, id: JobId) -> Outcome<Option<Deletion>> {
        self.get(key_of(user, id)).await?.map(from_item).transpose()
    }

    async fn running(&self, user: UserId, workspace: WorkspaceId) -> Outcome<Option<JobId>> {
        self.under_way(running_key(user, workspace)).await
    }

    async fn replace(&self, before: &Deletion, after: &Deletion, alongside: Alongside) -> Outcome<Saved> {
        let transaction = self.transaction().go_on(&job_of(before)?, job_of(after)?);
        Ok(transaction.alongside(alongside)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn forget(&self, deletion: &Deletion) -> Outcome<()> {
        match deletion.scope {
            Scope::Account => self.forget_account(deletion).await,
            Scope::Team => self.forget_team(deletion).await,
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>> {
        self.jobs_due(Items::DeletionsDue, now, limit).await
    }

    async fn left(&self, deletion: &Deletion, part: Part, limit: usize) -> Outcome<Page<String>> {
        let mut left = Page { items: Vec::new(), more: false };
        for (n, (kind, subject)) in partitions(deletion, part).into_iter().enumerate() {
            // With no room left, it is still asked whether there are more.
            let room = limit.saturating_sub(left.items.len());
            let page = self.range_up(kind, subject, range_of(part), room).await?;
            left.items.extend(page.items.iter().filter_map(sort_key).map(|key| name(n, key)));
            left.more |= page.more;
            if left.more {
                break;
            }
        }
        Ok(left)
    }

    async fn erase(&self, deletion: &Deletion, part: Part, names: &[String]) -> Outcome<()> {
        let keys = keys_of(deletion, part, names)?;
        match part {
            Part::Exports => return self.erase_exports(&keys).await,
            Part::ApiKeys => self.erase_holders(&keys).await?,
            Part::Datasets | Part::Models | Part::Trash | Part::Purges => self.erase_files(&keys).await?,
            Part::Members => {
                let members = ids(&keys, "MEMBER#")?.into_iter();
                let others = members.map(|user| workspaces::membership_key(user, deletion.workspace));
                self.delete_all(&others.collect::<Vec<_>>()).await?;
            }
            Part::Memberships => {
                let teams = ids(&keys, "")?.into_iter();
                let others = teams.map(|team| workspaces::member_key(team, deletion.user));
                self.delete_all(&others.collect::<Vec<_>>()).await?;
            }
            Part::Person => self.free_address(deletion).await?,
            Part::Workspace => self.free_handles(&keys).await?,
            // Nothing is found by way of these only.
            Part::Sessions
            | Part::Projects
            | Part::Groups
            | Part::Slugs
            | Part::Sizes
            | Part::TrashList
            | Part::Uploads
            | Part::Usage
            | Part::Events
            | Part::Marks
            | Part::Messages
            | Part::Resets => {}
        }
        self.delete_all(&keys).await
    }
}

impl Transaction<'_> {
    /// The person goes, with password and address, if they are what was read: else `person` failed.
    fn close_person(self, closing: &Closing<'_>) -> Outcome<Self> {
        let user = closing.user.ok_or_else(|| Failure::Broken("an account without its person".to_owned()))?;
        let transaction = self
            .delete("person", &accounts::user_key(user.id), accounts::address_is(user))
            .delete("person", &accounts::password_key(user.id), Condition::present());
        Ok(match closing.deletion.address {
            Some(address) => {
                let own = accounts::belongs_to(user.id);
                transaction.delete("person", &accounts::address_key(address), own)
            }
            None => transaction,
        })
    }

    /// The workspace goes with its handle and its wrapped data key, if it is its owner's; or there still is none. Else
    /// `workspace` failed.
    fn close_workspace(self, deletion: &Deletion, workspace: Option<&Workspace>) -> Self {
        let key = workspaces::key_of(deletion.workspace);
        let Some(workspace) = workspace else { return self.check("workspace", &key, Condition::absent()) };
        let own = Condition::of("#owner = :owner", [(":owner", text(deletion.user))]);
        let names_this = workspaces::names_this(deletion.workspace);
        self.delete("workspace", &key, own.naming("#owner", "owner")).delete(
            "workspace",
            &workspaces::handle_key(&workspace.handle),
            names_this,
        )
    }
}

impl Store {
    /// Forgets the deletion of an account, and what is known of teams that its person deleted.
    async fn forget_account(&self, deletion: &Deletion) -> Outcome<()> {
        let range = ("DELETION#".to_owned(), "DELETION$".to_owned());
        let found = self.items_up(Items::Jobs, deletion.user, range, MOST_DELETIONS).await?.into_iter();
        let mut known = found.map(from_item).collect::<Outcome<Vec<Deletion>>>()?;
        // One that is under way is forgotten at its own end, and this one last: it leads to the others.
        known.retain(|other| other.id != deletion.id && !other.status.is_open());
        for over in known.iter().chain([deletion]) {
            let job = job_of(over)?;
            if self.transaction().forget(&job).end(&job).commit().await?.is_some() {
                return Err(Failure::Raced);
            }
        }
        Ok(())
    }

    /// Forgets the deletion of a team but for that it happened.
    async fn forget_team(&self, deletion: &Deletion) -> Outcome<()> {
        let job = job_of(deletion)?;
        let kept = Deletion { handle: None, address: None, counted: None, ..deletion.next() };
        let ended = deletion.ended_at.unwrap_or(deletion.created_at);
        let gone_at = ended.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
        let item = to_expiring_item(&job.record.0, &kept, gone_at)?;
        let unchanged = Condition::version(deletion.version);
        let transaction = self.transaction().put("job", &job.record.0, item, unchanged);
        // Refused, it was forgotten already.
        transaction.delete("due", &job.due, Condition::none()).end(&job).commit().await?;
        Ok(())
    }

    /// What API keys are found by.
    async fn erase_holders(&self, keys: &[Key]) -> Outcome<()> {
        let found = self.get_all(keys).await?.into_iter().flatten();
        let found = found.map(from_item).collect::<Outcome<Vec<ApiKey>>>()?;
        let holders: Vec<Key> = found.iter().map(|key| api_keys::hash_key(key.hash)).collect();
        self.delete_all(&holders).await
    }

    /// The records of the files of datasets and models.
    async fn erase_files(&self, keys: &[Key]) -> Outcome<()> {
        let assets = ids::<ResourceId>(keys, "")?.into_iter();
        for asset in assets.filter(|id| id.kind() != Kind::Project) {
            loop {
                let files = self.files(asset, FILES).await?;
                if files.is_empty() {
                    break;
                }
                self.forget_files(asset, &files).await?;
            }
        }
        Ok(())
    }

    /// The address, unless it belongs to another account by now.
    async fn free_address(&self, deletion: &Deletion) -> Outcome<()> {
        let Some(address) = deletion.address else { return Ok(()) };
        let own = accounts::belongs_to(deletion.user);
        self.transaction().delete("address", &accounts::address_key(address), own).commit().await?;
        Ok(())
    }

    /// The handles of workspaces, which may be others than those that were closed.
    async fn free_handles(&self, keys: &[Key]) -> Outcome<()> {
        for item in self.get_all(keys).await?.into_iter().flatten() {
            let workspace: Workspace = from_item(item)?;
            let (key, own) =
                (workspaces::handle_key(&workspace.handle), workspaces::names_this(workspace.id));
            self.transaction().delete("handle", &key, own).commit().await?;
        }
        Ok(())
    }

    async fn erase_exports(&self, keys: &[Key]) -> Outcome<()> {
        for item in self.get_all(keys).await?.into_iter().flatten() {
            let export: Export = from_item(item)?;
            Exports::forget(self, &export).await?;
        }
        Ok(())
    }
}
