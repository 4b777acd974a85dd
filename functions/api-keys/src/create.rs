//! `POST /api/api-keys`: creates an API key. Requires step-up, because the key outlives the session. The key is
//! encrypted before it is stored, and returned only once.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ResourceType},
    api_key::{ApiKey, KeyHolder, KeySecret},
    domain_events::DomainEvent,
    id::{KeyId, OfKey},
    permissions::{MakesKeys, Member},
    ports::{ApiKeys, EncryptionContext, Failure, Vault},
    profile::KeyName,
    role::Role,
    secret::Secret,
};
use kit::{
    Access, Body, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Spec,
    grants::{api_keys, extras, vault},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Creates an API key.
pub struct CreateKey;

/// Dependencies.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
    vault: Arc<dyn Vault>,
}

/// The API key to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyBody {
    /// Display name. Need not be unique.
    name: KeyName,
}

/// The created API key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedKey {
    key_id: KeyId,
    /// The complete key.
    key: String,
    key_prefix: String,
    name: KeyName,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
}
impl Output for CreatedKey {}

kit::errors! {
    pub enum Error from Failure {
        /// The key was revoked meanwhile.
        Gone => Problem::not_found(),
    }
}

/// The name of the value in the encryption context.
pub(crate) const FIELD: &str = "api-key";

impl Endpoint for CreateKey {
    const SPEC: Spec = spec("api-keys-create", Post, "/api/api-keys")
        .summary("Create an API key")
        .access(Access::member(Role::Owner).step_up())
        .answers(201)
        .once()
        .uses(&[vault::OPEN, vault::SEAL, api_keys::FIND, api_keys::CREATE, extras::EVENT, extras::MESSAGE]);
    type Caller = Permitted<Member, MakesKeys>;
    type Deps = Deps;
    type Input = Body<CreateKeyBody>;
    type Output = CreatedKey;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { keys: ports.api_keys(), vault: ports.vault() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<CreatedKey, Error> {
        let Permitted { who: member, proof } = &call.caller;
        if let Some(id) = call.made_before::<KeyId>() {
            let key = deps.keys.find(proof.workspace(), id).await?.ok_or(Error::Gone)?;
            let value = deps.vault.open(context(member, &id.to_string()), &key.sealed).await?;
            return Ok(CreatedKey::new(key, &value));
        }
        let (id, value) = (call.id::<OfKey>(), KeySecret::generate(call.entropy(), call.region));
        let shown = Secret::new(value.expose().to_owned());
        let sealed = deps.vault.seal(context(member, &id.to_string()), &shown).await?;
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
        let notice = DomainEvent::ApiKeyCreated {
            workspace: key.workspace,
            user: member.user,
            key: id,
            name: key.name.clone(),
        };
        let extras = call.extras(Some(event), Some(notice), id);
        deps.keys.create(proof, &key, &holder(member, &key), extras).await?;
        Ok(CreatedKey::new(key, &shown))
    }
}

impl CreatedKey {
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

fn context<'a>(member: &'a Member, record: &'a str) -> EncryptionContext<'a> {
    EncryptionContext { workspace: &member.workspace, record, field: FIELD }
}

fn holder(member: &Member, key: &ApiKey) -> KeyHolder {
    KeyHolder {
        key: key.id,
        name: key.name.clone(),
        workspace: member.workspace.id,
        handle: member.workspace.handle.clone(),
        kind: member.workspace.kind,
        region: member.workspace.region,
    }
}
