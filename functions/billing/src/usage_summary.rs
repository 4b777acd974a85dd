//! `GET /api/billing/usage-summary`: returns the plan of a workspace, what is used of its limits, and its credit. `expand=limits`
//! includes the limits that the reference's client does not know.

use std::sync::Arc;

use domain::{
    Timestamp,
    entitlements::UNLIMITED,
    id::WorkspaceId,
    plan::{Plan, PlanFeatures},
    ports::{Outcome, Resources, Wallets, Workspaces},
    role::Role,
    usage::Usage,
    wallet::{JobCategory, Wallet},
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched, RequestContext, Spec,
    TokenIds,
    grants::{resources, wallets, workspaces},
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
    status: SubscriptionStatus,
    cancel_at_period_end: bool,
    /// The end of the plan. Absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    current_period_end: Option<Timestamp>,
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
pub enum SubscriptionStatus {
    /// It is, or needs no payment.
    Active,
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
    fn new(workspace: &Workspace, now: Timestamp) -> Self {
        let plan = workspace.plan_at(now);
        let license_end = workspace.plan_ends_at.filter(|_| workspace.plan == Plan::Enterprise);
        Self {
            plan_id: plan,
            name: plan.name(),
            status: SubscriptionStatus::Active,
            cancel_at_period_end: false,
            current_period_end: workspace.plan_ends_at.filter(|_| plan != Plan::Free),
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
        (usage, stored): (Usage, Option<Wallet>),
        expand: Option<SummaryExpansion>,
        now: Timestamp,
    ) -> Self {
        let wallet = StoredWallet::of(workspace, stored).wallet.at(now);
        let metrics = Metric::all(workspace, &usage, &wallet, now);
        let shown = expand.map_or(1, |SummaryExpansion::Limits| metrics.len());
        let is_team = workspace.kind == WorkspaceKind::Team;
        Self {
            plan: PlanStatus::new(workspace, now),
            metrics: metrics.into_iter().take(shown).collect(),
            training_credit: TrainingCredit::new(workspace, &wallet, now),
            features: workspace.plan_at(now).features(),
            credits_cents: wallet.balance().floor_cents(),
            current_seats: is_team.then_some(workspace.seats_taken),
            max_seats: workspace.entitlements(now).seats.filter(|_| is_team),
        }
    }
}

impl Endpoint for ReadUsageSummary {
    const SPEC: Spec = spec("billing-usage-summary", Get, "/api/billing/usage-summary")
        .summary("Get a workspace's plan and what is used of it")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[workspaces::FIND, wallets::FIND, resources::USAGE]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<SummaryQuery>, Records>;
    type Output = UsageSummary;
    type Error = NoWorkspace;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), wallets: ports.wallets(), workspaces: ports.workspaces() }
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

/// The counters of resources, and the stored wallet.
type Records = (Usage, Option<Wallet>);

async fn records(deps: &Deps, workspace: WorkspaceId) -> Outcome<Records> {
    futures::try_join!(deps.resources.usage(workspace), deps.wallets.find(workspace))
}
