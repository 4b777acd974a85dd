//! `POST /api/billing/promo`: redeems a promo code for the caller's own account, once. Doing it twice answers the same.
//! A mailbox redeems a code for one account only, also after a deletion.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    free_credit::{CreditClaim, CreditGrant, MailboxHash},
    id::UserId,
    permissions::ChangesWallets,
    ports::{
        Accounts, AddressHashes, CreditClaimed, Directory, Failure, Promotions, RateWindows, Redeemed,
        Rounds, Wallets, Workspaces,
    },
    promotion::{MOST_TRIES_A_DAY, PromoCode, Promotion},
    throttle::Wait,
    user::personal_workspace,
    wallet::{Booking, Cause, PostingType, Refusal},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Person, Ports, Problem, RequestContext, Spec,
    grants::{accounts, address_hashes, directory, extras, promotions, rate_windows, wallets, workspaces},
    promo_tries, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{refusals, stored_wallet};

/// Redeems a promo code.
pub struct RedeemPromo;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    hashes: Arc<dyn AddressHashes>,
    directory: Arc<dyn Directory>,
    promotions: Arc<dyn Promotions>,
    wallets: Arc<dyn Wallets>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

/// The code.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoBody {
    /// The code. Case does not matter.
    code: PromoCode,
}

/// The credit.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromoRedeemed {
    /// The code.
    code: PromoCode,
    /// The credit, in cents.
    amount_cents: i64,
    /// Whether an earlier request redeemed the code.
    already_redeemed: bool,
    /// The balance now, in cents.
    credits_cents: i64,
}
impl Output for PromoRedeemed {}

kit::errors! {
    pub enum Error from Failure {
        /// The account is not set up.
        NotOnboarded => Problem::onboarding_required(),
        /// The code does not exist, has ended, or is used up.
        Unavailable => Problem::new(
            Code::PromoUnavailable,
            "This promo code is not valid any more, or never was. Check the code.",
        ),
        /// The mailbox of the user redeemed the code for another account.
        RedeemedBefore => Problem::new(
            Code::PromoUnavailable,
            "This promo code was redeemed with your email address before.",
        ),
        /// The account was deleted meanwhile.
        Deleted => Problem::unauthorized("This session has ended. Sign in again."),
        /// The user tried the most codes of a day.
        TooMany(wait: Wait) => Problem {
            retry_after: Some(wait.seconds),
            ..Problem::new(Code::RateLimited, format!("You can try at most {MOST_TRIES_A_DAY} promo codes a day. Try again tomorrow."))
        },
        /// The wallet refuses.
        Refused(refusal: Refusal) => refusals::problem(refusal),
    }
}

impl Endpoint for RedeemPromo {
    const SPEC: Spec = spec("billing-promo-redeem", Post, "/api/billing/promo")
        .summary("Redeem a promo code")
        .access(Access::person())
        .problems(&[
            Code::OnboardingRequired,
            Code::PromoUnavailable,
            Code::RateLimited,
            Code::PlanLimitReached,
        ])
        .uses(&[
            rate_windows::TAKE,
            promotions::FIND,
            wallets::WITH_CAUSES,
            workspaces::FIND,
            accounts::USER,
            address_hashes::CREDIT_HASHES,
            directory::GRANT_PROMO,
            wallets::REDEEM,
            extras::EVENT,
        ]);
    type Caller = Permitted<Person, ChangesWallets>;
    type Deps = Deps;
    type Input = Body<PromoBody>;
    type Output = PromoRedeemed;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            hashes: ports.address_hashes(),
            directory: ports.directory(),
            promotions: ports.promotions(),
            wallets: ports.wallets(),
            windows: ports.rate_windows(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(PromoBody { code }): Self::Input,
    ) -> Result<PromoRedeemed, Error> {
        let user = call.caller.who.session.user;
        let mut mailbox = None;
        let (id, causes) = (personal_workspace(user), [Cause::Promo(code.clone())]);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (promotion, read) = futures::try_join!(
                deps.promotions.find(&code),
                stored_wallet::read(&*deps.wallets, &*deps.workspaces, id, &causes),
            )?;
            let (wallet, booked) = read.ok_or(Error::NotOnboarded)?;
            let mut booking = wallet.booking(call.now);
            let is_redeemed = booked.iter().any(Option::is_some);
            if let Some(promotion) = promotion.as_ref().filter(|_| is_redeemed) {
                return Ok(PromoRedeemed::new(promotion, true, &booking));
            }
            // One try, however often the wallet changes meanwhile.
            let of_user = match mailbox {
                Some(mailbox) => mailbox,
                None => deps.may_try(user, call.now).await?,
            };
            mailbox = Some(of_user);
            let promotion = promotion.filter(|promotion| promotion.is_open(call.now));
            let promotion = promotion.ok_or(Error::Unavailable)?;
            let [cause] = causes.clone();
            let credit = booking.credit(PostingType::Promo, promotion.credit(call.now), cause, None);
            credit.map_err(Error::Refused)?;
            deps.claim(of_user, user, &promotion, call.now).await?;
            let redeemed = PromoRedeemed::new(&promotion, false, &booking);
            let Some(change) = booking.finish() else { return Ok(redeemed) };
            let extras = call.extras(Some(event(call, user, &promotion)), None, "");
            match deps.wallets.redeem(&call.caller.proof, &change, &promotion, extras).await? {
                Redeemed::Yes => return Ok(redeemed),
                Redeemed::UsedUp => return Err(Error::Unavailable),
                Redeemed::Stale => {}
            }
        }
    }
}

impl Deps {
    /// Counts a try of a user. Returns the user's mailbox.
    async fn may_try(&self, user: UserId, now: Timestamp) -> Result<MailboxHash, Error> {
        let taken = promo_tries::take(&*self.windows, user, now);
        let (taken, user) = futures::try_join!(taken, self.accounts.user(user))?;
        taken.map_err(Error::TooMany)?;
        let user = user.ok_or(Error::Deleted)?;
        Ok(self.hashes.credit_hashes(&user.primary_email).await?.mailbox)
    }

    /// Claims a code for the user's mailbox. Doing it twice succeeds.
    async fn claim(
        &self,
        mailbox: MailboxHash,
        user: UserId,
        promotion: &Promotion,
        now: Timestamp,
    ) -> Result<(), Error> {
        let grant = CreditGrant::Promo(promotion.code.clone());
        let claim = CreditClaim::new(mailbox, grant, user, promotion.amount);
        match self.directory.grant_credit(&claim, &[], now).await? {
            CreditClaimed::Yes(_) => Ok(()),
            _ => Err(Error::RedeemedBefore),
        }
    }
}

/// The line in the history.
fn event<C>(call: &RequestContext<C>, user: UserId, promotion: &Promotion) -> ActivityEvent {
    let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
    let mut event = call.event(workspace, actor, Action::Updated, ResourceType::Billing);
    event.resource_name = Some("Promo code redeemed".to_owned());
    event.metadata.insert("code".to_owned(), promotion.code.as_str().into());
    event.metadata.insert("amountMicroUsd".to_owned(), promotion.amount.micros().into());
    event
}

impl PromoRedeemed {
    fn new(promotion: &Promotion, already_redeemed: bool, booking: &Booking) -> Self {
        Self {
            code: promotion.code.clone(),
            amount_cents: promotion.amount.floor_cents(),
            already_redeemed,
            credits_cents: booking.wallet().balance().floor_cents(),
        }
    }
}
