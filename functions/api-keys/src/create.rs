//! `POST /api/api-keys`: make a key. Its value is encrypted before it is stored and answered once here.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ResourceType},
    api_key::{ApiKey, KeyHolder, KeySecret},
    id::{KeyId, OfKey},
    outbox::Notice,
    policy::{self, Denied, Member},
    ports::{ApiKeys, Failure, Place, Vault},
    profile::KeyName,
    role::Role,
    secret::Secret,
};
use kit::{
    Access, Body, Call, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes a key.
pub struct Create;

/// What it works with.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
    vault: Arc<dyn Vault>,
}

/// The key to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What to call it; names may repeat.
    name: KeyName,
}

/// A new key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    key_id: KeyId,
    /// The whole key.
    key: String,
    key_prefix: String,
    name: KeyName,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
}
impl Output for Created {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the key was revoked since")]
    Gone,
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The value's name in what it is encrypted for.
pub(crate) const FIELD: &str = "api-key";

impl Endpoint for Create {
    const SPEC: Spec = spec("api-keys-create", Post, "/api/api-keys")
        .summary("Make an API key")
        .access(Access::Member(Role::Owner))
        .answers(201)
        .once()
        .grants(&[
            Grant::data_keys("Decrypt"),
            Grant::items("GetItem", Items::Keys),
            Grant::items("PutItem", Items::Keys),
            Grant::items("PutItem", Items::KeyHolders),
            Grant::items("ConditionCheckItem", Items::Workspaces),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Receipts),
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Created;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { keys: ports.api_keys(), vault: ports.vault() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, Body(form): Self::Input) -> Result<Created, Error> {
        let member = &call.caller;
        let proof = policy::may_manage_keys(member)?;
        if let Some(id) = call.made_before::<KeyId>() {
            let key = deps.keys.find(proof.workspace(), id).await?.ok_or(Error::Gone)?;
            let value = deps.vault.open(place(member, &id.to_string()), &key.sealed).await?;
            return Ok(Created::new(key, &value));
        }
        let (id, value) = (call.id::<OfKey>(), KeySecret::generate(call.entropy(), call.region));
        let shown = Secret::new(value.expose().to_owned());
        let sealed = deps.vault.seal(place(member, &id.to_string()), &shown).await?;
        let key = ApiKey {
            id,
            workspace: proof.workspace(),
            name: form.name,
            prefix: value.prefix(),
            hash: value.hash(),
            sealed,
            created_at: call.now,
        };
        let mut event = call.event(key.workspace, member.actor(), Action::Created, ResourceType::ApiKey);
        (event.resource_id, event.resource_name) = (Some(id.to_string()), Some(key.name.to_string()));
        let notice = Notice::ApiKeyCreated {
            workspace: key.workspace,
            user: member.user,
            key: id,
            name: key.name.clone(),
        };
        let alongside = call.alongside(Some(event), Some(notice), id);
        deps.keys.create(&proof, &key, &holder(member, &key), alongside).await?;
        Ok(Created::new(key, &shown))
    }
}

impl Created {
    fn new(key: ApiKey, value: &Secret) -> Self {
        Self {
            key_id: key.id,
            key: value.expose().to_owned(),
            key_prefix: key.prefix,
            name: key.name,
            created_at: key.created_at,
        }
    }
}

fn place<'a>(member: &'a Member, record: &'a str) -> Place<'a> {
    Place { workspace: &member.workspace, record, field: FIELD }
}

fn holder(member: &Member, key: &ApiKey) -> KeyHolder {
    KeyHolder {
        key: key.id,
        name: key.name.clone(),
        workspace: member.workspace.id,
        handle: member.workspace.handle.clone(),
        owner: member.workspace.owner,
        region: member.workspace.region,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Gone => Self::not_found(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
