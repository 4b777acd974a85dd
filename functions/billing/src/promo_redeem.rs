//! `POST /api/billing/promo`: redeems a promo code for the caller's own account, once. Doing it twice answers the same.

use std::sync::Arc;

use domain::{
    Timestamp,
    permissions::ChangesWallets,
    ports::{Failure, Promotions, RateWindows, Redeemed, Rounds, Wallets, Workspaces},
    promotion::{PromoCode, Promotion},
    throttle::{Wait, end_of_day},
    user::personal_workspace,
    wallet::{Booking, Cause, PostingType, Refusal},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Person, Ports, Problem, RequestContext, Spec,
    grants::{promotions, rate_windows, wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{refusals, stored_wallet};

/// Redeems a promo code.
pub struct RedeemPromo;

/// Dependencies.
pub struct Deps {
    promotions: Arc<dyn Promotions>,
    wallets: Arc<dyn Wallets>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

/// The most codes that a user may try in a day. Otherwise codes could be guessed.
const MOST_A_DAY: u32 = 20;

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
        /// The user tried the most codes of a day.
        TooMany(wait: Wait) => Problem {
            retry_after: Some(wait.seconds),
            ..Problem::new(Code::RateLimited, format!("You can try at most {MOST_A_DAY} promo codes a day. Try again tomorrow."))
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
            wallets::REDEEM,
        ]);
    type Caller = Permitted<Person, ChangesWallets>;
    type Deps = Deps;
    type Input = Body<PromoBody>;
    type Output = PromoRedeemed;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
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
        let mut counted = false;
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
            if !counted {
                deps.may_try(&user.to_string(), call.now).await?;
                counted = true;
            }
            let promotion = promotion.ok_or(Error::Unavailable)?;
            if promotion.has_ended(call.now) || promotion.is_used_up() {
                return Err(Error::Unavailable);
            }
            let [cause] = causes.clone();
            let credit = booking.credit(PostingType::Promo, promotion.credit(call.now), cause, None);
            credit.map_err(Error::Refused)?;
            let redeemed = PromoRedeemed::new(&promotion, false, &booking);
            let Some(change) = booking.finish() else { return Ok(redeemed) };
            let extras = call.extras(None, None, "");
            match deps.wallets.redeem(&call.caller.proof, &change, &promotion, extras).await? {
                Redeemed::Yes => return Ok(redeemed),
                Redeemed::UsedUp => return Err(Error::Unavailable),
                Redeemed::Stale => {}
            }
        }
    }
}

impl Deps {
    async fn may_try(&self, user: &str, now: Timestamp) -> Result<(), Error> {
        let ends = end_of_day(now);
        let taken = self.windows.take(&format!("promo/{user}"), ends, 1, MOST_A_DAY).await?;
        if taken.granted == 0 { Err(Error::TooMany(Wait::between(now, ends))) } else { Ok(()) }
    }
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
