//! Workspace, handle and member.  Table `workspaces`: PK `WS#<workspace>`  SK `WS`; PK `MEMBERS#<workspace>`  SK
//! `MEMBER#<user>`; PK `MEMBERSHIPS#<user>`  SK `<workspace>` (the same from the other side); PK `HANDLE#<handle>`  SK
//! `HANDLE` (uniqueness).
//! Reads: one workspace (get), a handle (get), a membership (in the session's batch get), a workspace's members (query), a
//! user's memberships (query), all strongly consistent.

use async_trait::async_trait;
use domain::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    policy::EditsProfile,
    ports::{Alongside, Founded, Outcome, Saved, Workspaces},
    role::Role,
    workspace::Workspace,
};
use serde::{Deserialize, Serialize};
use tables::Items;

use crate::{
    Store,
    item::{Item, Key, from_item, text, to_item},
    transaction::Condition,
};

#[derive(Serialize, Deserialize)]
struct HandleOf {
    workspace: WorkspaceId,
}

#[derive(Serialize, Deserialize)]
struct MemberOf {
    role: Role,
}

pub fn key_of(workspace: WorkspaceId) -> Key {
    Key::new(Items::Workspaces, workspace, "WS")
}

pub fn member_key(workspace: WorkspaceId, user: UserId) -> Key {
    Key::new(Items::Members, workspace, format!("MEMBER#{user}"))
}

/// The item that makes a user a member, as the teams area will write it.
pub fn member_item(workspace: WorkspaceId, user: UserId, role: Role) -> Outcome<Item> {
    to_item(&member_key(workspace, user), &MemberOf { role })
}

pub fn membership_key(user: UserId, workspace: WorkspaceId) -> Key {
    Key::new(Items::Memberships, user, workspace.to_string())
}

/// The item that tells of a user what the user is a member of, as the teams area will write it beside [`member_item`].
pub fn membership_item(user: UserId, workspace: WorkspaceId, role: Role) -> Outcome<Item> {
    to_item(&membership_key(user, workspace), &MemberOf { role })
}

pub fn role_of(member: Item) -> Outcome<Role> {
    from_item::<MemberOf>(member).map(|member| member.role)
}

/// It is this workspace's handle, or nobody's.
pub fn names_this(workspace: WorkspaceId) -> Condition {
    Condition::of("attribute_not_exists(pk) OR workspace = :workspace", [(":workspace", text(workspace))])
}

pub fn handle_key(handle: &Handle) -> Key {
    Key::new(Items::Handles, handle.as_str(), "HANDLE")
}

#[async_trait]
impl Workspaces for Store {
    async fn open(&self, workspace: &Workspace, alongside: Alongside) -> Outcome<Founded> {
        let (key, handle_key) = (key_of(workspace.id), handle_key(&workspace.handle));
        let item = to_item(&key, workspace)?;
        let handle = to_item(&handle_key, &HandleOf { workspace: workspace.id })?;
        let refused = self
            .transaction()
            .put("workspace", &key, item, Condition::absent())
            .put("handle", &handle_key, handle, Condition::absent())
            .alongside(alongside)?
            .commit()
            .await?;
        Ok(match refused {
            None => Founded::Yes,
            Some("handle") => Founded::HandleTaken,
            Some(_) => Founded::AlreadyThere,
        })
    }

    async fn find(&self, workspace: WorkspaceId) -> Outcome<Option<Workspace>> {
        self.get(key_of(workspace)).await?.map(from_item).transpose()
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
        workspace: &Workspace,
        alongside: Alongside,
    ) -> Outcome<Saved> {
        let key = key_of(proof.workspace());
        let item = to_item(&key, workspace)?;
        let unchanged = Condition::version(workspace.version.saturating_sub(1));
        let refused =
            self.transaction().put("stale", &key, item, unchanged).alongside(alongside)?.commit().await?;
        Ok(refused.map_or(Saved::Yes, |_| Saved::Stale))
    }
}
