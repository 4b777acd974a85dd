//! `POST /api/onboarding`: completes onboarding with a username and a display name, and creates the personal workspace,
//! which all other endpoints require.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    domain_events::DomainEvent,
    entitlements::EntitlementOverrides,
    handle::Handle,
    id::WorkspaceId,
    money::MicroUsd,
    plan::Plan,
    ports::{Accounts, Claimed, Failure, Founded, Vault, Workspaces},
    profile::{Company, DisplayName, UseCase},
    settings::Change,
    user::{User, personal_workspace},
    workspace::{Profile, Workspace, WorkspaceKind, WrappedKey},
};
use kit::{
    Access, Body, Code, Endpoint, Person, Ports, Problem, RequestContext, Spec,
    grants::{
        accounts, address_hashes, directory, extras, promotions, rate_windows, vault, wallets, workspaces,
    },
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    opening_codes::{CodeDeps, CodeError, OpeningCodes, OpeningOffers},
    opening_credit::CreditDeps,
    settings_read::Settings,
};

/// Creates the personal workspace.
pub struct Onboard;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    codes: CodeDeps,
    credit: CreditDeps,
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
    /// A promotion code, which is redeemed with the opening of the account.
    #[serde(default)]
    promo_code: Option<String>,
    /// The referral code of another user. Both users get credit.
    #[serde(default)]
    referral_code: Option<String>,
}

kit::errors! {
    pub enum Error from CodeError, Failure {
        /// The handle is in use.
        HandleTaken => Problem::new(Code::UsernameTaken, "This username is taken. Choose another."),
        /// Onboarding is done already.
        AlreadyThere => Problem::new(Code::Conflict, "Onboarding is already complete."),
        /// The account gets no opening credit, so a referral brings none either.
        NoOpeningCredit => Problem::new(
            Code::PromoInvalid,
            "Your email address or network got its free credit already. Continue without the referral code.",
        ),
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
        .problems(&[Code::UsernameTaken, Code::Conflict, Code::PromoInvalid, Code::RateLimited])
        .uses(&[
            accounts::USER,
            workspaces::FIND,
            workspaces::PROFILE,
            vault::NEW_DATA_KEY,
            directory::FIND_HANDLE,
            directory::CLAIM_HANDLE,
            directory::RELEASE_HANDLE,
            directory::GRANT_CREDIT,
            directory::GRANT_PROMO,
            address_hashes::NETWORK_HASH,
            address_hashes::CREDIT_HASHES,
            address_hashes::REFERRAL_TAG,
            rate_windows::TAKE,
            promotions::FIND,
            wallets::FIND,
            workspaces::OPEN,
            workspaces::OPEN_REDEEMING,
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
            codes: CodeDeps::of(ports),
            credit: CreditDeps::of(ports),
            workspaces: ports.workspaces(),
            vault: ports.vault(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(form): Self::Input,
    ) -> Result<Settings, Error> {
        if call.made_before::<WorkspaceId>().is_some() {
            return deps.made_before(call).await;
        }
        let codes = OpeningCodes::parse(form.promo_code.as_deref(), form.referral_code.as_deref())?;
        if call.caller.onboarded {
            return Err(Error::AlreadyThere);
        }
        let id = personal_workspace(call.caller.session.user);
        let claim = Claim::on_handle(form.username.clone(), call.region, id, call.now);
        let (user, offers) = deps.admit(call, &codes, &claim).await?;
        // After the claim, so that a username that is taken uses up no limit.
        let credit = deps.credit.decide(&user, call.network, call.now);
        let (credit, data_key) = futures::try_join!(credit, deps.vault.new_data_key(id))?;
        if offers.referral.is_some() && credit <= MicroUsd::ZERO {
            return Err(Error::NoOpeningCredit);
        }
        let profile = profile(&form);
        let workspace = found(call, form.username, &user, credit, data_key);
        let opening = offers.opening(&workspace, call.now)?;
        let actor = Actor { user: user.id, key: None };
        let mut event = call.event(id, actor, Action::Completed, ResourceType::Onboarding);
        event.resource_name = Some(workspace.handle.to_string());
        let notice = DomainEvent::WorkspaceOpened { workspace: id, handle: workspace.handle.clone() };
        let extras = call.extras(Some(event), Some(notice), id);
        let (opening, promotion) = (opening.as_ref(), offers.promotion.as_ref());
        match deps.workspaces.open(&workspace, &profile, opening, promotion, extras).await? {
            Founded::Yes => Ok(Settings::of(&workspace, profile, Some(user.primary_email), call.now)),
            Founded::HandleTaken => Err(Error::HandleTaken),
            Founded::PromoUsedUp => Err(CodeError::PromoUnavailable.into()),
            Founded::AlreadyThere => {
                let there = deps.workspaces.find(id).await?;
                // The workspace has another permanent handle, so this claim is useless. The reaper frees the claim if
                // this call fails.
                if there.is_some_and(|there| there.handle != workspace.handle) {
                    deps.credit.directory.release(&claim).await?;
                }
                Err(Error::AlreadyThere)
            }
        }
    }
}

impl Deps {
    /// The answer to a request that was carried out before.
    async fn made_before(&self, call: &RequestContext<Person>) -> Result<Settings, Error> {
        let id = personal_workspace(call.caller.session.user);
        let user = self.accounts.user(call.caller.session.user);
        let (made, record) = (self.workspaces.find(id), self.workspaces.profile(id));
        let (user, made, record) = futures::try_join!(user, made, record)?;
        let (user, (made, record)) = user.zip(made.zip(record)).ok_or(Error::UserGone)?;
        Ok(Settings::of(&made, record.profile, Some(user.primary_email), call.now))
    }

    /// Reads the user and claims the handle. Codes are checked before, unless the handle is known to be taken: each check counts as a try of
    /// the day.
    async fn admit(
        &self,
        call: &RequestContext<Person>,
        codes: &OpeningCodes,
        claim: &Claim,
    ) -> Result<(User, OpeningOffers), Error> {
        let user = async { self.accounts.user(call.caller.session.user).await?.ok_or(Error::UserGone) };
        if codes.is_empty() {
            let (user, ()) = futures::try_join!(user, self.claim(claim))?;
            return Ok((user, OpeningOffers::default()));
        }
        let (user, ()) = futures::try_join!(user, self.ensure_free(claim))?;
        let offers = self.codes.check(&user, codes, call).await?;
        self.claim(claim).await?;
        Ok((user, offers))
    }

    /// Refuses a handle that another holder has, as this region's replica has it.
    async fn ensure_free(&self, claim: &Claim) -> Result<(), Error> {
        let holder = self.credit.directory.find(&claim.name).await?;
        let is_taken = holder.is_some_and(|holder| holder.id != claim.id || holder.region != claim.region);
        if is_taken { Err(Error::HandleTaken) } else { Ok(()) }
    }

    async fn claim(&self, claim: &Claim) -> Result<(), Error> {
        match self.credit.directory.claim(claim).await? {
            Claimed::Yes => Ok(()),
            Claimed::Taken => Err(Error::HandleTaken),
        }
    }
}

fn found(
    call: &RequestContext<Person>,
    handle: Handle,
    user: &User,
    opening_credit: MicroUsd,
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
        plan_since: None,
        plan_paid_until: None,
        seats_taken: 0,
        joins: 0,
        entitlement_overrides: EntitlementOverrides::default(),
        opening_credit,
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
