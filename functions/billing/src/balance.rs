//! `GET /api/billing/balance`: returns the balance of a workspace, and the credit that makes it up, as it is now: without what has
//! expired, whether or not a transaction says so yet.

use std::sync::Arc;

use domain::{
    Timestamp,
    money::MicroUsd,
    permissions::Member,
    plan::Plan,
    ports::{Failure, Wallets},
    role::Role,
    wallet::Wallet,
    workspace::Workspace,
};
use kit::{
    Access, Endpoint, Output, Ports, Prefetched, RequestContext, Spec, TokenIds, grants::wallets, spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{lot_amount::LotAmount, stored_wallet::StoredWallet};

/// Returns the balance.
pub struct ReadBalance;

/// Dependencies.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
}

/// The balance of a workspace.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalletBalance {
    /// The balance in whole cents, rounded down. Negative: the workspace owes this amount.
    credits_cents: i64,
    plan: Plan,
    /// The balance, in millionths of a US dollar.
    balance_micro_usd: i64,
    /// The credit that new jobs can spend, in millionths of a US dollar.
    available_micro_usd: i64,
    /// The credit that is held for running jobs, in millionths of a US dollar.
    held_micro_usd: i64,
    /// The available credit, in the order in which it is spent.
    lots: Vec<LotAmount>,
}
impl Output for WalletBalance {}

impl WalletBalance {
    fn new(workspace: &Workspace, stored: Option<Wallet>, now: Timestamp) -> Self {
        let wallet = StoredWallet::of(workspace, stored).wallet.at(now);
        let held: MicroUsd = wallet.holds.iter().map(|hold| hold.lots.total()).sum();
        Self {
            credits_cents: wallet.balance().floor_cents(),
            plan: workspace.plan_at(now),
            balance_micro_usd: wallet.balance().micros(),
            available_micro_usd: wallet.lots.total().micros(),
            held_micro_usd: held.micros(),
            lots: LotAmount::all(&wallet.lots),
        }
    }
}

impl Endpoint for ReadBalance {
    const SPEC: Spec = spec("billing-balance", Get, "/api/billing/balance")
        .summary("Get a workspace's balance")
        .access(Access::member(Role::Viewer))
        .uses(&[wallets::FIND]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Prefetched<(), Option<Wallet>>;
    type Output = WalletBalance;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets() }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched((), early): &mut Self::Input) {
        early.read(deps.wallets.find(ids.workspace)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Prefetched((), early): Self::Input,
    ) -> Result<WalletBalance, Failure> {
        let workspace = &call.caller.workspace;
        let stored = early.or_read(deps.wallets.find(workspace.id)).await?;
        Ok(WalletBalance::new(workspace, stored, call.now))
    }
}
