//! `GET /api/api-keys`: lists the API keys of a workspace, newest first. `expand=value` includes the complete keys and
//! requires the owner and step-up. `expand=budgets` includes what the keys may spend.

use std::sync::Arc;

use domain::{
    Timestamp,
    api_key::ApiKey,
    id::{KeyId, WorkspaceId},
    permissions::{self, Denied, RevealsKeys},
    ports::{ApiKeys, EncryptionContext, Failure, Outcome, Page, Vault, Wallets, Workspaces},
    profile::KeyName,
    role::Role,
    wallet::Wallet,
    workspace::Workspace,
};
use kit::{
    Access, Code, CursorError, Endpoint, KeyOrMember, NoWorkspace, Output, Params, Ports, Prefetched,
    Problem, RequestContext, Spec, TokenIds,
    cursor::{Cursor, Cursors},
    grants::{api_keys, vault, wallets, workspaces},
    parameters::PageSize,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{budget::KeyBudgetStatus, create::FIELD};

/// Lists API keys.
pub struct ListKeys;

/// Dependencies.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
    vault: Arc<dyn Vault>,
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// Page and level of detail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysQuery {
    /// `value`: include the complete keys. `budgets`: include what the keys may spend in a month.
    #[serde(default)]
    expand: Option<KeyExpansion>,
    /// Cursor from the previous page.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Page size, 1 to 100. Absent: up to 1,000 keys without `nextCursor`, which the reference's client does not know; the
    /// `Link` header names the next page.
    #[serde(default)]
    limit: Option<PageSize<100>>,
}

/// Maximum number of keys in a response.
const ALL: usize = 1_000;

/// Values of `expand`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum KeyExpansion {
    /// Include the complete keys.
    Value,
    /// Include the budgets.
    Budgets,
}

/// A page of API keys.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    keys: Vec<ApiKeyRow>,
    /// Cursor of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
    #[serde(skip)]
    next_page: Option<Cursor>,
}
impl Output for Keys {
    fn next_page(&self) -> Option<&Cursor> {
        self.next_page.as_ref()
    }
}

/// An API key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyRow {
    key_id: KeyId,
    name: KeyName,
    key_prefix: String,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// The complete key, or `null` if decryption fails. Present only with `expand=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Option<String>>,
    /// `true` if decryption of the key fails. Revoke the key and create a new one. Present only with `expand=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<bool>,
    /// The budget, or `null` if the key has none. Present only with `expand=budgets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Option<KeyBudgetStatus>>,
}

kit::errors! {
    pub enum Error from Denied, NoWorkspace, CursorError, Failure {
        /// An API key may not see values.
        NotToKeys => Problem::unauthorized("API keys can't read the values of API keys. Sign in instead."),
    }
}

