//! `GET /api/account/summary`: returns an account summary. The public client's login check requires exactly these members.

use std::sync::Arc;

use domain::{
    id::WorkspaceId,
    plan::Plan,
    ports::{Failure, Outcome, Resources, Workspaces},
    profile::DisplayName,
    role::Role,
    usage::Usage,
    workspace::{ProfileRecord, Workspace, WorkspaceKind},
};
use kit::{
    Access, Endpoint, KeyOrMember, NoWorkspace, Output, Ports, Prefetched, Problem, RequestContext, Spec,
    TokenIds,
    grants::{resources, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Returns an account summary.
pub struct Summarize;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    resources: Arc<dyn Resources>,
}

/// An account summary.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountSummary {
    username: String,
    name: DisplayName,
    account_type: WorkspaceKind,
    plan: Plan,
    /// Balance in whole cents.
    credits_cents: i64,
    counts: Counts,
    /// The user's teams. Always empty for API keys.
    teams: Vec<TeamSummary>,
}
impl Output for AccountSummary {}

/// Number of resources of each type, excluding the trash.
#[derive(Serialize, JsonSchema)]
pub struct Counts {
    projects: u64,
    datasets: u64,
    models: u64,
}

/// A team of the user. Teams are not available yet.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamSummary {
    user_id: String,
    username: String,
    plan: Plan,
    region: domain::region::Region,
    role: Role,
}

impl AccountSummary {
    fn new(workspace: &Workspace, name: DisplayName, usage: &Usage) -> Self {
        let &Usage { projects, datasets, models, .. } = usage;
        Self {
            username: workspace.handle.to_string(),
            name,
            account_type: workspace.kind,
            plan: workspace.plan,
            credits_cents: workspace.opening_credit.floor_cents(),
            counts: Counts { projects, datasets, models },
            teams: Vec::new(),
        }
    }
}

kit::errors! {
    pub enum Error from NoWorkspace, Failure {
        /// The workspace is gone.
        Gone => Problem::invalid_key(),
    }
}

impl Endpoint for Summarize {
    const SPEC: Spec = spec("account-summary", Get, "/api/account/summary")
        .summary("Get an account summary")
        .access(Access::key_or_member(Role::Viewer))
        .uses(&[workspaces::FIND, workspaces::PROFILE, resources::USAGE]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<(), Records>;
    type Output = AccountSummary;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), resources: ports.resources() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(records(deps, ids.workspace)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched((), early): Self::Input,
    ) -> Result<AccountSummary, Error> {
        let workspace = async { Ok::<_, Error>(call.caller.workspace_record(&*deps.workspaces).await?) };
        let records = async { Ok::<_, Error>(early.or_read(records(deps, call.caller.workspace())).await?) };
        let (workspace, (record, usage)) = futures::try_join!(workspace, records)?;
        Ok(AccountSummary::new(&workspace, record.ok_or(Error::Gone)?.profile.display_name, &usage))
    }
}

/// The profile, and how much there is of each kind.
type Records = (Option<ProfileRecord>, Usage);

async fn records(deps: &Deps, workspace: WorkspaceId) -> Outcome<Records> {
    futures::try_join!(deps.workspaces.profile(workspace), deps.resources.usage(workspace))
}
