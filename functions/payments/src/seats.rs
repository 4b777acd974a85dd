//! `PATCH /api/billing/subscription-checkout`: changes the seats of a subscription. Fewer seats take effect with the next period, whose
//! invoice has them; until then the seats stay that are paid for. A seat that is paid for and was given up comes back for nothing; more
//! seats are paid for the rest of the period at once, all in one invoice.

use std::sync::Arc;

use domain::{
    Timestamp,
    payment::{BillingAccount, PaidSubscription, SeatChange, SeatsReservation, Subscription},
    permissions::{ManagesBilling, Member},
    ports::{
        Failure, PaymentError, PaymentRecords, Payments, RateWindows, Rounds, Saved, StepKey, Workspaces,
    },
    role::Role,
    text::Invalid,
    throttle::Wait,
    workspace::WorkspaceKind,
};
use jiff::SignedDuration;
use kit::{
    Access, Body, Code, Endpoint, Permitted, Ports, Problem, RequestContext, RunContext, Spec, Whole,
    grants::{extras, payment_records, payments, rate_windows, workspaces},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    allowance,
    applied_subscription::{SubscriptionPorts, apply_to},
    refusals,
    shown_subscription::ShownSubscription,
    subscribe::{MOST_SEATS, seats_needed},
};

/// How long an interrupted request keeps others from changing the seats.
const RESERVED: SignedDuration = SignedDuration::from_secs(30);

/// Changes the seats.
pub struct ChangeSeats;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

/// The seats.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatsBody {
    /// The number of seats: at least as many as members and pending invitations take.
    seats: Whole<1, MOST_SEATS>,
}

kit::errors! {
    pub enum Error from Failure {
        /// The workspace has no subscription that is paid.
        Nothing => Problem::new(
            Code::Conflict,
            "This team has no subscription, or an invoice is open. Subscribe, or pay the invoice, first.",
        ),
        /// Another request changes the seats.
        Busy => Problem {
            retry_after: Some(5),
            ..Problem::new(Code::Conflict, "Another change of the seats is in progress. Try again in a moment.")
        },
        /// More seats are taken.
        Seats(taken: u64) => Problem::field("seats", &Invalid(seats_needed(taken).into())),
        /// The payment was declined, or Stripe does not answer.
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

impl Endpoint for ChangeSeats {
    const SPEC: Spec = spec("billing-seats", Patch, "/api/billing/subscription-checkout")
        .summary("Change the seats of the subscription")
        .access(Access::member(Role::Admin))
        .problems(&[Code::Conflict, Code::PaymentDeclined, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payment_records::REPLACE_ACCOUNT,
            payments::SUBSCRIPTION,
            payments::SET_SEATS,
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
    type Input = Body<SeatsBody>;
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
        Body(form): Self::Input,
    ) -> Result<ShownSubscription, Error> {
        let workspace = &call.caller.who.workspace;
        if workspace.kind != WorkspaceKind::Team {
            return Err(Error::Nothing);
        }
        let seats = u32::try_from(form.seats.get()).unwrap_or(1);
        if u64::from(seats) < workspace.seats_taken {
            return Err(Error::Seats(workspace.seats_taken));
        }
        allowance::take(&*deps.windows, workspace.id, call.now).await?.map_err(Error::TooMany)?;
        let (account, reserved) = deps.reserve(call, seats).await?;
        let stored = account.running().ok_or(Error::Nothing)?;
        let changed = deps.change_and_apply(call, stored, seats).await;
        deps.free(call, reserved).await?;
        changed?;
        let account = deps.records.account(workspace.id).await?.ok_or(Error::Nothing)?;
        Ok(account.subscription.as_ref().ok_or(Error::Nothing)?.into())
    }
}

impl Deps {
    /// Reserves the account for this request: two changes at the same time would be billed against each other. A request that was
    /// interrupted reserves it for a short time only.
    async fn reserve(
        &self,
        call: &RequestContext<Permitted<Member, ManagesBilling>>,
        seats: u32,
    ) -> Result<(BillingAccount, SeatsReservation), Error> {
        let workspace = call.caller.proof.workspace();
        let mut account = self.records.account(workspace).await?.ok_or(Error::Nothing)?;
        account.running().ok_or(Error::Nothing)?;
        // The same change may be repeated: a request that was interrupted is.
        let is_other = |change: SeatsReservation| change.ends_at > call.now && change.seats != seats;
        if account.seats_change.is_some_and(is_other) {
            return Err(Error::Busy);
        }
        account = account.next();
        let ends_at = call.now.saturating_add(RESERVED).unwrap_or(Timestamp::MAX);
        let reserved = SeatsReservation { seats, ends_at };
        account.seats_change = Some(reserved);
        match self.records.replace_account(&call.caller.proof, &account).await? {
            Saved::Yes => Ok((account, reserved)),
            Saved::Stale => Err(Error::Busy),
        }
    }

    /// Ends a reservation of this request.
    async fn free(
        &self,
        call: &RequestContext<Permitted<Member, ManagesBilling>>,
        reserved: SeatsReservation,
    ) -> Result<(), Error> {
        let proof = &call.caller.proof;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let account = self.records.account(proof.workspace()).await?;
            let Some(account) = account.filter(|account| account.seats_change == Some(reserved)) else {
                return Ok(());
            };
            let mut free = account.next();
            free.seats_change = None;
            if self.records.replace_account(proof, &free).await? == Saved::Yes {
                return Ok(());
            }
        }
    }

    /// Changes the seats at Stripe, and applies the subscription.
    async fn change_and_apply(
        &self,
        call: &RequestContext<Permitted<Member, ManagesBilling>>,
        stored: &PaidSubscription,
        seats: u32,
    ) -> Result<(), Error> {
        // The number of seats is set, not added: a request that is repeated finds that it is paid.
        let step = format!("seats-{}", call.id::<domain::id::OfRequest>());
        let now = self.payments.subscription(&stored.id).await??;
        if !now.is_paid() {
            return Err(Error::Nothing);
        }
        self.change(stored, &now, seats, &step).await??;
        let ports = SubscriptionPorts {
            payments: &*self.payments,
            records: &*self.records,
            workspaces: &*self.workspaces,
        };
        let job = RunContext { now: call.now, region: call.region, entropy: call.shared_entropy() };
        apply_to(&ports, &stored.id, call.caller.proof.workspace(), &job).await?;
        Ok(())
    }

    /// Changes the seats at Stripe. Seats that are paid for already are not paid again. If the payment for the others is declined,
    /// nothing changes.
    async fn change(
        &self,
        stored: &PaidSubscription,
        now: &Subscription,
        seats: u32,
        step: &str,
    ) -> Result<Result<(), PaymentError>, Failure> {
        let paid = PaidSubscription::after(Some(stored), now).paid_seats;
        let free = seats.min(paid);
        if now.seats != free {
            let step = StepKey(format!("{step}-free"));
            if let Err(error) = self.payments.set_seats(now, free, SeatChange::AtRenewal, &step).await? {
                return Ok(Err(error));
            }
        }
        if seats > free {
            let step = StepKey(format!("{step}-paid"));
            let paid = self.payments.set_seats(now, seats, SeatChange::PayNow, &step).await?;
            if paid.is_err() && now.seats != free {
                let step = StepKey(format!("{}-back", step.0));
                // The next invoice has the seats that it had.
                let _ = self.payments.set_seats(now, now.seats, SeatChange::AtRenewal, &step).await?;
            }
            return Ok(paid);
        }
        Ok(Ok(()))
    }
}
