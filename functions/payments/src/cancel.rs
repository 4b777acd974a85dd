//! `DELETE /api/billing/subscription-checkout`: ends the subscription with its period, or lets it go on (`{"resume": true}`). Doing it
//! twice changes nothing.

use std::sync::Arc;

use domain::{
    permissions::{ManagesBilling, Member},
    ports::{Failure, PaymentError, PaymentRecords, Payments, RateWindows, Workspaces},
    role::Role,
    throttle::Wait,
};
use kit::{
    Access, Code, Endpoint, OptionalBody, Permitted, Ports, Problem, RequestContext, RunContext, Spec,
    grants::{extras, payment_records, payments, rate_windows, workspaces},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    allowance,
    applied_subscription::{SubscriptionPorts, apply_to},
    refusals,
    shown_subscription::ShownSubscription,
};

/// Ends a subscription with its period.
pub struct CancelSubscription;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

/// The request.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Whether the subscription goes on after all.
    #[serde(default)]
    resume: bool,
}

kit::errors! {
    pub enum Error from Failure {
        /// The workspace has no subscription.
        Nothing => Problem::new(Code::Conflict, "This workspace has no subscription. Subscribe first."),
        /// Stripe does not answer.
        Stripe(error: PaymentError) => refusals::problem(error),
        /// The workspace called Stripe too often.
        TooMany(wait: Wait) => allowance::exhausted(wait),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::Stripe(error)
    }
}

impl Endpoint for CancelSubscription {
    const SPEC: Spec = spec("billing-cancel", Delete, "/api/billing/subscription-checkout")
        .summary("Cancel or resume the subscription")
        .access(Access::member(Role::Admin))
        .problems(&[Code::Conflict, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payments::SET_CANCEL_AT_PERIOD_END,
            payments::SUBSCRIPTION,
            payments::CANCEL_NOW,
            payments::BILLING_DETAILS,
            payments::SET_DEFAULT_METHOD,
            payments::EXPIRE_CHECKOUT,
            payments::USE_DEFAULT_METHOD,
            workspaces::FIND,
            payment_records::SUBSCRIBE,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = Deps;
    type Input = OptionalBody<CancelBody>;
    type Output = ShownSubscription;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            payments: ports.payments(),
            records: ports.payment_records(),
            windows: ports.rate_windows(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        OptionalBody(CancelBody { resume }): Self::Input,
    ) -> Result<ShownSubscription, Error> {
        let workspace = call.caller.proof.workspace();
        allowance::take(&*deps.windows, workspace, call.now).await?.map_err(Error::TooMany)?;
        let account = deps.records.account(workspace).await?.ok_or(Error::Nothing)?;
        let id = account.running().ok_or(Error::Nothing)?.id.clone();
        deps.payments.set_cancel_at_period_end(&id, !resume).await??;
        let ports = SubscriptionPorts {
            payments: &*deps.payments,
            records: &*deps.records,
            workspaces: &*deps.workspaces,
        };
        let job = RunContext { now: call.now, region: call.region, entropy: call.shared_entropy() };
        apply_to(&ports, &id, workspace, &job).await?;
        let account = deps.records.account(workspace).await?.ok_or(Error::Nothing)?;
        Ok(account.subscription.as_ref().ok_or(Error::Nothing)?.into())
    }
}
