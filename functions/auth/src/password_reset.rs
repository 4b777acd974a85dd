//! `POST /api/auth/password/reset`: sets a new password with an emailed token. The token works once. Ends all sessions
//! and starts none, because the email may have been opened on any device or by another person; the next sign-in
//! requires the new password and all other checks.
//!
//! Order of the changes: one transaction sets the password, records the token as used, and ends as many of the newest
//! sessions as fit. Remaining sessions, and sessions started meanwhile, are ended afterwards; the old password cannot
//! start new ones by then. After an interruption, a retry with the same token first ends the remaining sessions. Then
//! it is refused as used, or gets the earlier response with the same `Idempotency-Key`.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, Actor, ResourceType},
    domain_events::DomainEvent,
    id::ResetId,
    password::Password,
    password_reset::{Asked, LastReset, ResetToken, TokenStatus},
    ports::{
        AddressHashes, BreachedPasswords, Failure, NewPassword, PasswordResets, Replaces, Resettable, Saved,
        Sessions, TokenKeys, TransactionExtras,
    },
    region::Region,
    throttle::NetworkLimit,
    user::personal_workspace,
};
use kit::{
    Anyone, Body, Code, Endpoint, Output, Ports, Problem, RequestContext, Spec, Stop,
    grants::{address_hashes, breached_passwords, extras, password_resets, sessions, token_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    attempts::of_account,
    new_password::{self, PasswordError},
    other_sessions,
};

/// Sets a new password.
pub struct PasswordReset;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
    breached: Arc<dyn BreachedPasswords>,
    resets: Arc<dyn PasswordResets>,
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn TokenKeys>,
}

/// The emailed token and the new password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordResetBody {
    /// The token from the email.
    token: ResetToken,
    /// The new password.
    password: Password,
}

/// The password was set.
#[derive(Serialize, JsonSchema)]
pub struct PasswordSet {
    /// Always `true`.
    success: bool,
}
impl Output for PasswordSet {}

impl PasswordSet {
    /// The response.
    pub const fn done() -> Self {
        Self { success: true }
    }
}

kit::errors! {
    pub enum Error from PasswordError, Failure {
        /// The token is not valid.
        Refused => Problem::new(
            Code::TokenInvalid,
            "This token is wrong, has expired, was used, or a newer one was requested. Use the token of the newest email, or \
             request another one.",
        ),
        /// The account belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for PasswordReset {
    const SPEC: Spec = spec("auth-password-reset", Post, "/api/auth/password/reset")
        .summary("Reset the password with an emailed token and end all sessions")
        .may_forward()
        .limits_network(NetworkLimit::PasswordReset)
        .once()
        .full_cpu()
        .problems(&[Code::TokenInvalid])
        .uses(&[
            address_hashes::HASH,
            breached_passwords::CONTAINS,
            token_keys::DERIVATION_KEY,
            password_resets::ASKED_ALL,
            password_resets::FIND,
            password_resets::SET,
            sessions::BEGUN_UNTIL,
            sessions::END_SEVERAL,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Body<PasswordResetBody>;
    type Output = PasswordSet;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.address_hashes(),
            breached: ports.breached_passwords(),
            resets: ports.password_resets(),
            sessions: ports.sessions(),
            tokens: ports.token_keys(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Body(form): Self::Input,
    ) -> Result<PasswordSet, Error> {
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
        let email = &found.user.primary_email;
        let addresses = match found.addresses.as_slice() {
            [] => vec![deps.addresses.hash(email).await?],
            addresses => addresses.to_vec(),
        };
        let newest = newest(deps.resets.asked_all(&addresses).await?);
        let status = form.token.status(found.last, newest, call.now);
        if let TokenStatus::Used(at) = status {
            other_sessions::end_begun_until(&*deps.sessions, user, at, None).await?;
        }
        match (status, call.made_before::<ResetId>()) {
            (_, Some(_)) => return Ok(PasswordSet::done()),
            (TokenStatus::Good, None) => {}
            (TokenStatus::Used(_) | TokenStatus::Over, None) => return Err(Error::Refused),
        }
        let about = new_password::about(&found);
        let by = LastReset::now(reset, call.now);
        let given = ("password", form.password);
        let new = NewPassword {
            user,
            password: new_password::hash(call, &*deps.breached, given, about).await?,
            by,
            replaces: Replaces::AfterToken(found.last),
            sessions,
            throttles: addresses.into_iter().map(of_account).collect(),
        };
        if deps.resets.set(&new, extras(call, &found, reset)).await? == Saved::Stale {
            return Err(Error::Refused);
        }
        other_sessions::end_begun_until(&*deps.sessions, user, by.at, None).await?;
        Ok(PasswordSet::done())
    }
}

/// The latest token that was requested with any address of the account: all are sent to the primary one.
fn newest(asked: Vec<Option<Asked>>) -> Option<ResetId> {
    asked.into_iter().flatten().filter_map(|asked| asked.newest).max()
}

/// The activity event, if the user has a workspace, and the email.
fn extras(call: &RequestContext<Anyone>, found: &Resettable, reset: ResetId) -> TransactionExtras {
    let user = found.user.id;
    let event = found.onboarded.then(|| {
        let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
        let mut event = call.event(workspace, actor, Action::Updated, ResourceType::Security);
        event.resource_id = Some(reset.to_string());
        event.resource_name = Some("Password reset by mail: all sessions ended".to_owned());
        event
    });
    call.extras(event, Some(DomainEvent::PasswordChanged { user }), reset)
}
