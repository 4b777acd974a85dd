//! `GET /api/account/summary`: who am I, and what do I have? The public client's login check: its answer has these members
//! and no others.

use std::sync::Arc;

use domain::{
    plan::Plan,
    ports::{Failure, Resources, Workspaces},
    profile::DisplayName,
    role::Role,
    usage::Usage,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Call, Endpoint, Grant, Items, KeyOrMember, Output, Ports, Problem, Spec, spec, spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Sums an account up.
pub struct Summarize;

/// What it works with.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    resources: Arc<dyn Resources>,
}

/// An account in short.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    username: String,
    name: DisplayName,
    account_type: WorkspaceKind,
    plan: Plan,
    /// Whole cents.
    credits_cents: i64,
    counts: Counts,
    /// The user's teams; always empty to a key.
    teams: Vec<Team>,
}
impl Output for Summary {}

/// How many of each there are, without those in the trash.
#[derive(Serialize, JsonSchema)]
pub struct Counts {
    projects: u64,
    datasets: u64,
    models: u64,
}

/// A team of the user's. There are no teams yet.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    user_id: String,
    username: String,
    plan: Plan,
    region: domain::region::Region,
    role: Role,
}

impl Summary {
    fn new(workspace: Workspace, usage: &Usage) -> Self {
        let &Usage { projects, datasets, models, .. } = usage;
        Self {
            username: workspace.handle.to_string(),
            name: workspace.profile.display_name,
            account_type: workspace.kind,
            plan: workspace.plan,
            credits_cents: workspace.opening_credit.floor_cents(),
            counts: Counts { projects, datasets, models },
            teams: Vec::new(),
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("the workspace is gone")]
    Gone,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Summarize {
    const SPEC: Spec = spec("account-summary", Get, "/api/account/summary")
        .summary("Who am I, and what do I have?")
        .access(Access::KeyOr(Role::Viewer))
        .grants(&[Grant::items("GetItem", Items::Workspaces), Grant::items("GetItem", Items::Usage)]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = ();
    type Output = Summary;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), resources: ports.resources() }
    }

    async fn handle(deps: &Deps, call: &Call<KeyOrMember>, (): ()) -> Result<Summary, Error> {
        let workspace = async {
            match &call.caller {
                KeyOrMember::Member(member) => Ok(member.workspace.clone()),
                KeyOrMember::Key(holder) => deps.workspaces.find(holder.workspace).await?.ok_or(Error::Gone),
            }
        };
        let usage = async { Ok(deps.resources.usage(call.caller.workspace()).await?) };
        let (workspace, usage) = futures::try_join!(workspace, usage)?;
        Ok(Summary::new(workspace, &usage))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Gone => Self::unauthorized("This API key is not valid."),
            Error::Failed(failure) => failure.into(),
        }
    }
}
