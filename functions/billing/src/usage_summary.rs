//! `GET /api/billing/usage-summary`: returns the plan of a workspace, what is used of its limits, and its credit. `expand=limits`
//! includes the limits that the reference's client does not know.

use std::sync::Arc;

use domain::{
    Timestamp,
    entitlements::UNLIMITED,
    id::WorkspaceId,
    money::MicroUsd,
    payment::{BillingAccount, BillingCycle, PaidSubscription},
    plan::{Plan, PlanFeatures},
    ports::{Outcome, PaymentRecords, Resources, Wallets, Workspaces},
    role::Role,
    usage::Usage,
    wallet::{JobCategory, Wallet},
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched, RequestContext, Spec,
    TokenIds,
    grants::{payment_records, resources, wallets, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stored_wallet::StoredWallet;

/// Returns the plan and what is used of it.
pub struct ReadUsageSummary;

/// Dependencies.
pub struct Deps {
    payments: Arc<dyn PaymentRecords>,
    resources: Arc<dyn Resources>,
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// Level of detail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SummaryQuery {
    /// `limits`: include the metrics of models, trainings and deployments, which the reference's client does not know.
    #[serde(default)]
    expand: Option<SummaryExpansion>,
}

/// Values of `expand`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum SummaryExpansion {
    /// Include the metrics of all limits.
    Limits,
}

/// The plan of a workspace, and what is used of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageSummary {
    plan: PlanStatus,
    metrics: Vec<Metric>,
    training_credit: TrainingCredit,
    features: PlanFeatures,
    /// The balance in whole cents, rounded down. Negative: the workspace owes this amount.
    credits_cents: i64,
    /// The seats that are paid until the end of the period. Present with a subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_seats: Option<u32>,
    /// The next invoice in cents, without taxes and credit at Stripe. Present with a subscription that is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_invoice_cents: Option<i64>,
    /// The number of members and pending invitations. Present for teams.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_seats: Option<u64>,
    /// The maximum number of members and pending invitations. Present for teams, unless seats are unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_seats: Option<u64>,
}
impl Output for UsageSummary {}

/// The plan.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    plan_id: Plan,
    name: &'static str,
    status: PaymentStatus,
    cancel_at_period_end: bool,
    /// How often the subscription is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_cycle: Option<BillingCycle>,
    /// The end of the period that is paid or, without a subscription, of the plan. Absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    current_period_end: Option<Timestamp>,
    /// Since when an invoice is open although a payment was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    payment_failed_at: Option<Timestamp>,
    /// The end of the enterprise plan, also when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    enterprise_license_end: Option<Timestamp>,
    /// Whether the enterprise plan is over. Present with `enterpriseLicenseEnd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    license_expired: Option<bool>,
}

/// Whether the plan is paid for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PaymentStatus {
    /// It is, or needs no payment.
    Active,
    /// An invoice is open. The plan ends soon unless it is paid.
    PastDue,
}

/// A limit, and what is used of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    metric_id: MetricId,
    /// `GAUGE`: the current value, and not a sum over a period.
    kind: &'static str,
    /// `NONE`.
    period: &'static str,
    /// 2⁵³ − 1 means no limit.
    limit: u64,
    used: u64,
    remaining: u64,
    /// Whether more than the limit can be used, at a price.
    overage_allowed: bool,
}

/// The name of a metric.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum MetricId {
    /// Bytes in storage, including the trash.
    StorageBytes,
    /// Models outside the trash.
    Models,
    /// Running trainings.
    Trainings,
    /// Deployed models.
    Deployments,
}

/// The credit for jobs, in whole cents.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrainingCredit {
    /// The plan's credit of a month, for all seats of the contract.
    monthly_grant: i64,
    /// The credit that new jobs can spend.
    balance_available: i64,
}

impl PlanStatus {
    fn new(workspace: &Workspace, subscription: Option<&PaidSubscription>, now: Timestamp) -> Self {
        let plan = workspace.plan_at(now);
        let failed = subscription.and_then(|subscription| subscription.payment_failed_at);
        let license_end = workspace.plan_ends_at.filter(|_| workspace.plan == Plan::Enterprise);
        Self {
            plan_id: plan,
            name: plan.name(),
            status: if failed.is_some() { PaymentStatus::PastDue } else { PaymentStatus::Active },
            cancel_at_period_end: subscription.is_some_and(|it| it.cancel_at_period_end),
            billing_cycle: subscription.and_then(|it| it.cycle),
            current_period_end: match subscription {
                Some(subscription) => Some(subscription.period_end),
                None => workspace.plan_ends_at.filter(|_| plan != Plan::Free),
            },
            payment_failed_at: failed,
            enterprise_license_end: license_end,
            license_expired: license_end.map(|end| end <= now),
        }
    }
}

