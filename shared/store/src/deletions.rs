//! Deletion.  Table `operations`: PK `JOBS#<user>`  SK `DELETION#<job>`, of a team gone a week after its end, and
//! `RUNNING#delete#<workspace>` (uniqueness: the running one); PK `DELETIONSDUE`  SK
//! `<13 digits of milliseconds>#<user>#<job>`.
//! Reads: one (get), the running one (get), due ones (query, the longest due first), the remaining records of an account or a
//! team (query, page by page), all strongly consistent.
//! Writes: one transaction removes access; batches that may be repeated delete everything else, records that lead to others
//! last.

use async_trait::async_trait;
use domain::{
    Timestamp,
    api_key::ApiKey,
    deletion::{Deletion, DeletionScope, Part},
    export::Export,
    id::{JobId, SessionId, UserId, WorkspaceId},
    permissions::DeletesForGood,
    ports::{Closed, Closing, Deletions, Exports, Failure, Outcome, Page, Purges, Saved, TransactionExtras},
    provider::Connection,
    resource::{Kind, ResourceId},
    trash::Due,
    usage::Usage,
    user::{EmailHash, personal_workspace},
    user_addresses::VerifiedAddresses,
    workspace::Workspace,
};
use jiff::SignedDuration;
use serde::{Deserialize, de::DeserializeOwned};
use tables::{ItemKind, Owner};

use crate::{
    accounts, api_keys,
    client::Store,
    connections, due, erasures, identities,
    item::{Key, from_item, number, text, to_expiring_item, to_item},
    jobs::{Job, due_key},
    lists::sort_key,
    mail_blocks,
    resources::ensure_same_workspace,
    transaction::{Condition, Transaction},
    workspaces,
};

/// How long the record of a team's deletion is kept.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The number of records of files that are deleted at a time.
const FILES: usize = 100;
/// The most deletions of one user that are read.
const MOST_DELETIONS: usize = 1_000;

fn key_of(user: UserId, id: JobId) -> Key {
    Key::new(ItemKind::Jobs, user, format!("DELETION#{id}"))
}

fn running_key(user: UserId, workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Jobs, user, format!("RUNNING#delete#{workspace}"))
}

fn job_of(deletion: &Deletion) -> Outcome<Job> {
    let key = key_of(deletion.user, deletion.id);
    Ok(Job {
        id: deletion.id,
        version: deletion.version,
        record: (key.clone(), to_item(&key, deletion)?),
        running: running_key(deletion.user, deletion.workspace),
        due: due_key(ItemKind::DeletionsDue, deletion.due_at(), deletion.user, deletion.id),
    })
}

/// The session that requested a deletion.
#[derive(Deserialize)]
struct AskedBy {
    #[serde(default)]
    session: Option<SessionId>,
}

impl Store {
    /// The running deletion of a user's account that this session requested.
    pub(crate) async fn deletion_asked_by(&self, user: UserId, session: SessionId) -> Outcome<Option<JobId>> {
        let running = self.under_way(running_key(user, personal_workspace(user))).await?;
        let Some(job) = running else { return Ok(None) };
        let found: Option<AskedBy> = self.get(key_of(user, job)).await?.map(from_item).transpose()?;
        Ok(found.is_some_and(|found| found.session == Some(session)).then_some(job))
    }
}

/// The partitions that hold a part's records.
fn partitions(deletion: &Deletion, part: Part) -> Vec<(ItemKind, String)> {
    let partition = |kind: ItemKind| match kind.row().owner {
        Owner::User => Some((kind, deletion.user.to_string())),
        Owner::Workspace => Some((kind, deletion.workspace.to_string())),
        Owner::Region => None,
    };
    match part {
        Part::Messages => messages(deletion),
        _ => ItemKind::emptied_by(&part.to_string()).filter_map(partition).collect(),
    }
}

/// The partitions of messages: by subject. See [`domain::domain_events::DomainEvent::subject`].
fn messages(deletion: &Deletion) -> Vec<(ItemKind, String)> {
    let mut subjects = vec![deletion.workspace.to_string()];
    if deletion.scope == DeletionScope::Account {
        subjects.push(deletion.user.to_string());
        for address in deletion.all_addresses() {
            subjects.extend([format!("password-reset/{address}"), format!("sign-up/{address}")]);
        }
    }
    subjects.into_iter().map(|subject| (ItemKind::Outbox, subject)).collect()
}

