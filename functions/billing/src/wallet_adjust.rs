//! `POST /internal/wallets/adjustments`: gives or takes credit by an operator's decision, with a reason that the workspace sees. Once
//! for each reference.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    id::{RequestedId, WorkspaceId},
    money::MicroUsd,
    permissions::ChangesWallets,
    ports::{Failure, Rounds, Saved, Wallets, Workspaces},
    reference::Reference,
    text::Invalid,
    wallet::{AdjustmentReason, Booking, Cause, Lot, LotId, LotKind, Posting, PostingType, Refusal},
    workspace::Workspace,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Service, Spec,
    grants::{extras, wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{micros::SignedMicros, refusals, stored_wallet::StoredWallet};

/// Gives or takes credit.
pub struct AdjustWallet;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// A correction.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AdjustmentBody {
    /// The workspace.
    workspace: RequestedId<WorkspaceId>,
    /// The name of the correction. The same correction under the same name is made once.
    reference: Reference,
    /// The change of the balance, in millionths of a US dollar. A negative amount must not exceed what the workspace can spend.
    amount_micro_usd: SignedMicros,
    /// When the credit expires, in the future and within ten years. Without it, it does not expire.
    #[serde(default)]
    #[schemars(schema_with = "kit::input::optional_date_time")]
    expires_at: Option<Timestamp>,
    /// The reason, one line, which the workspace sees.
    reason: AdjustmentReason,
}

/// The correction as it was made.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adjusted {
    /// The number of the transaction.
    transaction: u64,
    /// The change of the balance, in millionths of a US dollar.
    amount_micro_usd: i64,
    /// The balance now, in millionths of a US dollar.
    balance_micro_usd: i64,
}
impl Output for Adjusted {}

kit::errors! {
    pub enum Error from Failure {
        /// There is no such workspace in this region.
        Nobody => Problem::not_found(),
        /// The credit would have expired already, or would expire very late.
        Expires => Problem::field("expiresAt", &Invalid::new("Use a time in the future, within ten years.")),
        /// Another amount was booked under the reference.
        Different => Problem::new(Code::Conflict, "Another amount was booked with this reference."),
        /// The wallet refuses.
        Refused(refusal: Refusal) => refusals::problem(refusal),
    }
}

impl Endpoint for AdjustWallet {
    const SPEC: Spec = spec("wallet-adjust", Post, "/internal/wallets/adjustments")
        .summary("Give or take credit, with a reason")
        .access(Access::service())
        .problems(&[Code::NotFound, Code::Conflict, Code::InsufficientCredit, Code::PlanLimitReached])
        .uses(&[wallets::WITH_CAUSES, workspaces::FIND, wallets::BOOK, extras::EVENT]);
    type Caller = Permitted<Service, ChangesWallets>;
    type Deps = Deps;
    type Input = Body<AdjustmentBody>;
    type Output = Adjusted;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<Adjusted, Error> {
        let id = form.workspace.known().ok_or(Error::Nobody)?;
        let (cause, amount) = (Cause::Adjustment(form.reference), form.amount_micro_usd.0);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let causes = std::slice::from_ref(&cause);
            let (workspace, (stored, booked)) =
                futures::try_join!(deps.workspaces.find(id), deps.wallets.with_causes(id, causes))?;
            let workspace = workspace.ok_or(Error::Nobody)?;
            let mut booking = StoredWallet::of(&workspace, stored).booking(call.now);
            if let Some(before) = booked.into_iter().flatten().next() {
                let posting = before.posting.filter(|_| before.amount == amount).ok_or(Error::Different)?;
                return Ok(Adjusted::new(posting, amount, &booking));
            }
            let reason = Some(form.reason.to_string());
            let posting = adjust(&mut booking, amount, form.expires_at, cause.clone(), reason);
            let posting = posting.map_err(|refusal| match refusal {
                Refusal::Expired => Error::Expires,
                other => Error::Refused(other),
            })?;
            let adjusted = Adjusted::new(posting.number, amount, &booking);
            let Some(change) = booking.finish() else { return Ok(adjusted) };
            let event = event(call, &workspace, posting.number);
            let extras = call.extras(Some(event), None, "");
            if deps.wallets.book(&call.caller.proof, &change, extras).await? == Saved::Yes {
                return Ok(adjusted);
            }
        }
    }
}

impl Adjusted {
    fn new(transaction: u64, amount: MicroUsd, booking: &Booking) -> Self {
        let balance = booking.wallet().balance();
        Self { transaction, amount_micro_usd: amount.micros(), balance_micro_usd: balance.micros() }
    }
}

/// The line in the history. An actor is a user: the owner, with a note that a service acted. Amount and reason are in the transaction, which
/// fewer people may read.
fn event<C>(call: &RequestContext<C>, workspace: &Workspace, transaction: u64) -> ActivityEvent {
    let actor = Actor { user: workspace.owner, key: None };
    let event = call.event(workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event = event.about(workspace.id, &workspace.handle);
    let details = [("by", Value::from("service")), ("transaction", transaction.into())];
    event.metadata.extend(details.map(|(name, value)| (name.to_owned(), value)));
    event
}

fn adjust(
    booking: &mut Booking,
    amount: MicroUsd,
    expires: Option<Timestamp>,
    cause: Cause,
    reason: Option<String>,
) -> Result<Posting, Refusal> {
    if amount < MicroUsd::ZERO {
        return booking.debit(amount.negated(), cause, reason);
    }
    let lot = Lot { id: LotId::new(LotKind::Adjustment, expires), amount };
    booking.credit(PostingType::Adjustment, lot, cause, reason)
}
