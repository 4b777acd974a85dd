//! `GET /api/plans`: lists the plans with their prices, credit, limits and features.

use domain::{
    money::MicroUsd,
    plan::{COMPANY_SIGN_UP_CREDIT, PERSONAL_SIGN_UP_CREDIT, Plan, PlanFeatures, SeatPrice},
};
use kit::{Anyone, Endpoint, Output, Ports, Problem, RequestContext, Spec, spec, spec::Method::Get};
use schemars::JsonSchema;
use serde::Serialize;

/// Lists the plans.
pub struct ListPlans;

/// The plans.
#[derive(Serialize, JsonSchema)]
pub struct PlanList {
    plans: Vec<PlanRow>,
}
impl Output for PlanList {}

/// A plan.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanRow {
    plan_id: Plan,
    name: &'static str,
    /// The price of a seat. `null`: the contract sets it.
    price_cents: Option<PriceCents>,
    /// The credit of a month for each seat, in cents. `null`: the contract sets it.
    monthly_credit_cents: Option<i64>,
    /// The credit of a new account. Present for the free plan, with which each account begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_up_credit_cents: Option<SignUpCreditCents>,
    limits: PlanLimits,
    features: PlanFeatures,
}

/// The price of a seat, in cents.
#[derive(Serialize, JsonSchema)]
pub struct PriceCents {
    monthly: i64,
    yearly: i64,
}

/// The credit of a new account, in cents.
#[derive(Serialize, JsonSchema)]
pub struct SignUpCreditCents {
    /// With a personal address.
    personal: i64,
    /// With a company address.
    company: i64,
}

/// The limits of a plan. `null` is unlimited.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanLimits {
    /// Models outside the trash.
    models: Option<u64>,
    /// Bytes in storage, including the trash.
    storage_bytes: Option<u64>,
    /// Bytes of one file of a dataset.
    dataset_upload_bytes: Option<u64>,
    /// Members and pending invitations of a team.
    seats: Option<u64>,
    /// Trainings that run at the same time.
    trainings: Option<u64>,
    /// Deployed models.
    deployments: Option<u64>,
}

impl PlanRow {
    fn new(plan: Plan) -> Self {
        let price = |SeatPrice { monthly, yearly }: SeatPrice| PriceCents {
            monthly: monthly.floor_cents(),
            yearly: yearly.floor_cents(),
        };
        let limits = plan.entitlements();
        Self {
            plan_id: plan,
            name: plan.name(),
            price_cents: plan.price().map(price),
            monthly_credit_cents: plan.monthly_credit().map(MicroUsd::floor_cents),
            sign_up_credit_cents: (plan == Plan::Free).then(|| SignUpCreditCents {
                personal: PERSONAL_SIGN_UP_CREDIT.floor_cents(),
                company: COMPANY_SIGN_UP_CREDIT.floor_cents(),
            }),
            limits: PlanLimits {
                models: limits.models,
                storage_bytes: limits.storage_bytes,
                dataset_upload_bytes: limits.dataset_upload_bytes,
                seats: limits.seats,
                trainings: limits.trainings,
                deployments: limits.deployments,
            },
            features: plan.features(),
        }
    }
}

impl Endpoint for ListPlans {
    const SPEC: Spec = spec("plans-list", Get, "/api/plans").summary("List the plans");
    type Caller = Anyone;
    type Deps = ();
    type Input = ();
    type Output = PlanList;
    type Error = Problem;

    fn deps(_: &impl Ports) {}

    async fn handle((): &(), _: &RequestContext<Anyone>, (): Self::Input) -> Result<PlanList, Problem> {
        Ok(PlanList { plans: Plan::ALL.map(PlanRow::new).into() })
    }
}