/// The sort keys of a part's records: a whole partition, except where it has other records.
fn range_of(part: Part) -> (String, String) {
    let (from, to) = if part == Part::Exports { ("EXPORT#", "EXPORT$") } else { ("!", "~") };
    (from.to_owned(), to.to_owned())
}

/// A record's name: the number of its partition in the part, and its sort key.
fn name(partition: usize, sort_key: &str) -> String {
    format!("{partition}/{sort_key}")
}

/// The keys of the records with these names.
fn keys_of(deletion: &Deletion, part: Part, names: &[String]) -> Outcome<Vec<Key>> {
    let partitions = partitions(deletion, part);
    let key = |name: &String| {
        let (partition, sort_key) = name.split_once('/')?;
        let (kind, subject) = partitions.get(partition.parse::<usize>().ok()?)?;
        Some(Key::new(*kind, subject, sort_key))
    };
    let keys: Option<Vec<Key>> = names.iter().map(key).collect();
    keys.ok_or_else(|| Failure::Broken(format!("an invalid name of {part:?}")))
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
        extras: TransactionExtras,
    ) -> Outcome<Closed> {
        let deletion = closing.deletion;
        ensure_same_workspace(proof.workspace(), deletion.workspace)?;
        let mut transaction = self.transaction().begin(job_of(deletion)?)?;
        if deletion.scope == DeletionScope::Account {
            transaction = transaction.close_person(closing)?;
        }
        // The home of an owner from another region frees the place when it is told.
        if deletion.scope == DeletionScope::Team && deletion.requester_home.is_none() {
            transaction = transaction.disown(deletion.user, deletion.workspace);
        }
        let (key, erasure) = erasures::item(deletion)?;
        let transaction = transaction
            .close_workspace(deletion, closing.workspace)
            .put("erasure", &key, erasure, Condition::none())
            .extras(extras)?;
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

    async fn replace(
        &self,
        before: &Deletion,
        after: &Deletion,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let transaction = self.transaction().go_on(&job_of(before)?, job_of(after)?);
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn forget(&self, deletion: &Deletion) -> Outcome<()> {
        match deletion.scope {
            DeletionScope::Account => self.forget_account(deletion).await,
            DeletionScope::Team => self.forget_team(deletion).await,
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Outcome<Vec<(UserId, JobId)>> {
        self.jobs_due(ItemKind::DeletionsDue, now, limit).await
    }

    async fn left(&self, deletion: &Deletion, part: Part, limit: usize) -> Outcome<Page<String>> {
        let mut left = Page { items: Vec::new(), more: false };
        for (n, (kind, subject)) in partitions(deletion, part).into_iter().enumerate() {
            // Also asks whether more follow when the page is full.
            let room = limit.saturating_sub(left.items.len());
            let page = self.range_ascending(kind, subject, range_of(part), room).await?;
            left.items.extend(page.items.iter().filter_map(sort_key).map(|key| name(n, key)));
            left.more |= page.more;
            if left.more {
                break;
            }
        }
        Ok(left)
    }

    async fn verified_addresses(&self, user: UserId) -> Outcome<Vec<EmailHash>> {
        let found = self.get(accounts::verified_key(user)).await?.map(from_item);
        let found: Option<VerifiedAddresses> = found.transpose()?;
        Ok(found.into_iter().flat_map(|found| found.addresses).map(|address| address.hash).collect())
    }

    async fn erase(&self, deletion: &Deletion, part: Part, names: &[String]) -> Outcome<()> {
        let keys = keys_of(deletion, part, names)?;
        match part {
            Part::Exports => return self.erase_exports(&keys).await,
            Part::ApiKeys => self.erase_holders(&keys).await?,
            Part::Datasets | Part::Models => self.erase_files(&keys).await?,
            Part::Trash => {
                self.erase_files(&keys).await?;
                self.erase_due(&keys, |trashed| Some(Due::expiry(trashed))).await?;
            }
            Part::Purges => {
                self.erase_files(&keys).await?;
                self.erase_due(&keys, |purge| Some(Due::purge(purge))).await?;
            }
            Part::Uploads => self.erase_due(&keys, |upload| Some(Due::sweep(upload))).await?,
            Part::Usage => {
                let emptying = |until| Due::emptying(deletion.workspace, until);
                self.erase_due(&keys, |usage: &Usage| usage.emptied_until.map(emptying)).await?;
            }
            Part::Members => {
                let members = ids(&keys, "MEMBER#")?.into_iter();
                let others = members.map(|user| workspaces::membership_key(user, deletion.workspace));
                self.delete_all(&others.collect::<Vec<_>>()).await?;
            }
            Part::Memberships => {
                // A copy leads to no record of this region.
                let own: Vec<Key> =
                    keys.iter().filter(|key| !workspaces::is_copy(&key.sk)).cloned().collect();
                for team in ids(&own, "")? {
                    self.end_membership(team, deletion.user).await?;
                }
            }
            Part::Follows => self.erase_relations(&keys).await?,
            Part::Postings => self.close_postings(deletion, &keys).await?,
            Part::Wallet => self.erase_wallet_work(&keys).await?,
            Part::Person => {
                self.free_identities(&keys).await?;
                self.free_addresses(deletion).await?;
            }
            Part::Workspace => self.free_handles(&keys).await?,
            // These lead to no other records.
            Part::Sessions
            | Part::Payments
            | Part::Projects
            | Part::Groups
            | Part::Slugs
            | Part::Sizes
            | Part::TrashList
            | Part::Events
            | Part::Marks
            | Part::Invitations
            | Part::Messages
            | Part::Resets => {}
        }
        self.delete_all(&keys).await
    }
}

impl Transaction<'_> {
    /// Deletes user, password and address, if they did not change since they were read, and the address's mail block. Label: `person`.
    fn close_person(self, closing: &Closing<'_>) -> Outcome<Self> {
        let user = closing.user.ok_or_else(|| Failure::Broken("an account without its person".to_owned()))?;
        let transaction = self
            .delete("person", &accounts::user_key(user.id), accounts::address_is(user))
            // An account that was opened through a provider may have no password.
            .delete("person", &accounts::password_key(user.id), Condition::none())
            .owning_none(user.id);
        Ok(match closing.deletion.address {
            Some(address) => {
                let own = accounts::belongs_to(user.id);
                transaction.delete("person", &accounts::address_key(address), own).delete(
                    "person",
                    &mail_blocks::key_of(address),
                    Condition::none(),
                )
            }
            None => transaction,
        })
    }

    /// Deletes the workspace with its profile, handle and wrapped data key, if the owner is still the same; or requires that none
    /// exists. If somebody joined since the workspace was read, it stays. Label: `workspace`.
    fn close_workspace(self, deletion: &Deletion, workspace: Option<&Workspace>) -> Self {
        let key = workspaces::key_of(deletion.workspace);
        let Some(workspace) = workspace else { return self.check("workspace", &key, Condition::absent()) };
        let own = Condition::of("#owner = :owner", [(":owner", text(deletion.user))]);
        let own = own.naming("#owner", "owner").and(match workspace.joins {
            0 => Condition::of("attribute_not_exists(joins)", []),
            joins => Condition::of("joins = :joins", [(":joins", number(joins))]),
        });
        let names_this = workspaces::names_this(deletion.workspace);
        self.delete("workspace", &key, own)
            .delete("workspace", &workspaces::profile_key(deletion.workspace), Condition::none())
            .delete("workspace", &workspaces::handle_key(&workspace.handle), names_this)
    }
}

impl Store {
    /// Deletes the record of an account's deletion, and those of teams that the person deleted.
    async fn forget_account(&self, deletion: &Deletion) -> Outcome<()> {
        let range = ("DELETION#".to_owned(), "DELETION$".to_owned());
        let found = self.items_up(ItemKind::Jobs, deletion.user, range, MOST_DELETIONS).await?.into_iter();
        let mut known = found.map(from_item).collect::<Outcome<Vec<Deletion>>>()?;
        // A running deletion deletes its own record. This one goes last, because it leads to the others.
        known.retain(|other| other.id != deletion.id && !other.status.is_open());
        for over in known.iter().chain([deletion]) {
            let job = job_of(over)?;
            if self.transaction().forget(&job).end(&job).commit().await?.is_some() {
                return Err(Failure::Raced);
            }
        }
        Ok(())
    }

    /// Reduces the record of a team's deletion to the fact that it happened, for the person who may read it. If the person's
    /// account is deleted too, nobody may, and the record is deleted: the account's deletion may have ended before. Whether a
    /// person of another region has an account is unknown here, and the record expires.
    async fn forget_team(&self, deletion: &Deletion) -> Outcome<()> {
        let job = job_of(deletion)?;
        let kept = Deletion { handle: None, address: None, counted: None, ..deletion.next() };
        let ended = deletion.ended_at.unwrap_or(deletion.created_at);
        let gone_at = ended.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
        let item = to_expiring_item(&job.record.0, &kept, gone_at)?;
        let unchanged = Condition::version(deletion.version);
        let mut transaction = self.transaction();
        if deletion.requester_home.is_none() {
            transaction =
                transaction.check("reader", &accounts::user_key(deletion.user), Condition::present());
        }
        let transaction =
            transaction.put("job", &job.record.0, item, unchanged).delete("due", &job.due, Condition::none());
        if transaction.end(&job).commit().await? == Some("reader") {
            self.transaction().forget(&job).end(&job).commit().await?;
        }
        // Any other refusal means that this was done before.
        Ok(())
    }

    /// The holders of API keys.
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

    /// Deletes the scheduled work of the records with these keys. Only the records lead to it, so it goes first.
    async fn erase_due<T: DeserializeOwned>(
        &self,
        keys: &[Key],
        due: impl Fn(&T) -> Option<Due>,
    ) -> Outcome<()> {
        let found = self.get_all(keys).await?.into_iter().flatten();
        let found = found.map(from_item).collect::<Outcome<Vec<T>>>()?;
        let notes: Vec<Key> = found.iter().filter_map(due).map(|due| due::key_of(&due)).collect();
        self.delete_all(&notes).await
    }

    /// Deletes the addresses and their mail blocks, unless they belong to another account by now.
    async fn free_addresses(&self, deletion: &Deletion) -> Outcome<()> {
        for address in deletion.all_addresses() {
            let own = accounts::belongs_to(deletion.user);
            self.transaction()
                .delete("address", &accounts::address_key(address), own)
                .delete("block", &mail_blocks::key_of(address), Condition::none())
                .commit()
                .await?;
        }
        Ok(())
    }

    /// Deletes the entries of the identities that connections are with, if they are still the same user's.
    async fn free_identities(&self, keys: &[Key]) -> Outcome<()> {
        let connections: Vec<Key> =
            keys.iter().filter(|key| connections::is_connection(key)).cloned().collect();
        for item in self.get_all(&connections).await?.into_iter().flatten() {
            let connection: Connection = from_item(item)?;
            let (key, own) =
                (identities::key_of(connection.identity), identities::belongs_to(connection.user));
            self.transaction().delete("identity", &key, own).commit().await?;
        }
        Ok(())
    }

    /// Deletes the handles of workspaces. A late write may have made a workspace again.
    async fn free_handles(&self, keys: &[Key]) -> Outcome<()> {
        let records: Vec<Key> = keys.iter().filter(|key| workspaces::is_record(key)).cloned().collect();
        for item in self.get_all(&records).await?.into_iter().flatten() {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::deletion::{STEPS, Step};
    use tables::Removal;

    use super::*;

    fn steps() -> BTreeSet<String> {
        STEPS.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn step_on_records_empties_partitions() {
        let records = STEPS.iter().filter(|step| matches!(step, Step::Records(_))).map(ToString::to_string);
        let idle: Vec<String> = records.filter(|step| ItemKind::emptied_by(step).next().is_none()).collect();
        assert!(idle.is_empty(), "no kind's row names these steps: {idle:?}");
    }

    #[test]
    fn step_in_a_kinds_row_exists() {
        let steps = steps();
        for kind in ItemKind::ALL {
            let removal = kind.row().removal;
            let unknown: Vec<&&str> = removal.steps().iter().filter(|step| !steps.contains(**step)).collect();
            assert!(unknown.is_empty(), "{kind:?}: no deletion has the steps {unknown:?}");
        }
    }

    #[test]
    fn emptied_kind_has_an_owner() {
        let emptied =
            |kind: &ItemKind| matches!(kind.row().removal, Removal::Partition(_) | Removal::Records(_));
        for kind in ItemKind::ALL.into_iter().filter(emptied) {
            assert_ne!(kind.row().owner, Owner::Region, "{kind:?}");
        }
    }
}
