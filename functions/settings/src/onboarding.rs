//! `POST /api/onboarding`: completes onboarding with a username and a display name, and creates the personal workspace,
//! which all other endpoints require.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    domain_events::DomainEvent,
    email::EmailAddress,
    entitlements::EntitlementOverrides,
    handle::Handle,
    id::WorkspaceId,
    plan::{Plan, sign_up_credit},
    ports::{Accounts, Claimed, Directory, Failure, Founded, Vault, Workspaces},
    profile::{Company, DisplayName, UseCase},
    settings::Change,
    user::{User, personal_workspace},
    workspace::{Profile, Workspace, WorkspaceKind, WrappedKey},
};
use kit::{
    Access, Body, Code, Endpoint, Person, Ports, Problem, RequestContext, Spec,
    grants::{accounts, directory, extras, vault, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings_read::Settings;

/// Creates the personal workspace.
pub struct Onboard;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
    workspaces: Arc<dyn Workspaces>,
    vault: Arc<dyn Vault>,
}

/// The user's profile and username.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OnboardingBody {
    /// The public username. Permanent.
    username: Handle,
    /// The display name.
    display_name: DisplayName,
    /// The company of the user.
    #[serde(default)]
    company: Option<Change<Company>>,
    /// The intended use of the platform.
    #[serde(default)]
    use_case: Option<Change<UseCase>>,
    /// A promotion code.
    #[serde(default)]
    promo_code: Option<String>,
    /// The referral code of another user.
    #[serde(default)]
    referral_code: Option<String>,
}

kit::errors! {
    pub enum Error from Failure {
        /// The handle is in use.
        HandleTaken => Problem::new(Code::UsernameTaken, "This username is taken. Choose another."),
        /// Onboarding is done already.
        AlreadyThere => Problem::new(Code::Conflict, "Onboarding is already complete."),
        /// The code is unknown.
        NoSuchCode(kind: &'static str) => Problem::new(Code::PromoInvalid, format!("There is no such {kind} code.")),
        /// The user is gone.
        UserGone => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for Onboard {
    const SPEC: Spec = spec("onboarding", Post, "/api/onboarding")
        .summary("Complete onboarding: choose a username and create the personal workspace")
        .access(Access::person())
        .answers(201)
        .once()
        .problems(&[Code::UsernameTaken, Code::Conflict, Code::PromoInvalid])
        .uses(&[
            accounts::USER,
            workspaces::FIND,
            workspaces::PROFILE,
            vault::NEW_DATA_KEY,
            directory::CLAIM_HANDLE,
            directory::RELEASE_HANDLE,
            workspaces::OPEN,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<OnboardingBody>;
    type Output = Settings;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            directory: ports.directory(),
            workspaces: ports.workspaces(),
            vault: ports.vault(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(form): Self::Input,
    ) -> Result<Settings, Error> {
        let id = personal_workspace(call.caller.session.user);
        let user = deps.accounts.user(call.caller.session.user);
        if call.made_before::<WorkspaceId>().is_some() {
            let (made, record) = (deps.workspaces.find(id), deps.workspaces.profile(id));
            let (user, made, record) = futures::try_join!(user, made, record)?;
            let (user, (made, record)) = user.zip(made.zip(record)).ok_or(Error::UserGone)?;
            return Ok(Settings::of(&made, record.profile, Some(user.primary_email), call.now));
        }
        check_codes(&form)?;
        if call.caller.onboarded {
            return Err(Error::AlreadyThere);
        }
        let claim = Claim::on_handle(form.username.clone(), call.region, id, call.now);
        let (user, data_key, claimed) =
            futures::try_join!(user, deps.vault.new_data_key(id), deps.directory.claim(&claim))?;
        if claimed == Claimed::Taken {
            return Err(Error::HandleTaken);
        }
        let user = user.ok_or(Error::UserGone)?;
        let email = user.primary_email.clone();
        let profile = profile(&form);
        let workspace = found(call, form.username, &user, &email, data_key);
        let actor = Actor { user: user.id, key: None };
        let mut event = call.event(id, actor, Action::Completed, ResourceType::Onboarding);
        event.resource_name = Some(workspace.handle.to_string());
        let notice = DomainEvent::WorkspaceOpened { workspace: id, handle: workspace.handle.clone() };
        let extras = call.extras(Some(event), Some(notice), id);
        match deps.workspaces.open(&workspace, &profile, extras).await? {
            Founded::Yes => Ok(Settings::of(&workspace, profile, Some(email), call.now)),
            Founded::HandleTaken => Err(Error::HandleTaken),
            Founded::AlreadyThere => {
                let there = deps.workspaces.find(id).await?;
                // The workspace has another permanent handle, so this claim is useless. The reaper frees the claim if
                // this call fails.
                if there.is_some_and(|there| there.handle != workspace.handle) {
                    deps.directory.release(&claim).await?;
                }
                Err(Error::AlreadyThere)
            }
        }
    }
}

fn found(
    call: &RequestContext<Person>,
    handle: Handle,
    user: &User,
    email: &EmailAddress,
    data_key: WrappedKey,
) -> Workspace {
    Workspace {
        id: personal_workspace(user.id),
        handle,
        kind: WorkspaceKind::Personal,
        owner: user.id,
        region: user.region,
        plan: Plan::Free,
        plan_ends_at: None,
        seats_taken: 0,
        joins: 0,
        entitlement_overrides: EntitlementOverrides::default(),
        opening_credit: sign_up_credit(email),
        data_key,
        created_at: call.now,
    }
}

fn profile(form: &OnboardingBody) -> Profile {
    Profile {
        company: form.company.clone().and_then(Change::value),
        use_case: form.use_case.clone().and_then(Change::value),
        ..Profile::named(form.display_name.clone())
    }
}

/// Promotions and referrals are not available yet, so every code is invalid.
fn check_codes(form: &OnboardingBody) -> Result<(), Error> {
    let given = |code: &Option<String>| code.as_deref().is_some_and(|code| !code.trim().is_empty());
    match (given(&form.promo_code), given(&form.referral_code)) {
        (true, _) => Err(Error::NoSuchCode("promo")),
        (_, true) => Err(Error::NoSuchCode("referral")),
        (false, false) => Ok(()),
    }
}
