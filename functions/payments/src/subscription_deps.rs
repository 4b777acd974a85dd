//! The ports of endpoints that change a subscription, and how they apply the change at once.

use std::sync::Arc;

use domain::{
    payment::SubscriptionId,
    ports::{Outcome, Workspaces},
};
use kit::{Ports, RunContext};

use crate::{
    applied_subscription::{SubscriptionPorts, apply_to},
    shown_subscription::ShownSubscription,
    stripe_deps::{ManagerCall, StripeDeps},
};

/// The ports.
pub struct SubscriptionDeps {
    /// Stripe, and what is stored of it.
    pub stripe: StripeDeps,
    workspaces: Arc<dyn Workspaces>,
}

impl SubscriptionDeps {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self { stripe: StripeDeps::of(ports), workspaces: ports.workspaces() }
    }

    /// Applies the subscription of the caller's workspace after a change at Stripe, without waiting for the event. `None`: the workspace
    /// has no subscription any more.
    pub async fn apply(&self, call: &ManagerCall, id: &SubscriptionId) -> Outcome<Option<ShownSubscription>> {
        let StripeDeps { payments, records, .. } = &self.stripe;
        let ports =
            SubscriptionPorts { payments: &**payments, records: &**records, workspaces: &*self.workspaces };
        let job = RunContext { now: call.now, region: call.region, entropy: call.shared_entropy() };
        let workspace = call.caller.proof.workspace();
        apply_to(&ports, id, workspace, &job).await?;
        let account = records.account(workspace).await?;
        Ok(account.and_then(|account| account.subscription.as_ref().map(Into::into)))
    }
}