impl Metric {
    fn new(metric_id: MetricId, used: u64, limit: Option<u64>) -> Self {
        let limit = limit.unwrap_or(UNLIMITED);
        let remaining = limit.saturating_sub(used);
        Self { metric_id, kind: "GAUGE", period: "NONE", limit, used, remaining, overage_allowed: false }
    }

    /// The metrics of all limits. The first one is the only one that the reference's client knows.
    fn all(workspace: &Workspace, usage: &Usage, wallet: &Wallet, now: Timestamp) -> [Self; 4] {
        let limits = workspace.entitlements(now);
        let running = |category| u64::try_from(wallet.running(category)).unwrap_or(u64::MAX);
        [
            Self::new(MetricId::StorageBytes, usage.stored_bytes(), limits.storage_bytes),
            Self::new(MetricId::Models, usage.models, limits.models),
            Self::new(MetricId::Trainings, running(JobCategory::Training), limits.trainings),
            Self::new(MetricId::Deployments, running(JobCategory::Deployment), limits.deployments),
        ]
    }
}

impl TrainingCredit {
    fn new(workspace: &Workspace, wallet: &Wallet, now: Timestamp) -> Self {
        Self {
            monthly_grant: workspace.monthly_credit(now).floor_cents(),
            balance_available: wallet.lots.total().floor_cents(),
        }
    }
}

impl UsageSummary {
    fn new(
        workspace: &Workspace,
        (usage, stored, account): Records,
        expand: Option<SummaryExpansion>,
        now: Timestamp,
    ) -> Self {
        let wallet = StoredWallet::of(workspace, stored).wallet.at(now);
        let metrics = Metric::all(workspace, &usage, &wallet, now);
        let shown = expand.map_or(1, |SummaryExpansion::Limits| metrics.len());
        let is_team = workspace.kind == WorkspaceKind::Team;
        let subscription = account.as_ref().and_then(BillingAccount::running);
        let renewed = subscription.filter(|subscription| !subscription.cancel_at_period_end);
        Self {
            plan: PlanStatus::new(workspace, subscription, now),
            metrics: metrics.into_iter().take(shown).collect(),
            training_credit: TrainingCredit::new(workspace, &wallet, now),
            features: workspace.plan_at(now).features(),
            credits_cents: wallet.balance().floor_cents(),
            paid_seats: subscription.map(|subscription| subscription.paid_seats),
            next_invoice_cents: renewed.and_then(next_invoice_cents),
            current_seats: is_team.then_some(workspace.seats_taken),
            max_seats: workspace.entitlements(now).seats.filter(|_| is_team),
        }
    }
}

/// What the seats of the next invoice cost.
fn next_invoice_cents(subscription: &PaidSubscription) -> Option<i64> {
    let price = Plan::Pro.price()?;
    let seat = match subscription.cycle? {
        BillingCycle::Monthly => price.monthly,
        BillingCycle::Yearly => price.yearly,
    };
    seat.times(subscription.seats.into()).map(MicroUsd::floor_cents)
}

impl Endpoint for ReadUsageSummary {
    const SPEC: Spec = spec("billing-usage-summary", Get, "/api/billing/usage-summary")
        .summary("Get a workspace's plan and what is used of it")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[workspaces::FIND, wallets::FIND, resources::USAGE, payment_records::ACCOUNT]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<SummaryQuery>, Records>;
    type Output = UsageSummary;
    type Error = NoWorkspace;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            payments: ports.payment_records(),
            resources: ports.resources(),
            wallets: ports.wallets(),
            workspaces: ports.workspaces(),
        }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(_, early): &mut Self::Input) {
        early.read(records(deps, ids.workspace)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<UsageSummary, NoWorkspace> {
        let workspace = call.caller.workspace_record(&*deps.workspaces);
        let records = early.or_read(records(deps, call.caller.workspace()));
        let records = async { Ok::<_, NoWorkspace>(records.await?) };
        let (workspace, records) = futures::try_join!(workspace, records)?;
        Ok(UsageSummary::new(&workspace, records, query.expand, call.now))
    }
}

/// The counters of resources, the stored wallet, and the account at Stripe.
type Records = (Usage, Option<Wallet>, Option<BillingAccount>);

async fn records(deps: &Deps, workspace: WorkspaceId) -> Outcome<Records> {
    futures::try_join!(
        deps.resources.usage(workspace),
        deps.wallets.find(workspace),
        deps.payments.account(workspace),
    )
}
