//! `POST /api/billing/subscription-checkout`: opens a page of Stripe on which a person subscribes to the plan Pro. The plan begins when
//! Stripe says that it was paid. A new page closes the one before it, so that nobody subscribes twice.

use std::sync::Arc;

use domain::{
    Timestamp,
    payment::{BillingCycle, Subscription},
    permissions::{ManagesBilling, Member},
    plan::Plan,
    ports::{
        Checkout, CheckoutKind, CheckoutRequest, Failure, PaymentError, PaymentRecords, Payments,
        RateWindows, Rounds, Saved, StepKey,
    },
    role::Role,
    text::Invalid,
    throttle::Wait,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Body, Code, Endpoint, Permitted, Ports, Problem, RequestContext, Spec, Whole,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{allowance, checkout::OpenedCheckout, customer, refusals};

/// The most seats of the plan Pro.
pub const MOST_SEATS: i64 = 5;

/// Opens a page on which a person subscribes.
pub struct Subscribe;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
}

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
    pub enum Error from Failure {
        /// The workspace has a plan already.
        Subscribed => Problem::new(Code::Conflict, "This workspace has a plan already. Change or resume it."),
        /// More seats are taken than the subscription would have, or a personal workspace would have several.
        Seats(least: u64) => Problem::field("seats", &Invalid(seats_needed(least).into())),
        /// Stripe did not open a page.
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
    type Deps = Deps;
    type Input = Body<SubscribeBody>;
    type Output = OpenedCheckout;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), records: ports.payment_records(), windows: ports.rate_windows() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<OpenedCheckout, Error> {
        let (proof, workspace) = (&call.caller.proof, &call.caller.who.workspace);
        let seats = seats_of(workspace, form.seats, call.now)?;
        allowance::take(&*deps.windows, workspace.id, call.now).await?.map_err(Error::TooMany)?;
        let kind = CheckoutKind::Subscribe { cycle: form.billing_cycle, seats };
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let ports = (&*deps.records, &*deps.payments);
            let account = customer::of(ports, proof, call.region, call.now).await??;
            if account.running().is_some() {
                return Err(Error::Subscribed);
            }
            if let Some(page) = &account.subscribe_page {
                deps.payments.expire_checkout(page).await??;
                // The page may have been used a moment ago.
                let subscriptions = deps.payments.subscriptions(&account.customer).await??;
                if subscriptions.iter().any(Subscription::is_alive) {
                    return Err(Error::Subscribed);
                }
            }
            let page = deps.payments.return_url(call.host());
            let request = CheckoutRequest {
                customer: account.customer.clone(),
                workspace: workspace.id,
                region: call.region,
                kind,
                success_url: format!("{page}?checkout={{CHECKOUT_SESSION_ID}}"),
                cancel_url: page,
            };
            let step =
                StepKey(format!("subscribe-{}-{}", call.id::<domain::id::OfRequest>(), account.version));
            let opened = deps.payments.open_checkout(&request, &step).await??;
            let mut replaced = account.next();
            replaced.subscribe_page = Some(opened.id.clone());
            if deps.records.replace_account(proof, &replaced).await? == Saved::Yes {
                return shown(opened);
            }
            // Another request was faster.
            deps.payments.expire_checkout(&opened.id).await??;
        }
    }
}

fn shown(opened: Checkout) -> Result<OpenedCheckout, Error> {
    let url = opened.url.ok_or_else(|| Failure::Broken("an open Checkout session has no page".to_owned()))?;
    Ok(OpenedCheckout { url, session_id: opened.id.to_string() })
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