impl Endpoint for ListKeys {
    const SPEC: Spec = spec("api-keys-list", Get, "/api/api-keys")
        .summary("List a workspace's API keys")
        .access(Access::key_or_member(Role::Owner))
        .problems(&[Code::StepUpRequired])
        .uses(&[workspaces::FIND, api_keys::LIST, vault::REVEAL, wallets::FIND]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Prefetched<Params<KeysQuery>, Records>;
    type Output = Keys;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            keys: ports.api_keys(),
            vault: ports.vault(),
            wallets: ports.wallets(),
            workspaces: ports.workspaces(),
        }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(Params(query), early): &mut Self::Input) {
        if query.cursor.is_none() {
            early.read(records(deps, ids.workspace, None, query)).await;
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<KeyOrMember>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<Keys, Error> {
        let reveals = match query.expand {
            Some(KeyExpansion::Value) => Some(may_reveal(&call.caller)?),
            Some(KeyExpansion::Budgets) | None => None,
        };
        let after = match &query.cursor {
            Some(cursor) => Some(cursors(deps, call).await?.position(cursor)?),
            None => None,
        };
        let records = records(deps, call.caller.workspace(), after, &query);
        let (Page { items, more }, wallet) = early.or_read(records).await?;
        let next_page = match items.last().filter(|_| more) {
            Some(last) => Some(cursors(deps, call).await?.at(&last.id.to_string())),
            None => None,
        };
        let asked = query.limit.is_some() || query.cursor.is_some();
        let next_cursor = next_page.clone().filter(|_| asked);
        let mut keys = rows(deps, call, reveals, items).await?;
        if query.expand == Some(KeyExpansion::Budgets) {
            add_budgets(&mut keys, wallet.as_ref(), call.now);
        }
        Ok(Keys { keys, next_cursor, next_page })
    }
}

impl KeysQuery {
    fn limit(&self) -> usize {
        self.limit.map_or(ALL, PageSize::get)
    }
}

/// A page of keys, and the stored wallet if its budgets are asked for.
type Records = (Page<ApiKey>, Option<Wallet>);

async fn records(
    deps: &Deps,
    workspace: WorkspaceId,
    after: Option<KeyId>,
    query: &KeysQuery,
) -> Outcome<Records> {
    let keys = deps.keys.list(workspace, after, query.limit());
    match query.expand {
        Some(KeyExpansion::Budgets) => futures::try_join!(keys, deps.wallets.find(workspace)),
        Some(KeyExpansion::Value) | None => Ok((keys.await?, None)),
    }
}

/// Adds the budgets. A workspace without a stored wallet has none.
fn add_budgets(keys: &mut [ApiKeyRow], stored: Option<&Wallet>, now: Timestamp) {
    let wallet = stored.map(|wallet| wallet.at(now));
    for row in keys {
        row.budget = Some(wallet.as_ref().and_then(|wallet| KeyBudgetStatus::of(wallet, row.key_id, now)));
    }
}

/// The keys, with their values if the caller may see them.
async fn rows(
    deps: &Deps,
    call: &RequestContext<KeyOrMember>,
    reveals: Option<Reveals<'_>>,
    items: Vec<ApiKey>,
) -> Result<Vec<ApiKeyRow>, Failure> {
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let value = match &reveals {
            Some(reveals) => Some(reveal(deps, call, reveals, &item).await?),
            None => None,
        };
        rows.push(ApiKeyRow {
            key_id: item.id,
            name: item.name,
            key_prefix: item.prefix,
            created_at: item.created_at,
            unreadable: value.as_ref().filter(|value| value.is_none()).map(|_| true),
            key: value,
            budget: None,
        });
    }
    Ok(rows)
}

/// The permission to reveal the keys of a workspace.
type Reveals<'a> = (RevealsKeys, &'a Workspace);

fn may_reveal(caller: &KeyOrMember) -> Result<Reveals<'_>, Error> {
    match caller {
        KeyOrMember::Member(member) => Ok((permissions::may_reveal_keys(member)?, &member.workspace)),
        KeyOrMember::Key(_) => Err(Error::NotToKeys),
    }
}

/// The complete key; `None` if decryption fails, so that one unreadable key does not hide the others.
async fn reveal(
    deps: &Deps,
    call: &RequestContext<KeyOrMember>,
    (proof, workspace): &Reveals<'_>,
    key: &ApiKey,
) -> Result<Option<String>, Failure> {
    let id = key.id.to_string();
    let context = EncryptionContext { workspace, record: &id, field: FIELD };
    match deps.vault.reveal(proof, context, &key.sealed).await {
        Ok(value) => Ok(Some(value.expose().to_owned())),
        Err(error @ Failure::Unreadable) => {
            call.report_defect("UNREADABLE_VALUE", &key.id, &error.to_string());
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// The cursors of this list.
async fn cursors(deps: &Deps, call: &RequestContext<KeyOrMember>) -> Result<Cursors, NoWorkspace> {
    Ok(call.cursors(&*call.caller.workspace_record(&*deps.workspaces).await?, "api-keys"))
}
