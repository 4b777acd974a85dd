//! `POST /api/billing/subscription-checkout`: opens a page of Stripe on which a person subscribes to the plan Pro. The plan begins when
//! Stripe says that it was paid. A new page closes the one before it, so that nobody subscribes twice.

use domain::{
    Timestamp,
    payment::{BillingCycle, SubscriptionStatus},
    permissions::{ManagesBilling, Member},
    plan::Plan,
    ports::{CheckoutKind, Failure, PaymentError, Rounds, Saved},
    role::Role,
    text::Invalid,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Body, Code, Endpoint, Permitted, Ports, Problem, Spec, Whole,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    checkout::OpenedCheckout,
    stripe_deps::{ManagerCall, StripeDeps, StripeError},
};

/// The most seats of the plan Pro.
pub const MOST_SEATS: i64 = 5;

/// Opens a page on which a person subscribes.
pub struct Subscribe;

/// The subscription.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SubscribeBody {
    /// How often it is paid.
    billing_cycle: BillingCycle,
    /// The seats of a team: at least as many as members and pending invitations take. Without it, that many. A personal workspace has one.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5))]
    seats: Option<Whole<1, MOST_SEATS>>,
}

kit::errors! {
    pub enum Error from StripeError, Failure {
        /// The workspace has a plan already.
        Subscribed => Problem::new(Code::Conflict, "This workspace has a plan already. Change or resume it."),
        /// The workspace has a subscription, whose last invoice is not paid.
        Unpaid => Problem::new(
            Code::Conflict,
            "The last invoice of this workspace is not paid. Choose another payment method, or pay the invoice.",
        ),
        /// More seats are taken than the subscription would have, or a personal workspace would have several.
        Seats(least: u64) => Problem::field("seats", &Invalid(seats_needed(least).into())),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::StripeError(error.into())
    }
}

impl Endpoint for Subscribe {
    const SPEC: Spec = spec("billing-subscribe", Post, "/api/billing/subscription-checkout")
        .summary("Subscribe to the plan Pro")
        .access(Access::member(Role::Admin))
        .problems(&[Code::Conflict, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payment_records::OPEN_ACCOUNT,
            payment_records::REPLACE_ACCOUNT,
            payments::CREATE_CUSTOMER,
            payments::OPEN_CHECKOUT,
            payments::EXPIRE_CHECKOUT,
            payments::SUBSCRIPTIONS,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = StripeDeps;
    type Input = Body<SubscribeBody>;
    type Output = OpenedCheckout;
    type Error = Error;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &ManagerCall,
        Body(form): Self::Input,
    ) -> Result<OpenedCheckout, Error> {
        let seats = seats_of(&call.caller.who.workspace, form.seats, call.now)?;
        deps.count_change(call).await?;
        let kind = CheckoutKind::Subscribe { cycle: form.billing_cycle, seats };
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let account = deps.account(call).await??;
            if let Some(stored) = account.running() {
                return Err(has_one(stored.status));
            }
            if let Some(page) = &account.subscribe_page {
                deps.payments.expire_checkout(page).await??;
                // The page may have been used a moment ago.
                let subscriptions = deps.payments.subscriptions(&account.customer).await??;
                if let Some(found) = subscriptions.iter().find(|found| found.is_alive()) {
                    return Err(has_one(found.status));
                }
            }
            let opened = deps.open_page(call, &account, kind).await??;
            let mut replaced = account.next();
            replaced.subscribe_page = Some(opened.id.clone());
            if deps.records.replace_account(&call.caller.proof, &replaced).await? == Saved::Yes {
                return Ok(OpenedCheckout::of(opened)?);
            }
            // Another request was faster.
            deps.payments.expire_checkout(&opened.id).await??;
        }
    }
}

/// Why a workspace with a subscription that is not over gets no other one.
const fn has_one(status: SubscriptionStatus) -> Error {
    if status.is_unpaid() { Error::Unpaid } else { Error::Subscribed }
}

/// The seats of the new subscription.
fn seats_of(
    workspace: &Workspace,
    wanted: Option<Whole<1, MOST_SEATS>>,
    now: Timestamp,
) -> Result<u32, Error> {
    if workspace.plan_at(now) == Plan::Enterprise {
        return Err(Error::Subscribed);
    }
    let (least, most) = match workspace.kind {
        WorkspaceKind::Team => (workspace.seats_taken.max(1), MOST_SEATS.unsigned_abs()),
        WorkspaceKind::Personal => (1, 1),
    };
    let seats = wanted.map_or(least, |seats| seats.get().unsigned_abs());
    let valid = u32::try_from(seats).ok().filter(|seats| (least..=most).contains(&u64::from(*seats)));
    valid.ok_or(Error::Seats(least))
}

/// Which numbers of seats are possible.
pub fn seats_needed(least: u64) -> String {
    match i64::try_from(least) {
        Ok(1) => {
            "A personal workspace has one seat, and a team one for each member and invitation.".to_owned()
        }
        Ok(least) if least <= MOST_SEATS => {
            format!("Use {least} or more: members and pending invitations take that many seats.")
        }
        _ => format!(
            "Members and pending invitations take {least} seats, and the plan has at most {MOST_SEATS}. Remove some first."
        ),
    }
}
