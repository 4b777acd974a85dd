//! `PATCH /api/billing/auto-topup`: sets or ends automatic top-ups. The caller agrees that the default card is charged without being
//! asked; who agreed and when is stored. Agreeing again ends a pause.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, ResourceType},
    payment::Cents,
    permissions::{ManagesBilling, Member, may_set_top_ups},
    ports::{Failure, Rounds, Saved, Wallets},
    role::Role,
    text::Invalid,
    wallet::{AutoTopUp, StoredWallet},
};
use kit::{
    Access, Body, Endpoint, Permitted, Ports, Problem, RequestContext, Spec, Whole,
    grants::{extras, wallets},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::auto_topup_read::ShownAutoTopUp;

/// The most in cents: $1,000 of a payment or a threshold.
const MOST: i64 = 100_000;
/// The most in cents that is paid in a month: $10,000.
const MOST_A_MONTH: i64 = 1_000_000;

/// Sets or ends automatic top-ups.
pub struct UpdateAutoTopUp;

/// The ports.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
}

/// The settings. They replace the former ones as a whole.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AutoTopUpBody {
    /// Whether credit is bought automatically.
    enabled: bool,
    /// Whether the caller agrees that the default card is charged without being asked. Needed with `enabled`.
    #[serde(default)]
    agreed: bool,
    /// Credit is bought when less than this can be spent, in US cents: from $1 to $1,000. Without it, $20.
    #[serde(default)]
    #[schemars(range(min = 100, max = 100_000))]
    threshold_cents: Option<Whole<100, MOST>>,
    /// The amount of a payment, in US cents: from $5 to $1,000. Without it, $100.
    #[serde(default)]
    #[schemars(range(min = 500, max = 100_000))]
    amount_cents: Option<Whole<500, MOST>>,
    /// The most that is paid in a calendar month (UTC), in US cents: from the amount to $10,000. Without it, $500.
    #[serde(default)]
    #[schemars(range(min = 500, max = 1_000_000))]
    monthly_cap_cents: Option<Whole<500, MOST_A_MONTH>>,
}

kit::errors! {
    pub enum Error from Failure {
        /// The caller does not agree.
        NotAgreed => Problem::field(
            "agreed",
            &Invalid::new("Agree that the default card is charged without being asked."),
        ),
        /// The cap allows no payment.
        Cap => Problem::field("monthlyCapCents", &Invalid::new("Use at least the amount of a payment.")),
    }
}

/// The settings that a caller agreed to: threshold, amount and cap.
struct Agreed {
    threshold: Cents,
    amount: Cents,
    monthly_cap: Cents,
}

impl AutoTopUpBody {
    /// `None`: no credit is bought.
    fn agreed(&self) -> Result<Option<Agreed>, Error> {
        if !self.enabled {
            return Ok(None);
        }
        if !self.agreed {
            return Err(Error::NotAgreed);
        }
        let cents = |given: Option<i64>, other: u32| {
            Cents::new(given.and_then(|cents| u32::try_from(cents).ok()).unwrap_or(other))
        };
        let agreed = Agreed {
            threshold: cents(self.threshold_cents.map(Whole::get), 2_000),
            amount: cents(self.amount_cents.map(Whole::get), 10_000),
            monthly_cap: cents(self.monthly_cap_cents.map(Whole::get), 50_000),
        };
        if agreed.monthly_cap < agreed.amount { Err(Error::Cap) } else { Ok(Some(agreed)) }
    }
}

impl Endpoint for UpdateAutoTopUp {
    const SPEC: Spec = spec("billing-auto-topup-update", Patch, "/api/billing/auto-topup")
        .summary("Set or end automatic top-ups")
        .access(Access::member(Role::Admin))
        .uses(&[wallets::FIND, wallets::BOOK_SETTINGS, extras::EVENT]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = Deps;
    type Input = Body<AutoTopUpBody>;
    type Output = ShownAutoTopUp;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<ShownAutoTopUp, Error> {
        let agreed = form.agreed()?;
        let (manager, workspace) = (&call.caller.proof, &call.caller.who.workspace);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let stored = deps.wallets.find(workspace.id).await?;
            let mut booking = StoredWallet::of(workspace, stored).booking(call.now);
            let before = booking.wallet().auto_top_up.clone();
            // The same again changes nothing, unless it ends a pause.
            if let Some(same) = before.as_ref().filter(|before| is_agreed(before, agreed.as_ref())) {
                return Ok(ShownAutoTopUp::new(Some(same), call.now));
            }
            let after = match &agreed {
                Some(agreed) => Some(settings(agreed, before.as_ref(), manager, call.now)),
                None => before.map(|before| AutoTopUp { enabled: false, ..before }),
            };
            let shown = ShownAutoTopUp::new(after.as_ref(), call.now);
            let Some(after) = after else { return Ok(shown) };
            booking.set_auto_top_up(after);
            let Some(change) = booking.finish() else { return Ok(shown) };
            let extras = call.extras(Some(event(call, form.enabled)), None, "");
            if deps.wallets.book(&may_set_top_ups(manager), &change, extras).await? == Saved::Yes {
                return Ok(shown);
            }
        }
    }
}

/// Whether the settings are those that are asked for, and go on.
fn is_agreed(before: &AutoTopUp, agreed: Option<&Agreed>) -> bool {
    match agreed {
        Some(&Agreed { threshold, amount, monthly_cap }) => {
            let same =
                (before.threshold, before.amount, before.monthly_cap) == (threshold, amount, monthly_cap);
            before.enabled && same && !before.is_hampered()
        }
        None => !before.enabled,
    }
}

/// The settings after a consent. The amount that was paid this month stays counted, and so does a payment that was begun.
fn settings(
    agreed: &Agreed,
    before: Option<&AutoTopUp>,
    manager: &ManagesBilling,
    now: Timestamp,
) -> AutoTopUp {
    let &Agreed { threshold, amount, monthly_cap } = agreed;
    let mut after = AutoTopUp::agreed(manager.actor().user, now);
    if let Some(before) = before {
        after.goes_on_from(before);
    }
    AutoTopUp { threshold, amount, monthly_cap, ..after }
}

/// The line in the history.
fn event(call: &RequestContext<Permitted<Member, ManagesBilling>>, enabled: bool) -> ActivityEvent {
    let (workspace, actor) = (&call.caller.who.workspace, call.caller.proof.actor());
    let event = call.event(workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event = event.about(workspace.id, &workspace.handle);
    let state = if enabled { "enabled" } else { "disabled" };
    event.metadata.insert("autoTopUp".to_owned(), state.into());
    event
}
