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
    id::{ResetId, UserId},
    password::Password,
    password_reset::{LastReset, ResetToken, TokenStatus},
    ports::{
        AddressHashes, Failure, NewPassword, PasswordResets, Resettable, Saved, Sessions, TokenKeys,
        TransactionExtras,
    },
    region::Region,
    throttle::NetworkLimit,
    user::personal_workspace,
};
use kit::{
    Anyone, Body, Code, Endpoint, Output, Ports, Problem, RequestContext, Spec, Stop,
    grants::{address_hashes, extras, password_resets, sessions, token_keys},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    attempts::of_account,
    new_password::{self, PasswordError},
};

/// Number of sessions that one further transaction ends.
const AT_ONCE: usize = 100;

/// Sets a new password.
pub struct PasswordReset;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn AddressHashes>,
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

/// The password was set. Sign in with the new password.
#[derive(Serialize, JsonSchema)]
pub struct PasswordSet {
    /// Always `true`.
    success: bool,
}
impl Output for PasswordSet {}

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
            token_keys::DERIVATION_KEY,
            password_resets::ASKED,
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
        let address = deps.addresses.hash(email).await?;
        let newest = deps.resets.asked(address).await?.and_then(|asked| asked.newest);
        let status = form.token.status(found.last, newest, call.now);
        if let TokenStatus::Used(at) = status {
            end_the_rest(deps, user, at).await?;
        }
        match (status, call.made_before::<ResetId>()) {
            (_, Some(_)) => return Ok(PasswordSet { success: true }),
            (TokenStatus::Good, None) => {}
            (TokenStatus::Used(_) | TokenStatus::Over, None) => return Err(Error::Refused),
        }
        let known = [email.as_str(), email.domain()].map(str::to_owned).into_iter();
        let about = known.chain(found.names.iter().cloned()).collect();
        let by = LastReset::now(reset, call.now);
        let new = NewPassword {
            user,
            password: new_password::hash(call, form.password, about).await?,
            by,
            before: found.last,
            sessions,
            throttle: of_account(address),
        };
        if deps.resets.set(&new, extras(call, &found, reset)).await? == Saved::Stale {
            return Err(Error::Refused);
        }
        end_the_rest(deps, user, by.at).await?;
        Ok(PasswordSet { success: true })
    }
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

/// Ends the remaining sessions that started before the password was set.
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
