//! `DELETE /api/api-keys?keyId=`: revokes an API key immediately and permanently. Revoking a key twice returns 404.

use std::sync::Arc;

use domain::{
    activity::{Action, ResourceType},
    domain_events::DomainEvent,
    id::{KeyId, RequestedId},
    permissions::{ManagesKeys, Member},
    ports::{ApiKeys, Failure},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Permitted, Ports, Problem, RequestContext, Spec,
    grants::{api_keys, extras},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Revokes an API key.
pub struct RevokeKey;

/// Dependencies.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
}

/// The API key to revoke.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyQuery {
    key_id: RequestedId<KeyId>,
}

/// The API key was revoked.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedKey {
    /// Always `true`.
    deleted: bool,
    key_id: KeyId,
}
impl Output for RevokedKey {}

kit::errors! {
    pub enum Error from Failure {
        /// The key does not exist.
        NotFound => Problem::not_found(),
    }
}

impl Endpoint for RevokeKey {
    const SPEC: Spec = spec("api-keys-revoke", Delete, "/api/api-keys")
        .summary("Revoke an API key")
        .access(Access::member(Role::Owner))
        .problems(&[Code::NotFound])
        .uses(&[api_keys::FIND, api_keys::REVOKE, extras::EVENT, extras::MESSAGE]);
    type Caller = Permitted<Member, ManagesKeys>;
    type Deps = Deps;
    type Input = Params<KeyQuery>;
    type Output = RevokedKey;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { keys: ports.api_keys() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Params(which): Self::Input,
    ) -> Result<RevokedKey, Error> {
        let Permitted { who: member, proof } = &call.caller;
        let id = which.key_id.known().ok_or(Error::NotFound)?;
        let key = deps.keys.find(proof.workspace(), id).await?.ok_or(Error::NotFound)?;
        let mut event = call.event(proof.workspace(), member.actor(), Action::Deleted, ResourceType::ApiKey);
        (event.resource_id, event.resource_name) = (Some(key.id.to_string()), Some(key.name.to_string()));
        let notice = DomainEvent::ApiKeyRevoked { workspace: proof.workspace(), key: key.id };
        if !deps.keys.revoke(proof, &key, call.extras(Some(event), Some(notice), key.id)).await? {
            return Err(Error::NotFound);
        }
        Ok(RevokedKey { deleted: true, key_id: key.id })
    }
}
