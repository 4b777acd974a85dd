//! `POST /internal/usage/check`: whether a job may start. Reserves nothing: a hold does.

use std::sync::Arc;

use domain::{
    id::{KeyId, RequestedId, WorkspaceId},
    ports::{Failure, Wallets, Workspaces},
    wallet::{JobCategory, JobStart},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Ports, Problem, RequestContext, Service, Spec,
    grants::{wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{micros::Micros, refusals, stored_wallet::StoredWallet};

/// Checks whether a job may start.
pub struct CheckUsage;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// A job before its start.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CheckBody {
    /// The workspace that pays.
    workspace: RequestedId<WorkspaceId>,
    /// The category.
    category: JobCategory,
    /// The estimated cost, in millionths of a US dollar.
    #[serde(default)]
    amount_micro_usd: Micros,
    /// The API key that starts the job. If it has a budget, the job must be within it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    api_key: Option<KeyId>,
}

/// Whether the job may start.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Whether it may.
    allowed: bool,
    /// Why it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What the workspace can spend now, in millionths of a US dollar.
    available_micro_usd: i64,
    /// The number of running jobs of the category that hold credit.
    running: usize,
    /// The most that may run at a time, or `null` for any number.
    limit: Option<u64>,
}
impl Output for Checked {}

kit::errors! {
    pub enum Error from Failure {
        /// There is no such workspace in this region.
        Nobody => Problem::not_found(),
    }
}

impl Endpoint for CheckUsage {
    const SPEC: Spec = spec("usage-check", Post, "/internal/usage/check")
        .summary("Check whether a job may start")
        .access(Access::service())
        .problems(&[Code::NotFound])
        .uses(&[wallets::FIND, workspaces::FIND]);
    type Caller = Service;
    type Deps = Deps;
    type Input = Body<CheckBody>;
    type Output = Checked;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Service>,
        Body(CheckBody { workspace, category, amount_micro_usd, api_key }): Self::Input,
    ) -> Result<Checked, Error> {
        let id = workspace.known().ok_or(Error::Nobody)?;
        let (workspace, wallet) = futures::try_join!(deps.workspaces.find(id), deps.wallets.find(id))?;
        let workspace = workspace.ok_or(Error::Nobody)?;
        let booking = StoredWallet::of(&workspace, wallet).booking(call.now);
        let limit = workspace.entitlements(call.now).of_jobs(category);
        let start = JobStart { category, amount: amount_micro_usd.0, key: api_key, slots: limit };
        let refusal = booking.may_start(start).err();
        Ok(Checked {
            allowed: refusal.is_none(),
            code: refusal.map(refusals::code),
            message: refusal.map(refusals::sentence),
            available_micro_usd: booking.wallet().lots.total().micros(),
            running: booking.wallet().running(category),
            limit,
        })
    }
}
