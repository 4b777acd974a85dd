//! `POST /internal/usage/holds`: reserves credit for a job before it starts, and one of the slots of its category. Doing it twice
//! changes nothing. A hold that is neither settled nor released ends by itself.

use std::sync::Arc;

use domain::{
    Timestamp,
    id::{KeyId, RequestedId, WorkspaceId},
    permissions::ChangesWallets,
    ports::{Failure, Rounds, Saved, Wallets, Workspaces},
    reference::Reference,
    wallet::{Cause, JobCategory, JobStart, Refusal, Wallet},
};
use jiff::SignedDuration;
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Service, Spec, Whole,
    grants::{wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{micros::Micros, refusals, stored_wallet::StoredWallet};

/// Reserves credit for a job.
pub struct HoldUsage;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// How long a hold lasts unless the service says otherwise: a day.
const DEFAULT_SECONDS: i64 = 86_400;

/// A job before its start.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HoldBody {
    /// The workspace that pays.
    workspace: RequestedId<WorkspaceId>,
    /// The job, as the service names it.
    job: Reference,
    /// The category.
    category: JobCategory,
    /// The most that the job may cost, in millionths of a US dollar. 0 reserves a slot only.
    amount_micro_usd: Micros,
    /// For how long, in seconds: 60 to 2592000. Default: a day.
    #[serde(default)]
    expires_in_seconds: Option<Whole<60, 2_592_000>>,
    /// The API key that starts the job. If it has a budget, the amount must be within it, and counts as spent until the job ends.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    api_key: Option<KeyId>,
}

/// A hold.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The job.
    job: Reference,
    /// The amount, in millionths of a US dollar.
    amount_micro_usd: i64,
    /// When the hold ends by itself.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
    /// What the workspace can still spend, in millionths of a US dollar.
    available_micro_usd: i64,
}
impl Output for Held {}

kit::errors! {
    pub enum Error from Failure {
        /// There is no such workspace in this region.
        Nobody => Problem::not_found(),
        /// The job is over.
        Ended => Problem::new(Code::JobEnded, "The job was settled or released already. Use another job for the next hold."),
        /// The wallet refuses.
        Refused(refusal: Refusal) => refusals::problem(refusal),
    }
}

impl Endpoint for HoldUsage {
    const SPEC: Spec = spec("usage-hold", Post, "/internal/usage/holds")
        .summary("Reserve credit for a job")
        .access(Access::service())
        .problems(&[
            Code::NotFound,
            Code::Conflict,
            Code::JobEnded,
            Code::InsufficientCredit,
            Code::KeyBudgetExceeded,
            Code::PlanLimitReached,
        ])
        .uses(&[wallets::WITH_CAUSES, workspaces::FIND, wallets::BOOK_HOLD]);
    type Caller = Permitted<Service, ChangesWallets>;
    type Deps = Deps;
    type Input = Body<HoldBody>;
    type Output = Held;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<Held, Error> {
        let HoldBody { workspace, job, category, amount_micro_usd, expires_in_seconds, api_key } = form;
        let (id, cause) = (workspace.known().ok_or(Error::Nobody)?, [Cause::Job(job.clone())]);
        let lasts = SignedDuration::from_secs(expires_in_seconds.map_or(DEFAULT_SECONDS, Whole::get));
        let expires = call.now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (workspace, (wallet, booked)) =
                futures::try_join!(deps.workspaces.find(id), deps.wallets.with_causes(id, &cause))?;
            let workspace = workspace.ok_or(Error::Nobody)?;
            if booked.iter().any(Option::is_some) {
                return Err(Error::Ended);
            }
            let slots = workspace.entitlements(call.now).of_jobs(category);
            let mut booking = StoredWallet::of(&workspace, wallet).booking(call.now);
            let start = JobStart { category, amount: amount_micro_usd.0, key: api_key, slots };
            booking.hold(&job, start, expires).map_err(Error::Refused)?;
            let held = held(booking.wallet(), &job);
            let Some(change) = booking.finish() else { return held.ok_or(Error::Ended) };
            let extras = call.extras(None, None, "");
            if deps.wallets.book(&call.caller.proof, &change, extras).await? == Saved::Yes {
                return held.ok_or(Error::Ended);
            }
        }
    }
}

/// What a wallet holds for a job.
fn held(wallet: &Wallet, job: &Reference) -> Option<Held> {
    let hold = wallet.holds.iter().find(|hold| hold.job == *job)?;
    Some(Held {
        job: hold.job.clone(),
        amount_micro_usd: hold.amount.micros(),
        expires_at: hold.expires,
        available_micro_usd: wallet.lots.total().micros(),
    })
}
