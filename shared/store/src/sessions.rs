//! Session.  Table `identity`: PK `SESSIONS#<user>`  SK `SESSION#<session>`; gone when it expires.
//! Reads: a session (get, strongly consistent), a session with a workspace and the membership in it (one batch get, strongly consistent), a user's live sessions (query,
//! newest first, strongly consistent), the ids of a user's sessions (query, newest first, strongly consistent), the ids of a user's
//! live sessions (query, oldest first, strongly consistent).

use async_trait::async_trait;
use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::ReturnValue};
use domain::{
    Timestamp,
    id::{JobId, SessionId, UserId, WorkspaceId},
    ports::{
        Failure, Outcome, PasswordProof, Rounds, Saved, SessionContext, Sessions, SignInProof,
        TransactionExtras,
    },
    role::Role,
    session::{MOST_SESSIONS, Session},
    user::personal_workspace,
    workspace::Workspace,
};
use tables::{ItemKind, TTL};

use crate::{
    accounts,
    client::Store,
    failure::failure,
    identities,
    item::{Item, Key, from_item, number, text, to_expiring_item},
    transaction::{Condition, MOST_WRITES, Transaction},
    workspaces,
};

/// The most sessions that end when another begins: a transaction has 100 items.
const ENDED_AT_ONCE: usize = 90;
const SURPLUS: &str = "surplus";

pub fn key_of(user: UserId, session: SessionId) -> Key {
    Key::new(ItemKind::Sessions, user, format!("SESSION#{session}"))
}

pub fn session_item(session: &Session) -> Outcome<(Key, Item)> {
    let key = key_of(session.user, session.id);
    Ok((key.clone(), to_expiring_item(&key, session, session.expires_at())?))
}

#[async_trait]
impl Sessions for Store {
    async fn context(
        &self,
        user: UserId,
        session: SessionId,
        workspace: WorkspaceId,
    ) -> Outcome<Option<SessionContext>> {
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
        Ok(Some(SessionContext { session: from_item(session)?, workspace, role }))
    }

    async fn find(&self, user: UserId, session: SessionId) -> Outcome<Option<Session>> {
        self.get(key_of(user, session)).await?.map(from_item).transpose()
    }

    async fn begin(
        &self,
        session: &Session,
        proof: Option<SignInProof>,
        extras: TransactionExtras,
    ) -> Outcome<()> {
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let surplus = self.surplus(session.user, session.created_at).await?;
            let transaction = self.transaction().begin_session(session, proof.as_ref())?;
            // Two concurrent sign-ins end different sessions, or the second fails and reads again.
            let transaction = surplus.iter().fold(transaction, |transaction, id| {
                transaction.delete(SURPLUS, &key_of(session.user, *id), Condition::present())
            });
            match transaction.extras(extras.clone())?.commit().await? {
                None => return Ok(()),
                Some(SURPLUS) => {}
                Some(_) => return Err(Failure::Raced),
            }
        }
    }

    async fn deletion_by(&self, user: UserId, session: SessionId) -> Outcome<Option<JobId>> {
        self.deletion_asked_by(user, session).await
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
            Err(error) => Err(failure(error)),
        }
    }

    async fn end(&self, user: UserId, session: SessionId, extras: TransactionExtras) -> Outcome<bool> {
        let key = key_of(user, session);
        if extras.is_empty() {
            // A single delete needs no transaction, which costs twice as much.
            let request =
                self.client.delete_item().table_name(self.name(key.table)).set_key(Some(key.attributes()));
            let answer = request.return_values(ReturnValue::AllOld).send().await.map_err(failure)?;
            return Ok(answer.attributes.is_some());
        }
        let transaction = self.transaction().delete("session", &key, Condition::present());
        Ok(transaction.extras(extras)?.commit().await?.is_none())
    }

    async fn live(&self, user: UserId, now: Timestamp) -> Outcome<Vec<Session>> {
        let request = self.live_sessions(user, now).scan_index_forward(false);
        let answer = request.send().await.map_err(failure)?;
        answer.items.unwrap_or_default().into_iter().map(from_item).collect()
    }

    async fn begun_until(&self, user: UserId, until: Timestamp, limit: usize) -> Outcome<Vec<SessionId>> {
        let answer = self
            .client
            .query()
            .table_name(self.name(ItemKind::Sessions.table()))
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(ItemKind::Sessions.partition(user)))
            .expression_attribute_values(":from", text("SESSION#"))
            .expression_attribute_values(":to", text(format!("SESSION#{}", SessionId::ceiling(until))))
            .projection_expression("sk")
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failure)?;
        ids_of(answer.items.unwrap_or_default())
    }

    async fn end_several(&self, user: UserId, sessions: &[SessionId]) -> Outcome<()> {
        for some in sessions.chunks(MOST_WRITES) {
            let mut transaction = self.transaction();
            for session in some {
                transaction = transaction.delete("session", &key_of(user, *session), Condition::none());
            }
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// The ids in the keys of sessions.
fn ids_of(items: Vec<Item>) -> Outcome<Vec<SessionId>> {
    let id = |item: Item| item.get("sk")?.as_s().ok()?.strip_prefix("SESSION#")?.parse().ok();
    let ids: Option<Vec<SessionId>> = items.into_iter().map(id).collect();
    ids.ok_or_else(|| Failure::Broken("a session's key that holds no id".to_owned()))
}

impl Store {
    /// A query for a user's live sessions. Ignores expired sessions, which DynamoDB may take days to delete. One answer has room
    /// for 2,000 sessions.
    fn live_sessions(&self, user: UserId, now: Timestamp) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(self.name(ItemKind::Sessions.table()))
            .key_condition_expression("pk = :pk")
            .filter_expression("#ttl > :now")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":pk", text(ItemKind::Sessions.partition(user)))
            .expression_attribute_values(":now", number(now.as_second()))
            .consistent_read(true)
    }

    /// The oldest live sessions that must end before another begins.
    async fn surplus(&self, user: UserId, now: Timestamp) -> Outcome<Vec<SessionId>> {
        let request = self.live_sessions(user, now).projection_expression("sk");
        let answer = request.send().await.map_err(failure)?;
        let mut live = ids_of(answer.items.unwrap_or_default())?;
        let surplus = live.len().saturating_add(1).saturating_sub(MOST_SESSIONS);
        live.truncate(surplus.min(ENDED_AT_ONCE));
        Ok(live)
    }
}

impl Transaction<'_> {
    /// Begins a session, if the password did not change since it was verified, or the identity is still connected.
    fn begin_session(self, session: &Session, proof: Option<&SignInProof>) -> Outcome<Self> {
        let (key, item) = session_item(session)?;
        let transaction = self.put("session", &key, item, Condition::absent());
        let PasswordProof { seen, rehashed } = match proof {
            None => return Ok(transaction),
            Some(SignInProof::Password(proof)) => proof,
            Some(SignInProof::Connection(identity)) => {
                let own = identities::belongs_to(session.user);
                let (identity, user) = (identities::key_of(*identity), accounts::user_key(session.user));
                let transaction = transaction.check("identity", &identity, own);
                return Ok(transaction.check("account", &user, Condition::present()));
            }
        };
        let unchanged = accounts::password_is(session.user, seen)?;
        let (key, item) = accounts::password_item(session.user, rehashed.as_ref().unwrap_or(seen))?;
        Ok(match rehashed {
            Some(_) => transaction.put("password", &key, item, unchanged),
            None => transaction.check("password", &key, unchanged),
        })
    }
}
