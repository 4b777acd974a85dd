//! Session.  Table `identity`: PK `SESSIONS#<user>`  SK `SESSION#<session>`; gone when it expires.
//! Reads: a session with a workspace and the membership in it (one batch get, strongly consistent), the ids of a user's
//! sessions (query, newest first, strongly consistent).

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::{
    Timestamp,
    id::{SessionId, UserId, WorkspaceId},
    ports::{Alongside, Failure, Outcome, PasswordProof, Saved, Sessions, Standing},
    role::Role,
    session::Session,
    user::personal_workspace,
    workspace::Workspace,
};
use tables::Items;

use crate::{
    Store, accounts,
    failure::unavailable,
    item::{Item, Key, from_item, text, to_expiring_item},
    transaction::Condition,
    workspaces,
};

pub fn key_of(user: UserId, session: SessionId) -> Key {
    Key::new(Items::Sessions, user, format!("SESSION#{session}"))
}

pub fn session_item(session: &Session) -> Outcome<(Key, Item)> {
    let key = key_of(session.user, session.id);
    Ok((key.clone(), to_expiring_item(&key, session, session.expires_at())?))
}

#[async_trait]
impl Sessions for Store {
    async fn standing(
        &self,
        user: UserId,
        session: SessionId,
        workspace: WorkspaceId,
    ) -> Outcome<Option<Standing>> {
        let mut keys = vec![key_of(user, session), workspaces::key_of(workspace)];
        if workspace != personal_workspace(user) {
            keys.push(workspaces::member_key(workspace, user));
        }
        let mut items = self.get_all(&keys).await?.into_iter();
        let mut next = || items.next().flatten();
        let (session, workspace, member) = (next(), next(), next());
        let Some(session) = session else { return Ok(None) };
        let workspace: Option<Workspace> = workspace.map(from_item).transpose()?;
        let owns = workspace.as_ref().is_some_and(|workspace| workspace.owner == user);
        let role = match member {
            _ if owns => Some(Role::Owner),
            Some(member) => Some(workspaces::role_of(member)?),
            None => None,
        };
        Ok(Some(Standing { session: from_item(session)?, workspace, role }))
    }

    async fn begin(
        &self,
        session: &Session,
        proof: Option<PasswordProof>,
        alongside: Alongside,
    ) -> Outcome<()> {
        let (key, item) = session_item(session)?;
        let mut transaction = self.transaction().put("session", &key, item, Condition::absent());
        if let Some(PasswordProof { seen, rehashed }) = proof {
            let unchanged = accounts::password_is(session.user, &seen)?;
            let (key, item) = accounts::password_item(session.user, rehashed.as_ref().unwrap_or(&seen))?;
            transaction = match rehashed {
                Some(_) => transaction.put("password", &key, item, unchanged),
                None => transaction.check("password", &key, unchanged),
            };
        }
        match transaction.alongside(alongside)?.commit().await? {
            None => Ok(()),
            Some(_) => Err(Failure::Raced),
        }
    }

    async fn replace(&self, before: &Session, after: &Session) -> Outcome<Saved> {
        let (key, item) = session_item(after)?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        let answer = request
            .condition_expression("#current = :current AND authenticated_at = :authenticated")
            .expression_attribute_names("#current", "current")
            .expression_attribute_values(":current", text(before.current.to_base64()))
            .expression_attribute_values(":authenticated", text(before.authenticated_at))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Stale)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn end(&self, user: UserId, session: SessionId, alongside: Alongside) -> Outcome<bool> {
        let key = key_of(user, session);
        if alongside.is_empty() {
            // It alone needs no transaction, which would cost twice as much.
            let request =
                self.client.delete_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
            let answer = request.return_values(ReturnValue::AllOld).send().await.map_err(unavailable)?;
            return Ok(answer.attributes.is_some());
        }
        let transaction = self.transaction().delete("session", &key, Condition::present());
        Ok(transaction.alongside(alongside)?.commit().await?.is_none())
    }

    async fn begun_until(&self, user: UserId, until: Timestamp, limit: usize) -> Outcome<Vec<SessionId>> {
        let answer = self
            .client
            .query()
            .table_name(self.name(Items::Sessions.table()))
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(Items::Sessions.partition(user)))
            .expression_attribute_values(":from", text("SESSION#"))
            .expression_attribute_values(":to", text(format!("SESSION#{}", SessionId::ceiling(until))))
            .projection_expression("sk")
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(unavailable)?;
        let id = |item: Item| item.get("sk")?.as_s().ok()?.strip_prefix("SESSION#")?.parse().ok();
        let ids: Option<Vec<SessionId>> = answer.items.unwrap_or_default().into_iter().map(id).collect();
        ids.ok_or_else(|| Failure::Broken("a session's key that holds no id".to_owned()))
    }

    async fn end_several(&self, user: UserId, sessions: &[SessionId]) -> Outcome<()> {
        let mut transaction = self.transaction();
        for session in sessions {
            transaction = transaction.delete("session", &key_of(user, *session), Condition::none());
        }
        transaction.commit().await?;
        Ok(())
    }
}
