//! `GET /api/billing/auto-topup`: the settings of automatic top-ups, and how they go.

use std::sync::Arc;

use domain::{
    Timestamp,
    payment::Cents,
    permissions::Member,
    ports::{Failure, Wallets},
    role::Role,
    wallet::{AutoTopUp, TopUpPause},
};
use kit::{Access, Endpoint, Output, Ports, RequestContext, Spec, grants::wallets, spec, spec::Method::Get};
use schemars::JsonSchema;
use serde::Serialize;

/// The threshold in cents that is proposed: $20.
const PROPOSED_THRESHOLD: u32 = 2_000;
/// The amount in cents that is proposed: $100.
const PROPOSED_AMOUNT: u32 = 10_000;
/// The cap in cents that is proposed: $500.
const PROPOSED_CAP: u32 = 50_000;

/// Returns the settings.
pub struct ReadAutoTopUp;

/// The ports.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
}

/// Automatic top-ups.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownAutoTopUp {
    /// Whether credit is bought automatically.
    enabled: bool,
    /// Credit is bought when less than this can be spent, in US cents.
    threshold_cents: u32,
    /// The amount of a payment, in US cents.
    amount_cents: u32,
    /// The most that is paid in a calendar month (UTC), in US cents.
    monthly_cap_cents: u32,
    /// The amount that was paid this month, in US cents.
    spent_this_month_cents: u32,
    /// Since when somebody agrees that the card is charged without being asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    agreed_at: Option<Timestamp>,
    /// Why no credit is bought: `declined`, `authentication-required`, `no-payment-method`,
    /// `payment-taken-back` or `unknown`. Choose another payment method,
    /// or agree again, to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<&'static str>,
}
impl Output for ShownAutoTopUp {}

impl ShownAutoTopUp {
    /// The settings; without any, those that are proposed.
    pub fn new(settings: Option<&AutoTopUp>, now: Timestamp) -> Self {
        let cents = |of: fn(&AutoTopUp) -> Cents, proposed| settings.map_or(proposed, |it| of(it).get());
        Self {
            enabled: settings.is_some_and(|it| it.enabled),
            threshold_cents: cents(|it| it.threshold, PROPOSED_THRESHOLD),
            amount_cents: cents(|it| it.amount, PROPOSED_AMOUNT),
            monthly_cap_cents: cents(|it| it.monthly_cap, PROPOSED_CAP),
            spent_this_month_cents: settings.map_or(0, |it| it.spent_at(now).get()),
            agreed_at: settings.filter(|it| it.enabled).map(|it| it.agreed_at),
            paused: settings.and_then(|it| it.paused).map(|pause| match pause {
                TopUpPause::Declined => "declined",
                TopUpPause::AuthenticationRequired => "authentication-required",
                TopUpPause::NoPaymentMethod => "no-payment-method",
                TopUpPause::PaymentTakenBack => "payment-taken-back",
                TopUpPause::Unknown => "unknown",
            }),
        }
    }
}

impl Endpoint for ReadAutoTopUp {
    const SPEC: Spec = spec("billing-auto-topup-read", Get, "/api/billing/auto-topup")
        .summary("Get the settings of automatic top-ups")
        .access(Access::member(Role::Admin))
        .uses(&[wallets::FIND]);
    type Caller = Member;
    type Deps = Deps;
    type Input = ();
    type Output = ShownAutoTopUp;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        (): Self::Input,
    ) -> Result<ShownAutoTopUp, Failure> {
        let wallet = deps.wallets.find(call.caller.workspace.id).await?;
        let settings = wallet.as_ref().and_then(|wallet| wallet.auto_top_up.as_ref());
        Ok(ShownAutoTopUp::new(settings, call.now))
    }
}
