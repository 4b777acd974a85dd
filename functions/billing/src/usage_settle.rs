//! `POST /internal/usage/settlements`: charges jobs that ended, releases what is held for jobs that did not run, and refunds charges.
//! Each once for a job. Up to 25 jobs of a workspace are booked at a time; a job that is refused leaves the others alone.

use std::{collections::HashSet, sync::Arc};

use domain::{
    id::{RequestedId, WorkspaceId},
    permissions::ChangesWallets,
    ports::{Failure, Outcome, Rounds, Saved, Wallets, Workspaces},
    reference::Reference,
    text::Invalid,
    wallet::{Booked, Booking, Cause, Posting, Settlement},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Service, Spec,
    grants::{wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    job_end::{JobEnd, JobResult},
    refusals, stored_wallet,
};

/// Charges, releases and refunds jobs.
pub struct SettleUsage;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// Jobs of a workspace.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettlementBody {
    /// The workspace that pays.
    workspace: RequestedId<WorkspaceId>,
    /// The jobs, each once.
    jobs: JobEnds,
}

/// Different jobs.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "Vec<JobEnd>")]
#[schemars(inline)]
pub struct JobEnds(#[schemars(length(min = 1, max = 25))] Vec<JobEnd>);

impl TryFrom<Vec<JobEnd>> for JobEnds {
    type Error = Invalid;

    fn try_from(jobs: Vec<JobEnd>) -> Result<Self, Invalid> {
        let different: HashSet<&Reference> = jobs.iter().map(JobEnd::job).collect();
        if !(1..=25).contains(&jobs.len()) {
            return Err(Invalid::new("Use 1 to 25 jobs."));
        }
        if different.len() < jobs.len() {
            return Err(Invalid::new("Use each job only once."));
        }
        Ok(Self(jobs))
    }
}

/// The results of the jobs.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettledJobs {
    /// One result for each job, in the order of the request.
    results: Vec<JobResult>,
    /// The balance now, in millionths of a US dollar.
    balance_micro_usd: i64,
}
impl Output for SettledJobs {}

kit::errors! {
    pub enum Error from Failure {
        /// There is no such workspace in this region.
        Nobody => Problem::not_found(),
    }
}

impl Endpoint for SettleUsage {
    const SPEC: Spec = spec("usage-settle", Post, "/internal/usage/settlements")
        .summary("Charge, release or refund jobs")
        .access(Access::service())
        .problems(&[Code::NotFound])
        .uses(&[wallets::WITH_CAUSES, wallets::POSTING, workspaces::FIND, wallets::BOOK]);
    type Caller = Permitted<Service, ChangesWallets>;
    type Deps = Deps;
    type Input = Body<SettlementBody>;
    type Output = SettledJobs;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(SettlementBody { workspace, jobs: JobEnds(jobs) }): Self::Input,
    ) -> Result<SettledJobs, Error> {
        let id = workspace.known().ok_or(Error::Nobody)?;
        let causes: Vec<Cause> = jobs.iter().flat_map(JobEnd::causes).collect();
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let read = stored_wallet::read(&*deps.wallets, &*deps.workspaces, id, &causes).await?;
            let (wallet, booked) = read.ok_or(Error::Nobody)?;
            let mut booking = wallet.booking(call.now);
            let known = Known { causes: &causes, booked };
            let mut results = Vec::with_capacity(jobs.len());
            for job in &jobs {
                let end = end(deps, id, &mut booking, &known, job).await?;
                results.push(JobResult::new(job, end));
            }
            let settled = SettledJobs { results, balance_micro_usd: booking.wallet().balance().micros() };
            let Some(change) = booking.finish() else { return Ok(settled) };
            let extras = call.extras(None, None, "");
            if deps.wallets.book(&call.caller.proof, &change, extras).await? == Saved::Yes {
                return Ok(settled);
            }
        }
    }
}

/// The causes of a request, with the records that the wallet has of them.
struct Known<'a> {
    causes: &'a [Cause],
    booked: Vec<Option<Booked>>,
}

impl Known<'_> {
    fn of(&self, cause: &Cause) -> Option<Booked> {
        let at = self.causes.iter().position(|known| known == cause)?;
        self.booked.get(at).copied().flatten()
    }
}

/// The number of the posting of a job, if it has one, or the reason why the job is refused.
type Ended = Result<Option<u64>, (Code, String)>;

/// Ends a job.
async fn end(
    deps: &Deps,
    workspace: WorkspaceId,
    booking: &mut Booking,
    known: &Known<'_>,
    ended: &JobEnd,
) -> Outcome<Ended> {
    let refused = |code, sentence: &str| Ok(Err((code, sentence.to_owned())));
    let job = ended.job();
    let charged = known.of(&Cause::Job(job.clone()));
    match ended {
        JobEnd::Settled(cost) => {
            if let Some(before) = charged {
                if before.released {
                    return refused(Code::JobEnded, "The job was released already.");
                }
                if before.amount == cost.cost_micro_usd.0.negated() {
                    return Ok(Ok(before.posting));
                }
                return refused(Code::Conflict, "The job was settled with another cost.");
            }
            let settlement = Settlement {
                job: job.clone(),
                cost: cost.cost_micro_usd.0,
                overage: cost.overage_micro_usd.0,
                record: cost.record(),
            };
            Ok(numbered(booking.settle(settlement)))
        }
        JobEnd::Released(_) => {
            match charged {
                Some(before) if before.released => return Ok(Ok(None)),
                Some(_) => return refused(Code::JobEnded, "The job was settled already."),
                None => {}
            }
            Ok(numbered(booking.release(job).map(|()| None)))
        }
        JobEnd::Refunded(refund) => {
            let amount = refund.amount_micro_usd.0;
            if let Some(before) = known.of(&Cause::Refund(job.clone())) {
                if before.amount == amount {
                    return Ok(Ok(before.posting));
                }
                return refused(Code::Conflict, "Another amount of the job was refunded.");
            }
            let Some(posting) = posting(deps, workspace, charged).await? else {
                return refused(Code::Conflict, "The job was not charged.");
            };
            Ok(numbered(booking.refund(&posting, amount).map(Some)))
        }
    }
}

fn numbered(posting: Result<Option<Posting>, domain::wallet::Refusal>) -> Ended {
    let posting = posting.map_err(|refusal| (refusals::code(refusal), refusals::sentence(refusal)))?;
    Ok(posting.map(|posting| posting.number))
}

/// The charge of a job.
async fn posting(deps: &Deps, workspace: WorkspaceId, charged: Option<Booked>) -> Outcome<Option<Posting>> {
    match charged.and_then(|charged| charged.posting) {
        Some(number) => deps.wallets.posting(workspace, number).await,
        None => Ok(None),
    }
}
