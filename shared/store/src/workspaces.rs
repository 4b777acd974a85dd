//! Workspace, profile, handle and member.  Table `workspaces`: PK `WS#<workspace>`  SK `WS` and `PROFILE` (editable, with a
//! version of its own); PK `MEMBERS#<workspace>`  SK `MEMBER#<user>`; PK `MEMBERSHIPS#<user>`  SK `<workspace>` (the same by
//! user); PK `HANDLE#<handle>`  SK `HANDLE` (uniqueness).
//! Reads: one workspace (get), profiles (batch get), a handle (get), a membership (in the session's batch get), a workspace's
//! members (query), a user's memberships (query), all strongly consistent.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    permissions::{EditsProfile, SetsPlans},
    ports::{Founded, Outcome, Saved, TransactionExtras, Workspaces},
    promotion::Promotion,
    role::Role,
    team::TeamMember,
    wallet::WalletChange,
    workspace::{Profile, ProfileRecord, Workspace},
};
use serde::{Deserialize, Serialize};
use tables::ItemKind;

use crate::{
    client::Store,
    condition::Expression,
    item::{Item, Key, from_item, number, text, to_item},
    transaction::{Condition, Transaction},
};

/// The sort key of a workspace's record.
const RECORD: &str = "WS";
/// The attribute with a profile.
const PROFILE: &str = "profile";

#[derive(Serialize, Deserialize)]
struct HandleOf {
    workspace: WorkspaceId,
}

/// What every item of a membership holds.
#[derive(Serialize, Deserialize)]
struct MemberOf {
    role: Role,
}

pub fn key_of(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Workspaces, workspace, RECORD)
}

/// Whether a key in a workspace's partition is the key of its record.
pub fn is_record(key: &Key) -> bool {
    key.sk == RECORD
}

pub fn profile_key(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Workspaces, workspace, "PROFILE")
}

pub fn member_key(workspace: WorkspaceId, user: UserId) -> Key {
    Key::new(ItemKind::Members, workspace, format!("MEMBER#{user}"))
}

/// The item of a member in a workspace's partition.
pub fn member_item(workspace: WorkspaceId, member: &TeamMember) -> Outcome<Item> {
    to_item(&member_key(workspace, member.user), member)
}

pub fn membership_key(user: UserId, workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Memberships, user, workspace.to_string())
}

/// The key of the copy of a membership in another region.
pub fn copy_key(user: UserId, team: WorkspaceId) -> Key {
    Key::new(ItemKind::Memberships, user, format!("ws~AWAY#{team}"))
}

/// Whether a sort key in a user's partition of memberships is that of a copy.
pub fn is_copy(sort_key: &str) -> bool {
    sort_key.starts_with("ws~AWAY#")
}

/// The sort keys of all memberships of a user: copies, of which many may have ended, come last.
pub fn memberships_range() -> (String, String) {
    ("ws_".to_owned(), "ws~AWAY$".to_owned())
}

/// The item of the same membership in the user's partition, written beside [`member_item`].
pub fn membership_item(user: UserId, workspace: WorkspaceId, role: Role) -> Outcome<Item> {
    to_item(&membership_key(user, workspace), &MemberOf { role })
}

pub fn role_of(member: Item) -> Outcome<Role> {
    from_item::<MemberOf>(member).map(|member| member.role)
}

/// The handle is this workspace's, or free.
pub fn names_this(workspace: WorkspaceId) -> Condition {
    Condition::of("attribute_not_exists(pk) OR workspace = :workspace", [(":workspace", text(workspace))])
}

pub fn handle_key(handle: &Handle) -> Key {
    Key::new(ItemKind::Handles, handle.as_str(), "HANDLE")
}

#[async_trait]
impl Workspaces for Store {
    async fn open(
        &self,
        workspace: &Workspace,
        profile: &Profile,
        opening: Option<&WalletChange>,
        promotion: Option<&Promotion>,
        extras: TransactionExtras,
    ) -> Outcome<Founded> {
        let mut transaction = self.transaction().open_workspace(workspace, profile)?;
        if let Some(change) = opening {
            // The put of the workspace is the condition on it: a transaction has one write for each item.
            transaction = transaction.book_in_workspace(change)?;
        }
        if let Some(promotion) = promotion {
            transaction = transaction.count_redemption(promotion);
        }
        let refused = transaction.extras(extras)?.commit().await?;
        Ok(match refused {
            None => Founded::Yes,
            Some("handle") => Founded::HandleTaken,
            Some("promotion") => Founded::PromoUsedUp,
            Some(_) => Founded::AlreadyThere,
        })
    }

    async fn find(&self, workspace: WorkspaceId) -> Outcome<Option<Workspace>> {
        self.get(key_of(workspace)).await?.map(from_item).transpose()
    }

    async fn profile(&self, workspace: WorkspaceId) -> Outcome<Option<ProfileRecord>> {
        match self.get_all(&[profile_key(workspace)]).await?.into_iter().flatten().next() {
            Some(item) => from_item(item).map(Some),
            None => Ok(self.unmoved_profiles(&[workspace]).await?.remove(&workspace)),
        }
    }

    async fn owner(&self, workspace: WorkspaceId) -> Outcome<Option<UserId>> {
        // A batch get, as the session's check: it needs no further grant.
        let found = self.get_all(&[key_of(workspace)]).await?.into_iter().flatten().next();
        let found: Option<Workspace> = found.map(from_item).transpose()?;
        Ok(found.map(|workspace| workspace.owner))
    }

    async fn by_handle(&self, handle: &Handle) -> Outcome<Option<WorkspaceId>> {
        let found: Option<HandleOf> = self.get(handle_key(handle)).await?.map(from_item).transpose()?;
        Ok(found.map(|handle| handle.workspace))
    }

