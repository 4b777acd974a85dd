//! `POST /internal/promotions`: makes a promo code that people of this region can redeem. Doing it twice changes nothing.

use std::sync::Arc;

use domain::{
    Timestamp,
    money::MicroUsd,
    ports::{Failure, Promotions, Saved},
    promotion::{PromoCode, Promotion},
    text::Invalid,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Ports, Problem, RequestContext, Service, Spec, Whole,
    grants::promotions, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::micros::Micros;

/// Makes a promo code.
pub struct CreatePromotion;

/// Dependencies.
pub struct Deps {
    promotions: Arc<dyn Promotions>,
}

/// The most that a code is worth.
const MOST: MicroUsd = MicroUsd::dollars(1_000);

/// A promotion.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PromotionBody {
    /// The code.
    code: PromoCode,
    /// The credit, in millionths of a US dollar: more than 0, and at most $1,000.
    amount_micro_usd: Micros,
    /// How many people can redeem the code: 1 to 1000000.
    most: Whole<1, 1_000_000>,
    /// From when on nobody can redeem the code. Without it, the code does not end.
    #[serde(default)]
    #[schemars(schema_with = "kit::input::optional_date_time")]
    ends_at: Option<Timestamp>,
    /// For how many days the credit can be spent: 1 to 3650. Without it, the credit does not expire.
    #[serde(default)]
    credit_days: Option<Whole<1, 3_650>>,
}

/// A promotion as it is stored.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionMade {
    /// The code.
    code: PromoCode,
    /// How many people can redeem it.
    most: u64,
    /// How many did.
    redeemed: u64,
}
impl Output for PromotionMade {}

kit::errors! {
    pub enum Error from Failure {
        /// The code would be worth nothing, or too much.
        Amount => Problem::field("amountMicroUsd", &Invalid::new("Use more than 0 and at most 1000000000.")),
        /// The code would have ended already.
        EndsBefore => Problem::field("endsAt", &Invalid::new("Use a time in the future.")),
        /// Another promotion has the code.
        Different => Problem::new(Code::Conflict, "Another promotion has this code."),
    }
}

impl Endpoint for CreatePromotion {
    const SPEC: Spec = spec("promo-create", Post, "/internal/promotions")
        .summary("Make a promo code")
        .access(Access::service())
        .problems(&[Code::Conflict])
        .uses(&[promotions::CREATE, promotions::FIND]);
    type Caller = Service;
    type Deps = Deps;
    type Input = Body<PromotionBody>;
    type Output = PromotionMade;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { promotions: ports.promotions() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Service>,
        Body(form): Self::Input,
    ) -> Result<PromotionMade, Error> {
        let amount = form.amount_micro_usd.0;
        if amount == MicroUsd::ZERO || amount > MOST {
            return Err(Error::Amount);
        }
        let promotion = Promotion {
            code: form.code,
            amount,
            ends_at: form.ends_at,
            credit_days: form.credit_days.and_then(|days| u32::try_from(days.get()).ok()),
            most: form.most.get().unsigned_abs(),
            redeemed: 0,
        };
        if promotion.has_ended(call.now) {
            // The same request may have arrived before its end.
            let stored = deps.promotions.find(&promotion.code).await?;
            let same = stored.filter(|stored| stored.is_like(&promotion)).ok_or(Error::EndsBefore)?;
            return Ok(PromotionMade::of(same));
        }
        if deps.promotions.create(&promotion).await? == Saved::Yes {
            return Ok(PromotionMade::of(promotion));
        }
        let stored = deps.promotions.find(&promotion.code).await?;
        let same = stored.filter(|stored| stored.is_like(&promotion)).ok_or(Error::Different)?;
        Ok(PromotionMade::of(same))
    }
}

impl PromotionMade {
    fn of(promotion: Promotion) -> Self {
        Self { code: promotion.code, most: promotion.most, redeemed: promotion.redeemed }
    }
}
