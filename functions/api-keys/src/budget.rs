//! `PATCH /api/api-keys`: sets what the jobs of an API key may spend in a calendar month, in UTC, or removes the budget. Doing it
//! twice changes nothing and answers the same.
//!
//! It needs no step-up, because it shows no value: who can lift a budget can spend the credit of the workspace without a key.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, ResourceType},
    api_key::ApiKey,
    id::{KeyId, RequestedId, WorkspaceId},
    money::MicroUsd,
    permissions::{ChangesWallets, Member},
    ports::{ApiKeys, Failure, Outcome, Rounds, Saved, Wallets},
    role::Role,
    wallet::{MOST_BUDGETS, StoredWallet, TooManyBudgets, Wallet},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Spec, Whole,
    grants::{api_keys, extras, wallets},
    spec,
    spec::Method::Patch,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

/// Sets or removes the budget of an API key.
pub struct SetKeyBudget;

/// Dependencies.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
    wallets: Arc<dyn Wallets>,
}

/// The budget.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyBudgetBody {
    /// The API key.
    id: RequestedId<KeyId>,
    /// The most that its jobs may spend in a calendar month (UTC), in cents, or `null` for any amount. Only what they spend from now on
    /// is counted.
    #[serde(deserialize_with = "whole_cents")]
    #[schemars(schema_with = "cents_schema")]
    monthly_budget_cents: Option<MicroUsd>,
}

/// The most cents of a budget: a million dollars.
const MOST_CENTS: i64 = 100_000_000;
/// The micro-USD of a cent.
const CENT: i64 = 10_000;

/// Whole cents, or `null`. The member is required.
fn whole_cents<'de, D: Deserializer<'de>>(from: D) -> Result<Option<MicroUsd>, D::Error> {
    let cents = Option::<Whole<1, MOST_CENTS>>::deserialize(from)?;
    Ok(cents.map(|cents| MicroUsd::new(cents.get().saturating_mul(CENT))))
}

fn cents_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 1, "maximum": MOST_CENTS })
}

/// The budget of an API key and what is left of it, in whole cents, rounded down.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyBudgetStatus {
    /// The most that jobs of the key may spend in a calendar month (UTC).
    monthly_cents: i64,
    /// What they spent this month since the budget was set. It exceeds the budget if a job cost more than was held for it, or if the
    /// budget was lowered.
    spent_cents: i64,
    /// What new jobs can spend this month. Amounts that are held for running jobs count as spent.
    left_cents: i64,
}

impl KeyBudgetStatus {
    /// The budget of a key in the wallet of this time, if it has one.
    pub(crate) fn of(wallet: &Wallet, key: KeyId, now: Timestamp) -> Option<Self> {
        let budget = wallet.budget_of(key)?;
        Some(Self {
            monthly_cents: budget.monthly.floor_cents(),
            spent_cents: budget.spent_at(now).floor_cents(),
            left_cents: wallet.left_of(budget, now).floor_cents(),
        })
    }
}

/// The budget now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyBudgetSet {
    key_id: KeyId,
    /// The budget, or `null` if the key has none.
    budget: Option<KeyBudgetStatus>,
}
impl Output for KeyBudgetSet {}

kit::errors! {
    pub enum Error from Failure {
        /// The key does not exist.
        NotFound => Problem::not_found(),
        /// The most keys have budgets.
        TooMany => Problem::new(
            Code::PlanLimitReached,
            format!("At most {MOST_BUDGETS} API keys of a workspace can have budgets. Remove the budget of another key first."),
        ),
    }
}

