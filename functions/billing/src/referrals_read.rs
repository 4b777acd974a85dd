//! `GET /api/referrals`: returns the caller's referral code, and what it has earned.

use std::sync::Arc;

use domain::{
    ports::{AddressHashes, Failure, Wallets},
    referral::{CREDIT, MOST_REFERRALS, ReferralCode},
    user::personal_workspace,
    wallet::Wallet,
};
use kit::{
    Access, Code, Endpoint, Output, Person, Ports, Prefetched, Problem, RequestContext, Spec, TokenIds,
    grants::{address_hashes, wallets},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Returns the referral code.
pub struct ReadReferrals;

/// Dependencies.
pub struct Deps {
    hashes: Arc<dyn AddressHashes>,
    wallets: Arc<dyn Wallets>,
}

/// The referral code of a user, and what it has earned.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Referrals {
    /// The code, which friends enter at onboarding. It does not change.
    code: ReferralCode,
    /// The number of friends whose rewards the user has. A reward is taken back if refunds or disputes leave a friend with top-ups of less
    /// than $10. For each friend, it is added or taken back at most six times.
    rewarded: u32,
    /// The most friends that the user is rewarded for.
    most_referrals: u32,
    /// The credit in cents: a friend gets it with the account, and the user when the friend has topped up $10. Only top-ups of the friend's
    /// personal wallet count.
    credit_cents: i64,
    /// The sum of the user's rewards, in cents.
    earned_cents: i64,
}
impl Output for Referrals {}

kit::errors! {
    pub enum Error from Failure {
        /// The account is not set up.
        NotOnboarded => Problem::onboarding_required(),
    }
}

impl Endpoint for ReadReferrals {
    const SPEC: Spec = spec("referrals-read", Get, "/api/referrals")
        .summary(
            "Get your referral code and what it has earned: a reward for each friend whose personal wallet was topped up with $10, added or \
             taken back at most six times per friend",
        )
        .access(Access::person())
        .problems(&[Code::OnboardingRequired])
        .uses(&[wallets::FIND, address_hashes::REFERRAL_TAG]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Prefetched<(), Option<Wallet>>;
    type Output = Referrals;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { hashes: ports.address_hashes(), wallets: ports.wallets() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(deps.wallets.find(ids.workspace)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Prefetched((), early): Self::Input,
    ) -> Result<Referrals, Error> {
        if !call.caller.onboarded {
            return Err(Error::NotOnboarded);
        }
        let workspace = personal_workspace(call.caller.session.user);
        // Without a stored wallet, the user has no rewards.
        let wallet = early.or_read(deps.wallets.find(workspace)).await?;
        let tag = deps.hashes.referral_tag(call.region, workspace).await?;
        let rewarded = wallet.map_or(0, |wallet| wallet.rewards);
        let credit_cents = CREDIT.floor_cents();
        Ok(Referrals {
            code: ReferralCode { region: call.region, workspace, tag },
            rewarded,
            most_referrals: MOST_REFERRALS,
            credit_cents,
            earned_cents: credit_cents.saturating_mul(i64::from(rewarded)),
        })
    }
}
