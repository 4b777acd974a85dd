//! `POST /api/onboarding`: completes onboarding with a username and a display name, and creates the personal workspace,
//! which all other endpoints require.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    domain_events::DomainEvent,
    entitlements::EntitlementOverrides,
    free_credit::{CreditClaim, CreditGrant},
    handle::Handle,
    id::WorkspaceId,
    money::MicroUsd,
    plan::Plan,
    ports::{
        Accounts, Claimed, CreditClaimed, Failure, Founded, Outcome, Promotions, RateWindows, Vault,
        Workspaces,
    },
    profile::{Company, DisplayName, UseCase},
    promotion::{MOST_TRIES_A_DAY, PromoCode, Promotion},
    settings::Change,
    throttle::Wait,
    user::{User, personal_workspace},
    wallet::{Booking, Cause, PostingType, Wallet, WalletChange},
    workspace::{Profile, Workspace, WorkspaceKind, WrappedKey},
};
use kit::{
    Access, Body, Code, Endpoint, Person, Ports, Problem, RequestContext, Spec,
    grants::{accounts, address_hashes, directory, extras, promotions, rate_windows, vault, workspaces},
    promo_tries, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{opening_credit::CreditDeps, settings_read::Settings};

/// Creates the personal workspace.
pub struct Onboard;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    credit: CreditDeps,
    promotions: Arc<dyn Promotions>,
    windows: Arc<dyn RateWindows>,
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
        /// The promo code is unknown, has ended, or is used up.
        PromoUnavailable => Problem::new(
            Code::PromoInvalid,
            "This promo code is not valid any more, or never was. Check the code, or continue without it.",
        ),
        /// The referral code is unknown.
        NoSuchReferral => Problem::new(Code::PromoInvalid, "There is no such referral code."),
        /// The mailbox of the user redeemed the code for another account.
        RedeemedBefore => Problem::new(
            Code::PromoInvalid,
            "This promo code was redeemed with your email address before. Continue without it.",
        ),
        /// The user tried the most codes of a day.
        TooManyCodes(wait: Wait) => Problem {
            retry_after: Some(wait.seconds),
            ..Problem::new(
                Code::RateLimited,
                format!("You can try at most {MOST_TRIES_A_DAY} promo codes a day. Continue without a code."),
            )
        },
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
            directory::CLAIM_HANDLE,
            directory::RELEASE_HANDLE,
            directory::GRANT_CREDIT,
            directory::GRANT_PROMO,
            address_hashes::NETWORK_HASH,
            address_hashes::CREDIT_HASHES,
            rate_windows::TAKE,
            promotions::FIND,
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
            credit: CreditDeps::of(ports),
            promotions: ports.promotions(),
            windows: ports.rate_windows(),
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
        let code = promo_code(&form)?;
        if call.caller.onboarded {
            return Err(Error::AlreadyThere);
        }
        let id = personal_workspace(call.caller.session.user);
        let claim = Claim::on_handle(form.username.clone(), call.region, id, call.now);
        let (user, promotion) = deps.admit(call, code, &claim).await?;
        // After the claim, so that a username that is taken uses up no limit.
        let credit = deps.credit.decide(&user, call.network, call.now);
        let (credit, data_key) = futures::try_join!(credit, deps.vault.new_data_key(id))?;
        let profile = profile(&form);
        let workspace = found(call, form.username, &user, credit, data_key);
        let redemption =
            promotion.map(|promotion| redemption(&workspace, promotion, call.now)).transpose()?;
        let redemption = redemption.as_ref().map(|(change, promotion)| (change, promotion));
        let actor = Actor { user: user.id, key: None };
        let mut event = call.event(id, actor, Action::Completed, ResourceType::Onboarding);
        event.resource_name = Some(workspace.handle.to_string());
        let notice = DomainEvent::WorkspaceOpened { workspace: id, handle: workspace.handle.clone() };
        let extras = call.extras(Some(event), Some(notice), id);
        match deps.workspaces.open(&workspace, &profile, redemption, extras).await? {
            Founded::Yes => Ok(Settings::of(&workspace, profile, Some(user.primary_email), call.now)),
            Founded::HandleTaken => Err(Error::HandleTaken),
            Founded::PromoUsedUp => Err(Error::PromoUnavailable),
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

    /// Reads the user and claims the handle. A code is checked before.
    async fn admit(
        &self,
        call: &RequestContext<Person>,
        code: Option<PromoCode>,
        claim: &Claim,
    ) -> Result<(User, Option<Promotion>), Error> {
        let user = async { self.accounts.user(call.caller.session.user).await?.ok_or(Error::UserGone) };
        let Some(code) = code else {
            let (user, ()) = futures::try_join!(user, self.claim(claim))?;
            return Ok((user, None));
        };
        let user = user.await?;
        let promotion = self.promotion(&user, &code, call.now).await?;
        self.claim(claim).await?;
        Ok((user, Some(promotion)))
    }

    async fn claim(&self, claim: &Claim) -> Result<(), Error> {
        match self.credit.directory.claim(claim).await? {
            Claimed::Yes => Ok(()),
            Claimed::Taken => Err(Error::HandleTaken),
        }
    }

    /// The promotion of a code that the user can redeem. Claims the code for the user's mailbox.
    async fn promotion(&self, user: &User, code: &PromoCode, now: Timestamp) -> Result<Promotion, Error> {
        let taken = promo_tries::take(&*self.windows, user.id, now).await?;
        taken.map_err(Error::TooManyCodes)?;
        let promotion = self.promotions.find(code);
        let hashes = self.credit.hashes.credit_hashes(&user.primary_email);
        let (promotion, hashes) = futures::try_join!(promotion, hashes)?;
        let promotion = promotion.filter(|promotion| promotion.is_open(now));
        let promotion = promotion.ok_or(Error::PromoUnavailable)?;
        let grant = CreditGrant::Promo(promotion.code.clone());
        let claim = CreditClaim::new(hashes.mailbox, grant, user.id, promotion.amount);
        match self.credit.directory.grant_credit(&claim, &[], now).await? {
            CreditClaimed::Yes(_) => Ok(promotion),
            _ => Err(Error::RedeemedBefore),
        }
    }
}

/// The first change of the wallet of a workspace: a promo code is redeemed.
fn redemption(
    workspace: &Workspace,
    promotion: Promotion,
    now: Timestamp,
) -> Outcome<(WalletChange, Promotion)> {
    let (wallet, opening) = Wallet::unopened(workspace);
    let mut booking = Booking::begin(wallet, opening, now);
    let cause = Cause::Promo(promotion.code.clone());
    booking
        .credit(PostingType::Promo, promotion.credit(now), cause, None)
        .map_err(|refusal| Failure::Broken(format!("a new wallet refuses credit: {refusal:?}")))?;
    let change = booking.finish().ok_or_else(|| Failure::Broken("credit changes nothing".to_owned()))?;
    Ok((change, promotion))
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

/// The promo code, if the user entered one. Referrals are not available yet, so every referral code is invalid.
fn promo_code(form: &OnboardingBody) -> Result<Option<PromoCode>, Error> {
    let given = |code: Option<&String>| code.is_some_and(|code| !code.trim().is_empty());
    if given(form.referral_code.as_ref()) {
        return Err(Error::NoSuchReferral);
    }
    let code = form.promo_code.as_ref().filter(|code| given(Some(*code)));
    let code = code.map(|code| PromoCode::parse(code)).transpose();
    code.map_err(|_| Error::PromoUnavailable)
}