    async fn membership(&self, workspace: WorkspaceId, user: UserId) -> Outcome<Option<(Workspace, Role)>> {
        let found = self.get_all(&[key_of(workspace), member_key(workspace, user)]).await?;
        let mut found = found.into_iter();
        let mut next = || found.next().flatten();
        match (next(), next()) {
            (Some(workspace), Some(member)) => Ok(Some((from_item(workspace)?, role_of(member)?))),
            _ => Ok(None),
        }
    }

    async fn save_profile(
        &self,
        proof: &EditsProfile,
        record: &ProfileRecord,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let (key, seen) = (profile_key(proof.workspace()), record.version.saturating_sub(1));
        let item = to_item(&key, record)?;
        let as_read = || Condition::of("version = :version", [(":version", number(seen))]);
        let replace = self.transaction().put("stale", &key, item.clone(), as_read());
        if replace.extras(extras.clone())?.commit().await?.is_none() {
            return Ok(Saved::Yes);
        }
        let old = self.get_all(&[key_of(proof.workspace())]).await?.into_iter().flatten().next();
        if !old.is_some_and(|item| item.contains_key(PROFILE)) {
            return Ok(Saved::Stale);
        }
        // Moves an old profile out of the workspace's record, if neither changed since it was read.
        let unmoved = as_read().and(Condition::of("attribute_exists(profile)", []));
        let leave = "REMOVE profile, version";
        let moved = self
            .transaction()
            .put("stale", &key, item, Condition::absent())
            .update("stale", &key_of(proof.workspace()), leave, [], unmoved)
            .extras(extras)?
            .commit()
            .await?;
        Ok(moved.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn set_plan(
        &self,
        _proof: &SetsPlans,
        before: &Workspace,
        after: &Workspace,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let transaction = self.transaction().change_plan(before, after)?;
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }
}

impl Transaction<'_> {
    /// Changes the terms of a workspace's plan, if they are still those of `before`. Label: `stale`.
    pub fn change_plan(self, before: &Workspace, after: &Workspace) -> Outcome<Self> {
        let key = key_of(before.id);
        let new = to_item(&key, after)?;
        let condition = has_terms_of(before)?;
        let (mut set, mut remove, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for TermAttribute { name, hash, value } in TERMS {
            match new.get(name) {
                Some(new) => {
                    set.push(format!("{hash} = {value}"));
                    values.push((value, new.clone()));
                }
                None => remove.push(hash),
            }
        }
        let mut text = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            text = format!("{text} REMOVE {}", remove.join(", "));
        }
        let change =
            TERMS.iter().fold(Expression::new(text, values), |it, term| it.naming(term.hash, term.name));
        Ok(self.change("stale", &key, change, condition))
    }
}

/// An attribute of a workspace's record with a term of its plan, and its placeholders in expressions.
struct TermAttribute {
    name: &'static str,
    hash: &'static str,
    value: &'static str,
}

/// The terms of a plan, as a workspace's record stores them.
const TERMS: [TermAttribute; 5] = [
    TermAttribute { name: "plan", hash: "#plan", value: ":plan" },
    TermAttribute { name: "planEndsAt", hash: "#end", value: ":end" },
    TermAttribute { name: "planSince", hash: "#since", value: ":since" },
    TermAttribute { name: "planPaidUntil", hash: "#paid", value: ":paid" },
    TermAttribute { name: "entitlementOverrides", hash: "#overrides", value: ":overrides" },
];

/// The workspace exists, and its plan has the terms that were read.
pub fn has_terms_of(workspace: &Workspace) -> Outcome<Condition> {
    let item = to_item(&key_of(workspace.id), workspace)?;
    let conditions = TERMS.iter().map(|TermAttribute { name, hash, value }| {
        let same = match item.get(*name) {
            Some(term) => Condition::of(format!("{hash} = {value}"), [(*value, term.clone())]),
            None => Condition::of(format!("attribute_not_exists({hash})"), []),
        };
        same.naming(hash, name)
    });
    Ok(conditions.fold(Condition::present(), Condition::and))
}

impl Transaction<'_> {
    /// Adds a workspace with its profile and its handle. Labels: `workspace`, `handle`.
    pub fn open_workspace(self, workspace: &Workspace, profile: &Profile) -> Outcome<Self> {
        let (key, handle_key) = (key_of(workspace.id), handle_key(&workspace.handle));
        let item = to_item(&key, workspace)?;
        let profile_key = profile_key(workspace.id);
        let profile = to_item(&profile_key, &ProfileRecord::first(profile.clone()))?;
        let handle = to_item(&handle_key, &HandleOf { workspace: workspace.id })?;
        Ok(self
            .put("workspace", &key, item, Condition::absent())
            .put("profile", &profile_key, profile, Condition::none())
            .put("handle", &handle_key, handle, Condition::absent()))
    }
}

impl Store {
    /// Profiles that are still in their workspaces' records, as early versions stored them. A profile may move out during this
    /// read, so it reads the record first and then the profile's own item.
    pub(crate) async fn unmoved_profiles(
        &self,
        workspaces: &[WorkspaceId],
    ) -> Outcome<HashMap<WorkspaceId, ProfileRecord>> {
        let mut found = HashMap::new();
        let mut missing = workspaces.to_vec();
        for key in [key_of as fn(WorkspaceId) -> Key, profile_key] {
            let keys: Vec<Key> = missing.iter().map(|workspace| key(*workspace)).collect();
            for (workspace, item) in missing.iter().zip(self.get_all(&keys).await?) {
                if let Some(item) = item.filter(|item| item.contains_key(PROFILE)) {
                    found.insert(*workspace, from_item(item)?);
                }
            }
            missing.retain(|workspace| !found.contains_key(workspace));
        }
        Ok(found)
    }
}
