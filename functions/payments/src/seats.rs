//! `PATCH /api/billing/subscription-checkout`: changes the seats of a subscription. Fewer seats take effect with the next period, whose
//! invoice has them; until then the seats stay that are paid for. A seat that is paid for and was given up comes back for nothing; more
//! seats are paid for the rest of the period at once, all in one invoice.

use domain::{
    Timestamp,
    payment::{BillingAccount, PaidSubscription, SeatChange, SeatsReservation, Subscription},
    permissions::{ManagesBilling, Member},
    ports::{Failure, PaymentError, PaymentResult, Rounds, Saved, StepKey},
    role::Role,
    text::Invalid,
    workspace::WorkspaceKind,
};
use jiff::SignedDuration;
use kit::{
    Access, Body, Code, Endpoint, Permitted, Ports, Problem, Spec, Whole,
    grants::{extras, payment_records, payments, rate_windows, workspaces},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    shown_subscription::ShownSubscription,
    stripe_deps::{ManagerCall, StripeError},
    subscribe::{MOST_SEATS, seats_needed},
    subscription_deps::SubscriptionDeps,
};

/// How long an interrupted request keeps others from changing the seats.
const RESERVED: SignedDuration = SignedDuration::from_secs(30);

/// Changes the seats.
pub struct ChangeSeats;

/// The seats.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatsBody {
    /// The number of seats: at least as many as members and pending invitations take.
    seats: Whole<1, MOST_SEATS>,
}

kit::errors! {
    pub enum Error from StripeError, Failure {
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
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::StripeError(error.into())
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
            payments::PAYABLE_INVOICES,
            payments::VOID_INVOICE,
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
    type Deps = SubscriptionDeps;
    type Input = Body<SeatsBody>;
    type Output = ShownSubscription;
    type Error = Error;

    fn deps(ports: &impl Ports) -> SubscriptionDeps {
        SubscriptionDeps::of(ports)
    }

    async fn handle(
        deps: &SubscriptionDeps,
        call: &ManagerCall,
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
        deps.stripe.count_change(call).await?;
        let (account, reserved) = deps.reserve(call, seats).await?;
        let stored = account.running().ok_or(Error::Nothing)?;
        let changed = deps.change_and_apply(call, stored, seats).await;
        deps.free(call, reserved).await?;
        changed
    }
}

impl SubscriptionDeps {
    /// Reserves the account for this request: two changes at the same time would be billed against each other. A request that was
    /// interrupted reserves it for a short time only.
    async fn reserve(
        &self,
        call: &ManagerCall,
        seats: u32,
    ) -> Result<(BillingAccount, SeatsReservation), Error> {
        let workspace = call.caller.proof.workspace();
        let mut account = self.stripe.records.account(workspace).await?.ok_or(Error::Nothing)?;
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
        match self.stripe.records.replace_account(&call.caller.proof, &account).await? {
            Saved::Yes => Ok((account, reserved)),
            Saved::Stale => Err(Error::Busy),
        }
    }

    /// Ends a reservation of this request.
    async fn free(&self, call: &ManagerCall, reserved: SeatsReservation) -> Result<(), Error> {
        let proof = &call.caller.proof;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let account = self.stripe.records.account(proof.workspace()).await?;
            let Some(account) = account.filter(|account| account.seats_change == Some(reserved)) else {
                return Ok(());
            };
            let mut free = account.next();
            free.seats_change = None;
            if self.stripe.records.replace_account(proof, &free).await? == Saved::Yes {
                return Ok(());
            }
        }
    }

    /// Changes the seats at Stripe, and applies the subscription.
    async fn change_and_apply(
        &self,
        call: &ManagerCall,
        stored: &PaidSubscription,
        seats: u32,
    ) -> Result<ShownSubscription, Error> {
        // The number of seats is set, not added: a request that is repeated finds that it is paid.
        let step = format!("seats-{}", call.id::<domain::id::OfRequest>());
        let now = self.stripe.payments.subscription(&stored.id).await??;
        if !now.is_paid() {
            return Err(Error::Nothing);
        }
        self.change(stored, &now, seats, &step).await??;
        self.apply(call, &stored.id).await?.ok_or(Error::Nothing)
    }

    /// Changes the seats at Stripe. Seats that are paid for already are not paid again. If the payment for the others is declined,
    /// nothing changes.
    async fn change(
        &self,
        stored: &PaidSubscription,
        now: &Subscription,
        seats: u32,
        step: &str,
    ) -> PaymentResult<()> {
        let paid = PaidSubscription::after(Some(stored), now).paid_seats;
        let free = seats.min(paid);
        if now.seats != free {
            let step = StepKey(format!("{step}-free"));
            if let Err(error) =
                self.stripe.payments.set_seats(now, free, SeatChange::AtRenewal, &step).await?
            {
                return Ok(Err(error));
            }
        }
        if seats > free {
            let step = StepKey(format!("{step}-paid"));
            let paid = self.stripe.payments.set_seats(now, seats, SeatChange::PayNow, &step).await?;
            if paid.is_err() && now.seats != free {
                let step = StepKey(format!("{}-back", step.0));
                // The next invoice has the seats that it had.
                let _ = self.stripe.payments.set_seats(now, now.seats, SeatChange::AtRenewal, &step).await?;
            }
            return Ok(paid);
        }
        Ok(Ok(()))
    }
}
