//! The codes that bring a new account more credit: a promo code, and the referral code of another user.

use std::sync::Arc;

use domain::{
    Timestamp,
    free_credit::{CreditClaim, CreditGrant},
    ports::{
        AddressHashes, CreditClaimed, Directory, Failure, Outcome, Promotions, RateWindows, Wallets,
        Workspaces,
    },
    promotion::{MOST_TRIES_A_DAY, PromoCode, Promotion},
    referral::{Referral, ReferralCode},
    throttle::Wait,
    user::User,
    wallet::{Booking, Cause, PostingType, Refusal, Wallet, WalletChange},
    workspace::Workspace,
};
use kit::{Code, Person, Ports, Problem, RegionClient, RequestContext, promo_tries, region_client::BRIEFLY};
use regions::referrer::{self, FindReferrer, FoundReferrer, ReferrerQuery};

kit::errors! {
    pub enum CodeError from Failure {
        /// The promo code is unknown, has ended, or is used up.
        PromoUnavailable => Problem::new(
            Code::PromoInvalid,
            "This promo code is not valid any more, or never was. Check the code, or continue without it.",
        ),
        /// The referral code is unknown.
        NoSuchReferral => Problem::new(
            Code::PromoInvalid,
            "This referral code is not valid any more, or never was. Check the code, or continue without it.",
        ),
        /// The user with the referral code has the most rewards.
        ReferrerFull => Problem::new(
            Code::PromoInvalid,
            "This referral code has been used by the most people. Use another code, or continue without it.",
        ),
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
                format!(
                    "You can try at most {MOST_TRIES_A_DAY} codes a day. Try again tomorrow, or continue without a code."
                ),
            )
        },
    }
}

/// The codes that a user entered.
pub struct OpeningCodes {
    promo: Option<PromoCode>,
    referral: Option<ReferralCode>,
}

impl OpeningCodes {
    /// Parses the codes. A blank code counts as absent.
    ///
    /// # Errors
    ///
    /// A code has a form that no code has.
    pub fn parse(promo: Option<&str>, referral: Option<&str>) -> Result<Self, CodeError> {
        let given =
            |code: Option<&str>| code.map(str::trim).filter(|code| !code.is_empty()).map(str::to_owned);
        let promo = given(promo).map(|code| PromoCode::parse(&code)).transpose();
        let referral = given(referral).map(|code| ReferralCode::parse(&code)).transpose();
        Ok(Self {
            promo: promo.map_err(|_| CodeError::PromoUnavailable)?,
            referral: referral.map_err(|_| CodeError::NoSuchReferral)?,
        })
    }

    /// Whether the user entered no code.
    pub const fn is_empty(&self) -> bool {
        self.promo.is_none() && self.referral.is_none()
    }
}

/// What valid codes stand for.
#[derive(Default)]
pub struct OpeningOffers {
    /// The promotion of the promo code.
    pub promotion: Option<Promotion>,
    /// The referral of the new account by the user with the referral code.
    pub referral: Option<Referral>,
}

impl OpeningOffers {
    /// The first change of the wallet of a workspace, if the codes bring credit.
    ///
    /// # Errors
    ///
    /// A defect: a new wallet refuses credit.
    pub fn opening(&self, workspace: &Workspace, now: Timestamp) -> Outcome<Option<WalletChange>> {
        let refused = |refusal: Refusal| Failure::Broken(format!("a new wallet refuses credit: {refusal:?}"));
        if self.promotion.is_none() && self.referral.is_none() {
            return Ok(None);
        }
        let (wallet, opening) = Wallet::unopened(workspace);
        let mut booking = Booking::begin(wallet, opening, now);
        if let Some(promotion) = &self.promotion {
            let cause = Cause::Promo(promotion.code.clone());
            booking.credit(PostingType::Promo, promotion.credit(now), cause, None).map_err(refused)?;
        }
        if let Some(referral) = &self.referral {
            booking.refer(referral.clone()).map_err(refused)?;
        }
        Ok(booking.finish())
    }
}

/// Dependencies of checking codes.
pub struct CodeDeps {
    directory: Arc<dyn Directory>,
    hashes: Arc<dyn AddressHashes>,
    promotions: Arc<dyn Promotions>,
    regions: RegionClient,
    wallets: Arc<dyn Wallets>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

impl CodeDeps {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self {
            directory: ports.directory(),
            hashes: ports.address_hashes(),
            promotions: ports.promotions(),
            regions: ports.region_client(),
            wallets: ports.wallets(),
            windows: ports.rate_windows(),
            workspaces: ports.workspaces(),
        }
    }

    /// What the codes of a user stand for. Both count as one try. A promo code is claimed for the user's mailbox, after the referral code
    /// was found valid.
    ///
    /// # Errors
    ///
    /// A code is not valid, or the user tried too many codes.
    pub async fn check(
        &self,
        user: &User,
        codes: &OpeningCodes,
        call: &RequestContext<Person>,
    ) -> Result<OpeningOffers, CodeError> {
        if codes.is_empty() {
            return Ok(OpeningOffers::default());
        }
        let taken = promo_tries::take(&*self.windows, user.id, call.now).await?;
        taken.map_err(CodeError::TooManyCodes)?;
        let referral = match codes.referral {
            Some(code) => Some(self.referral(code, call).await?),
            None => None,
        };
        let promotion = match &codes.promo {
            Some(code) => Some(self.promotion(user, code, call.now).await?),
            None => None,
        };
        Ok(OpeningOffers { promotion, referral })
    }

    /// The referral by the user with this code, who may be in another region.
    async fn referral(
        &self,
        code: ReferralCode,
        call: &RequestContext<Person>,
    ) -> Result<Referral, CodeError> {
        // The other region is asked only about codes that were issued.
        let tag = self.hashes.referral_tag(code.region, code.workspace).await?;
        if !tag.matches(code.tag) {
            return Err(CodeError::NoSuchReferral);
        }
        let found = if code.region == call.region {
            referrer::find(&*self.wallets, &*self.workspaces, code.workspace).await?
        } else {
            let query = ReferrerQuery { workspace: code.workspace };
            self.regions.ask::<FindReferrer, _>(code.region, &query, BRIEFLY).await?
        };
        match found {
            FoundReferrer { open: true, .. } => Ok(Referral::by(code)),
            FoundReferrer { full: true, .. } => Err(CodeError::ReferrerFull),
            FoundReferrer { .. } => Err(CodeError::NoSuchReferral),
        }
    }

    /// The promotion of a code that the user can redeem. Claims the code for the user's mailbox.
    async fn promotion(&self, user: &User, code: &PromoCode, now: Timestamp) -> Result<Promotion, CodeError> {
        let promotion = self.promotions.find(code);
        let hashes = self.hashes.credit_hashes(&user.primary_email);
        let (promotion, hashes) = futures::try_join!(promotion, hashes)?;
        let promotion = promotion.filter(|promotion| promotion.is_open(now));
        let promotion = promotion.ok_or(CodeError::PromoUnavailable)?;
        let grant = CreditGrant::Promo(promotion.code.clone());
        let claim = CreditClaim::new(hashes.mailbox, grant, user.id, promotion.amount);
        match self.directory.grant_credit(&claim, &[], now).await? {
            CreditClaimed::Yes(_) => Ok(promotion),
            _ => Err(CodeError::RedeemedBefore),
        }
    }
}
