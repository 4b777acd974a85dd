//! `POST /api/auth/password/change`: sets a new password. Ends all other sessions and all reset tokens of earlier mails.
//!
//! An account with a password needs the current one, counted like a step-up. An account without one, which was opened through
//! a provider, needs step-up. Of concurrent requests one wins, because each requires the password that it read, or that there is
//! none.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, Actor, ResourceType},
    credential::PasswordHash,
    domain_events::DomainEvent,
    id::{OfReset, ResetId},
    password::Password,
    password_reset::LastReset,
    permissions::Denied,
    ports::{
        Accounts, BreachedPasswords, Failure, NewPassword, PasswordResets, Replaces, Resettable, Saved,
        Sessions, Throttles, TransactionExtras,
    },
    session::Session,
    text::Invalid,
    throttle::Failures,
    user::personal_workspace,
};
use kit::{
    Access, AttemptError, Body, Code, Endpoint, Person, Ports, Problem, RequestContext, Spec,
    grants::{accounts, breached_passwords, extras, password_resets, sessions, throttles},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    new_password::{self, PasswordError},
    other_sessions,
    own_password::{self, OwnPasswordError},
    password_reset::PasswordSet,
};

/// Changes the password of the session's user.
pub struct PasswordChange;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    breached: Arc<dyn BreachedPasswords>,
    resets: Arc<dyn PasswordResets>,
    sessions: Arc<dyn Sessions>,
    throttles: Arc<dyn Throttles>,
}

/// The current password and the new one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PasswordChangeBody {
    /// The current password. Required if the account has one.
    #[serde(default)]
    current_password: Option<Password>,
    /// The new password.
    new_password: Password,
}

kit::errors! {
    pub enum Error from PasswordError, OwnPasswordError, AttemptError, Denied, Failure {
        /// The account has a password, and the request has none.
        CurrentNeeded => Problem::new(Code::PasswordRequired, "Provide `currentPassword`."),
        /// The new password is the current one.
        Same => Problem::field(
            "newPassword",
            &Invalid::new("This is your current password. Use another one."),
        ),
        /// The password was changed meanwhile.
        Changed => Problem::new(Code::Conflict, "The password was changed meanwhile. Try again."),
        /// The account was deleted meanwhile.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for PasswordChange {
    const SPEC: Spec = spec("auth-password-change", Post, "/api/auth/password/change")
        .summary("Change the password and end all other sessions")
        .access(Access::person())
        .once()
        .full_cpu()
        .problems(&[
            Code::InvalidCredentials,
            Code::PasswordRequired,
            Code::StepUpRequired,
            Code::Conflict,
            Code::RateLimited,
        ])
        .uses(&[
            accounts::PASSWORD,
            breached_passwords::CONTAINS,
            password_resets::FIND,
            password_resets::CHANGE,
            sessions::BEGUN_UNTIL,
            sessions::END_SEVERAL,
            throttles::RESERVE,
            throttles::SETTLE,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<PasswordChangeBody>;
    type Output = PasswordSet;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            breached: ports.breached_passwords(),
            resets: ports.password_resets(),
            sessions: ports.sessions(),
            throttles: ports.throttles(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(form): Self::Input,
    ) -> Result<PasswordSet, Error> {
        let Session { user, id: own, .. } = call.caller.session;
        if let Some(before) = call.made_before::<ResetId>() {
            // The earlier request may have been interrupted before it ended all other sessions.
            other_sessions::end_begun_until(&*deps.sessions, user, before.made_at(), Some(own)).await?;
            return Ok(PasswordSet::done());
        }
        let sessions = deps.sessions.begun_until(user, Timestamp::MAX, NewPassword::MOST_SESSIONS);
        let (found, current, mut sessions) =
            futures::try_join!(deps.resets.find(user), deps.accounts.password(user), sessions)?;
        let found = found.ok_or(Error::Ended)?;
        let is_same = form.current_password.as_ref().is_some_and(|current| current.is(&form.new_password));
        let replaces = prove(deps, call, current, form.current_password).await?;
        if is_same && matches!(replaces, Replaces::Password(_)) {
            return Err(Error::Same);
        }
        sessions.retain(|session| *session != own);
        let by = LastReset::now(call.id::<OfReset>(), call.now);
        let about = new_password::about(&found);
        let given = ("newPassword", form.new_password);
        let password = new_password::hash(call, &*deps.breached, given, about).await?;
        let new = NewPassword { user, password, replaces, by, sessions, throttles: Vec::new() };
        if deps.resets.set(&new, extras(call, &found, by.id)).await? == Saved::Stale {
            return Err(Error::Changed);
        }
        other_sessions::end_begun_until(&*deps.sessions, user, by.at, Some(own)).await?;
        Ok(PasswordSet::done())
    }
}

/// Checks that the caller may set a password: with the current one or, if there is none, with a recent sign-in.
async fn prove(
    deps: &Deps,
    call: &RequestContext<Person>,
    current: Option<PasswordHash>,
    given: Option<Password>,
) -> Result<Replaces, Error> {
    let session = &call.caller.session;
    let Some(current) = current else {
        let is_recent = session.is_stepped_up(call.now);
        return if is_recent { Ok(Replaces::Nothing) } else { Err(Denied::StepUpNeeded.into()) };
    };
    let given = given.ok_or(Error::CurrentNeeded)?;
    let (attempt, counter) = (call.attempt(&*deps.throttles), own_password::counter(session));
    attempt.reserve(&counter, Failures::default(), None).await?;
    let judged = own_password::judge(call, Ok(Some(current.clone())), given).await;
    attempt.settle(&counter, own_password::settlement(&judged)).await?;
    judged?;
    Ok(Replaces::Password(current))
}

/// The activity event, if the user has a workspace, and the email.
fn extras(call: &RequestContext<Person>, found: &Resettable, change: ResetId) -> TransactionExtras {
    let user = found.user.id;
    let event = found.onboarded.then(|| {
        let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
        let mut event = call.event(workspace, actor, Action::Updated, ResourceType::Security);
        event.resource_name = Some("Password changed: other sessions ended".to_owned());
        event
    });
    call.extras(event, Some(DomainEvent::PasswordChanged { user }), change)
}