impl Endpoint for SetKeyBudget {
    const SPEC: Spec = spec("api-keys-budget", Patch, "/api/api-keys")
        .summary("Set or remove the monthly budget of an API key")
        .access(Access::member(Role::Owner))
        .problems(&[Code::NotFound, Code::PlanLimitReached])
        .uses(&[api_keys::FIND, wallets::FIND, wallets::BOOK_HOLD, extras::EVENT]);
    type Caller = Permitted<Member, ChangesWallets>;
    type Deps = Deps;
    type Input = Body<KeyBudgetBody>;
    type Output = KeyBudgetSet;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { keys: ports.api_keys(), wallets: ports.wallets() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(KeyBudgetBody { id, monthly_budget_cents: monthly }): Self::Input,
    ) -> Result<KeyBudgetSet, Error> {
        let Permitted { who: member, proof } = &call.caller;
        let workspace = &member.workspace;
        let id = id.known().ok_or(Error::NotFound)?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (key, stored) =
                futures::try_join!(deps.keys.find(workspace.id, id), deps.wallets.find(workspace.id))?;
            let key = key.ok_or(Error::NotFound)?;
            let mut booking = StoredWallet::of(workspace, stored).booking(call.now);
            let before = booking.wallet().budget_of(id).map(|budget| budget.monthly);
            if before == monthly {
                return Ok(KeyBudgetSet::new(booking.wallet(), id, call.now));
            }
            let gone = deps.gone(workspace.id, id, booking.wallet()).await?;
            booking.set_budget(id, monthly, &gone).map_err(|TooManyBudgets| Error::TooMany)?;
            let set = KeyBudgetSet::new(booking.wallet(), id, call.now);
            let Some(change) = booking.finish() else { return Ok(set) };
            let extras = call.extras(Some(event(call, &key, before, monthly)), None, "");
            if deps.wallets.book(proof, &change, extras).await? == Saved::Yes {
                return Ok(set);
            }
        }
    }
}

impl Deps {
    /// Keys with budgets that do not exist any more. Each is looked up: a list of keys may lack a new one.
    async fn gone(&self, workspace: WorkspaceId, id: KeyId, wallet: &Wallet) -> Outcome<Vec<KeyId>> {
        let others = wallet.budgets.iter().map(|budget| budget.key).filter(|key| *key != id);
        let lookups = others.map(|key| async move {
            let found = self.keys.find(workspace, key).await?;
            Ok::<_, Failure>(found.is_none().then_some(key))
        });
        Ok(futures::future::try_join_all(lookups).await?.into_iter().flatten().collect())
    }
}

impl KeyBudgetSet {
    fn new(wallet: &Wallet, key: KeyId, now: Timestamp) -> Self {
        Self { key_id: key, budget: KeyBudgetStatus::of(wallet, key, now) }
    }
}

/// The line in the history.
fn event(
    call: &RequestContext<Permitted<Member, ChangesWallets>>,
    key: &ApiKey,
    before: Option<MicroUsd>,
    after: Option<MicroUsd>,
) -> ActivityEvent {
    let actor = call.caller.who.actor();
    let mut event =
        call.event(key.workspace, actor, Action::Updated, ResourceType::ApiKey).about(key.id, &key.name);
    let [from, to] = [before, after].map(|monthly| monthly.map(MicroUsd::floor_cents));
    event.metadata.insert("changes".to_owned(), json!({ "monthlyBudgetCents": { "from": from, "to": to } }));
    event
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value};

    use super::*;

    fn read(budget: &Value) -> Result<Option<i64>, String> {
        let body = json!({ "id": "any", "monthlyBudgetCents": budget });
        let body = from_value::<KeyBudgetBody>(body).map_err(|error| error.to_string())?;
        Ok(body.monthly_budget_cents.map(MicroUsd::micros))
    }

    #[test]
    fn budget_is_whole_cents_within_its_limits_or_null() {
        for (budget, micros) in [
            (json!(1), Some(10_000)),
            (json!(7.0), Some(70_000)),
            (json!(100_000_000), Some(1_000_000_000_000)),
            (json!(null), None),
        ] {
            assert_eq!(read(&budget), Ok(micros), "{budget}");
        }
        let invalid = "Use a whole number from 1 to 100000000.";
        for wrong in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!("5"),
            json!(100_000_001),
            json!(1e300),
            json!(true),
            json!([]),
        ] {
            assert_eq!(read(&wrong), Err(invalid.to_owned()), "{wrong}");
        }
        assert!(from_value::<KeyBudgetBody>(json!({ "id": "any" })).is_err());
    }
}
