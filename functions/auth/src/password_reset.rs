//! `POST /api/auth/password/reset`: set a new password with a mailed token. It works once, ends every session, and begins
//! none: a mail may have been opened on any device, or by another, and whoever signs in next shows that they know the new
//! password and what else a sign-in asks for.
//!
//! The order of the changes. One transaction sets the password, marks the token as the last that did, and ends the newest
//! sessions, as many as fit in. Those that are left, or that began while it was on its way, are ended after it: from then on
//! the old password begins no more, so nothing can slip in behind. Whoever dies in between sends the token again: it is
//! refused, since it was used (or, with the same `Idempotency-Key`, answered as before), but first the ending is done.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, Actor, ResourceType},
    credential::{CannotHash, PasswordHash},
    id::{ResetId, UserId},
    outbox::Notice,
    password::Password,
    password_reset::{LastReset, ResetToken, Standing},
    ports::{
        AddressHashes, Alongside, Failure, NewPassword, PasswordResets, Resettable, Saved, Sessions,
        TokenKeys,
    },
    region::Region,
    text::Invalid,
    user::personal_workspace,
};
use kit::{
    Anyone, Body, Call, Code, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sign_in::of_account;

/// So many sessions are ended in one transaction after the first.
const AT_ONCE: usize = 100;

/// Sets a new password.
pub struct PasswordReset;

/// What it works with.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    resets: Arc<dyn PasswordResets>,
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// What was mailed, and the new password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The token, as it stands in the mail.
    token: ResetToken,
    /// The new password.
    password: Password,
}

/// The password is set; sign in with it.
#[derive(Serialize, JsonSchema)]
pub struct PasswordSet {
    /// Always true.
    success: bool,
}
impl Output for PasswordSet {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("not a good token")]
    Refused,
    #[error("{0}")]
    WeakPassword(Invalid),
    #[error("the account lives in {0}")]
    Elsewhere(Region),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error("interrupted")]
    Interrupted(Problem),
}

impl Endpoint for PasswordReset {
    const SPEC: Spec = spec("auth-password-reset", Post, "/api/auth/password/reset")
        .summary("Set a new password with a mailed token: ends every session and begins none")
        .roams()
        .once()
        .full_cpu()
        .problems(&[Code::TokenInvalid])
        .grants(&[
            Grant::secret("addresses"),
            Grant::secret("tokens"),
            Grant::items("BatchGetItem", Items::Users),
            Grant::items("BatchGetItem", Items::LastResets),
            Grant::items("BatchGetItem", Items::Workspaces),
            Grant::items("Query", Items::Sessions),
            Grant::items("PutItem", Items::Passwords),
            Grant::items("PutItem", Items::LastResets),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Receipts),
            Grant::items("DeleteItem", Items::Sessions),
            Grant::items("DeleteItem", Items::Throttles),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = PasswordSet;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            resets: ports.password_resets(),
            sessions: ports.sessions(),
            tokens: ports.token_keys(),
        }
    }

    async fn handle(deps: &Deps, call: &Call<Anyone>, Body(form): Self::Input) -> Result<PasswordSet, Error> {
        let ResetToken { region, user, reset, .. } = form.token;
        if region != call.region {
            return Err(Error::Elsewhere(region));
        }
        if !form.token.is_genuine(&deps.tokens.derivation_key(reset.made_at()).await?) {
            return Err(Error::Refused);
        }
        let sessions = deps.sessions.begun_until(user, Timestamp::MAX, NewPassword::MOST_SESSIONS);
        let (found, sessions) = futures::try_join!(deps.resets.find(user), sessions)?;
        let found = found.ok_or(Error::Refused)?;
        let standing = form.token.standing(found.last, call.now);
        if let Standing::Used(at) = standing {
            end_the_rest(deps, user, at).await?;
        }
        match (standing, call.made_before::<ResetId>()) {
            (_, Some(_)) => return Ok(PasswordSet { success: true }),
            (Standing::Good, None) => {}
            (Standing::Used(_) | Standing::Over, None) => return Err(Error::Refused),
        }
        let email = &found.user.primary_email;
        form.password.judge(&[email.as_str(), email.domain()]).map_err(Error::WeakPassword)?;
        let entropy = call.shared_entropy();
        let hash = call.heavy(move || PasswordHash::make(&form.password, &*entropy));
        let by = LastReset::now(reset, call.now);
        let new = NewPassword {
            user,
            password: hash.await.map_err(Error::Interrupted)??,
            by,
            before: found.last,
            sessions,
            throttle: of_account(deps.addresses.hash(email).await?),
        };
        if deps.resets.set(&new, alongside(call, &found, reset)).await? == Saved::Stale {
            return Err(Error::Refused);
        }
        end_the_rest(deps, user, by.at).await?;
        Ok(PasswordSet { success: true })
    }
}

/// The line in the history, if there is one yet, and the mail that says so.
fn alongside(call: &Call<Anyone>, found: &Resettable, reset: ResetId) -> Alongside {
    let user = found.user.id;
    let event = found.onboarded.then(|| {
        let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
        let mut event = call.event(workspace, actor, Action::Updated, ResourceType::Security);
        event.resource_id = Some(reset.to_string());
        event.resource_name = Some("Password reset by mail: all sessions ended".to_owned());
        event
    });
    call.alongside(event, Some(Notice::PasswordChanged { user }), reset)
}

/// Ends the sessions that began before the password was set and are still there.
async fn end_the_rest(deps: &Deps, user: UserId, set_at: Timestamp) -> Result<(), Failure> {
    loop {
        let left = deps.sessions.begun_until(user, set_at, AT_ONCE).await?;
        if left.is_empty() {
            return Ok(());
        }
        deps.sessions.end_several(user, &left).await?;
        if left.len() < AT_ONCE {
            return Ok(());
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused => Self::new(
                Code::TokenInvalid,
                "This token is wrong, has expired or was used. Ask for a new mail, and copy its token as it is.",
            ),
            Error::WeakPassword(invalid) => Self::field("password", &invalid),
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::Failed(failure) => failure.into(),
            Error::Hash(error) => error.into(),
            Error::Interrupted(problem) => problem,
        }
    }
}
