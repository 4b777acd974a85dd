//! `GET /api/account/summary`: returns an account summary. The public client's login check requires exactly these members.

use std::sync::Arc;

use domain::{
    Timestamp,
    id::{UserId, WorkspaceId},
    plan::Plan,
    ports::{Failure, Outcome, Resources, Teams, TeamsOfUser, Wallets, Workspaces},
    profile::DisplayName,
    role::Role,
    team::MOST_LISTED,
    usage::Usage,
    wallet::Wallet,
    workspace::{ProfileRecord, Workspace, WorkspaceKind},
};
use kit::{
    Access, Endpoint, KeyOrMember, NoWorkspace, Output, Ports, Prefetched, Problem, RegionClient,
    RequestContext, Spec, TokenIds,
    grants::{resources, teams, wallets, workspaces},
    spec,
    spec::Method::Get,
};
use regions::{team_list::summaries, team_summary::TeamSummary};
use schemars::JsonSchema;
use serde::Serialize;

/// Returns an account summary.
pub struct Summarize;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    regions: RegionClient,
    resources: Arc<dyn Resources>,
    teams: Arc<dyn Teams>,
    wallets: Arc<dyn Wallets>,
}

/// An account summary.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountSummary {
    username: String,
    name: DisplayName,
    account_type: WorkspaceKind,
    plan: Plan,
    /// Balance in whole cents, rounded down, without credit that has expired. Negative if the account owes money.
    credits_cents: i64,
    counts: Counts,
    /// The user's teams in all regions. Empty for API keys, and with `owner` for users from another region than that workspace.
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

impl AccountSummary {
    fn new(
        workspace: &Workspace,
        name: DisplayName,
        usage: &Usage,
        wallet: &Wallet,
        teams: Vec<TeamSummary>,
        now: Timestamp,
    ) -> Self {
        let &Usage { projects, datasets, models, .. } = usage;
        Self {
            username: workspace.handle.to_string(),
            name,
            account_type: workspace.kind,
            plan: workspace.plan_at(now),
            credits_cents: wallet.at(now).balance().floor_cents(),
            counts: Counts { projects, datasets, models },
            teams,
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
        .uses(&[workspaces::FIND, workspaces::PROFILE, resources::USAGE, wallets::FIND, teams::OF]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<(), Records>;
    type Output = AccountSummary;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            workspaces: ports.workspaces(),
            regions: ports.region_client(),
            resources: ports.resources(),
            teams: ports.teams(),
            wallets: ports.wallets(),
        }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(records(deps, ids.workspace, Some(ids.user))).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched((), early): Self::Input,
    ) -> Result<AccountSummary, Error> {
        let workspace = async { Ok::<_, Error>(call.caller.workspace_record(&*deps.workspaces).await?) };
        let user = match &call.caller {
            KeyOrMember::Member(member) => Some(member.user),
            KeyOrMember::Key(_) => None,
        };
        let records = early.or_read(records(deps, call.caller.workspace(), user));
        let records = async { Ok::<_, Error>(records.await?) };
        let (workspace, (record, usage, wallet, teams)) = futures::try_join!(workspace, records)?;
        let name = record.ok_or(Error::Gone)?.profile.display_name;
        let wallet = wallet.unwrap_or_else(|| Wallet::unopened(&workspace).0);
        let teams = match user {
            Some(user) => summaries(&deps.regions, user, &teams, call.now).await,
            None => Vec::new(),
        };
        Ok(AccountSummary::new(&workspace, name, &usage, &wallet, teams, call.now))
    }
}

/// The profile, how much there is of each kind, the wallet, and the user's teams.
type Records = (Option<ProfileRecord>, Usage, Option<Wallet>, TeamsOfUser);

async fn records(deps: &Deps, workspace: WorkspaceId, user: Option<UserId>) -> Outcome<Records> {
    let teams = async {
        match user {
            Some(user) => deps.teams.of(user, MOST_LISTED).await,
            None => Ok(TeamsOfUser::default()),
        }
    };
    let (profile, usage) = (deps.workspaces.profile(workspace), deps.resources.usage(workspace));
    futures::try_join!(profile, usage, deps.wallets.find(workspace), teams)
}
