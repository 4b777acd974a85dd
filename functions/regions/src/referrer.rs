//! `POST /internal/regions/referrer`: whether a user of this region can refer another user. The region that asks learns nothing else of
//! the user.

use std::sync::Arc;

use domain::{
    id::WorkspaceId,
    ports::{Failure, Outcome, Wallets, Workspaces},
    referral::MOST_REFERRALS,
    workspace::WorkspaceKind,
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec,
    grants::{wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Finds a referrer.
pub struct FindReferrer;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// The referrer that a referral code names.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ReferrerQuery {
    /// The personal workspace of the referrer.
    pub workspace: WorkspaceId,
}

/// Whether the referrer can refer users.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct FoundReferrer {
    /// The account exists and has fewer than the most rewards.
    pub open: bool,
    /// The account exists and has the most rewards. Absent in answers of older versions.
    #[serde(default)]
    pub full: bool,
}
impl Output for FoundReferrer {}

impl Endpoint for FindReferrer {
    const SPEC: Spec = spec("region-referrer", Post, "/internal/regions/referrer")
        .summary("Check whether a user of this region can refer a user of another region")
        .access(Access::region())
        .uses(&[workspaces::FIND, wallets::FIND]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<ReferrerQuery>;
    type Output = FoundReferrer;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        _: &RequestContext<OtherRegion>,
        Body(ReferrerQuery { workspace }): Self::Input,
    ) -> Result<FoundReferrer, Failure> {
        find(&*deps.wallets, &*deps.workspaces, workspace).await
    }
}

/// Whether a workspace is a personal one of this region, and whether it has the most rewards.
///
/// # Errors
///
/// If AWS fails.
pub async fn find(
    wallets: &dyn Wallets,
    workspaces: &dyn Workspaces,
    id: WorkspaceId,
) -> Outcome<FoundReferrer> {
    let (workspace, wallet) = futures::try_join!(workspaces.find(id), wallets.find(id))?;
    let is_personal = workspace.is_some_and(|workspace| workspace.kind == WorkspaceKind::Personal);
    let is_full = wallet.is_some_and(|wallet| wallet.rewards >= MOST_REFERRALS);
    Ok(FoundReferrer { open: is_personal && !is_full, full: is_personal && is_full })
}
