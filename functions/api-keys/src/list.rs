//! `GET /api/api-keys`: a workspace's keys, newest first. Metadata; with `expand=value`, to the owner shortly after
//! signing in, the values too.

use std::sync::Arc;

use domain::{
    Timestamp,
    api_key::ApiKey,
    id::KeyId,
    policy::{self, Denied, RevealsKeys},
    ports::{ApiKeys, Failure, Page, Place, Vault, Workspaces},
    profile::KeyName,
    role::Role,
    workspace::Workspace,
};
use kit::{
    Access, Call, Code, Endpoint, Grant, Items, KeyOrMember, Output, Params, Ports, Problem, Spec,
    cursor::{Cursor, Cursors},
    input::PageSize,
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::create::FIELD;

/// Lists keys.
pub struct List;

/// What it works with.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
    vault: Arc<dyn Vault>,
    workspaces: Arc<dyn Workspaces>,
}

/// Which keys, and how much of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `value`: with the keys' values.
    #[serde(default)]
    expand: Option<Expand>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// How many at most: 1 to 100. Absent: as many as one answer holds, 1,000, and no `nextCursor`, which the reference's
    /// client does not know.
    #[serde(default)]
    limit: Option<PageSize<100>>,
}

/// As many keys as one answer holds.
const ALL: usize = 1_000;

/// The one word that `expand` takes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Expand {
    /// The keys' values.
    Value,
}

/// A page of keys.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    keys: Vec<Row>,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for Keys {}

/// A key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    key_id: KeyId,
    name: KeyName,
    key_prefix: String,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// The whole key; only with `expand=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("a key can't see values")]
    NotToKeys,
    #[error("the workspace is gone, or the cursor is not of this list")]
    Refused(Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for List {
    const SPEC: Spec = spec("api-keys-list", Get, "/api/api-keys")
        .summary("List a workspace's API keys")
        .access(Access::KeyOr(Role::Owner))
        .problems(&[Code::StepUpRequired])
        .grants(&[
            Grant::data_keys("Decrypt"),
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("Query", Items::Keys),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = Params<Wanted>;
    type Output = Keys;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { keys: ports.api_keys(), vault: ports.vault(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        Params(wanted): Self::Input,
    ) -> Result<Keys, Error> {
        let reveals = wanted.expand.map(|Expand::Value| may_reveal(&call.caller)).transpose()?;
        let after = match &wanted.cursor {
            Some(cursor) => {
                Some(cursors(deps, &call.caller).await?.position(cursor).map_err(Error::Refused)?)
            }
            None => None,
        };
        let limit = wanted.limit.map_or(ALL, PageSize::get);
        let Page { items, more } = deps.keys.list(call.caller.workspace(), after, limit).await?;
        let asked = wanted.limit.is_some() || wanted.cursor.is_some();
        let next_cursor = match items.last().filter(|_| more && asked) {
            Some(last) => Some(cursors(deps, &call.caller).await?.at(&last.id.to_string())),
            None => None,
        };
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            let value = match &reveals {
                Some((proof, workspace)) => Some(reveal(deps, proof, workspace, &item).await?),
                None => None,
            };
            keys.push(Row {
                key_id: item.id,
                name: item.name,
                key_prefix: item.prefix,
                created_at: item.created_at,
                key: value,
            });
        }
        Ok(Keys { keys, next_cursor })
    }
}

fn may_reveal(caller: &KeyOrMember) -> Result<(RevealsKeys, &Workspace), Error> {
    match caller {
        KeyOrMember::Member(member) => Ok((policy::may_reveal_keys(member)?, &member.workspace)),
        KeyOrMember::Key(_) => Err(Error::NotToKeys),
    }
}

async fn reveal(
    deps: &Deps,
    proof: &RevealsKeys,
    workspace: &Workspace,
    key: &ApiKey,
) -> Result<String, Error> {
    let id = key.id.to_string();
    let place = Place { workspace, record: &id, field: FIELD };
    Ok(deps.vault.reveal(proof, place, &key.sealed).await?.expose().to_owned())
}

/// The cursors of this list.
async fn cursors(deps: &Deps, caller: &KeyOrMember) -> Result<Cursors, Error> {
    let workspace = caller.workspace_record(&*deps.workspaces).await.map_err(Error::Refused)?;
    Ok(Cursors::new(&workspace, "api-keys"))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::NotToKeys => {
                Self::unauthorized("API keys can't see the values of API keys. Sign in instead.")
            }
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
