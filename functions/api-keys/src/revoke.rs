//! `DELETE /api/api-keys?keyId=`: revoke a key, at once and for good. Revoking twice answers 404.

use std::sync::Arc;

use domain::{
    activity::{Action, ResourceType},
    id::KeyId,
    outbox::Notice,
    policy::{self, Denied, Member},
    ports::{ApiKeys, Failure},
    role::Role,
};
use kit::{
    Access, Call, Code, Endpoint, Grant, Items, Output, Params, Ports, Problem, Spec, spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Revokes a key.
pub struct Revoke;

/// What it works with.
pub struct Deps {
    keys: Arc<dyn ApiKeys>,
}

/// Which key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Which {
    key_id: KeyId,
}

/// The key is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Always true.
    deleted: bool,
    key_id: KeyId,
}
impl Output for Revoked {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("no such key")]
    NotFound,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Revoke {
    const SPEC: Spec = spec("api-keys-revoke", Delete, "/api/api-keys")
        .summary("Revoke an API key")
        .access(Access::Member(Role::Owner))
        .problems(&[Code::NotFound])
        .grants(&[
            Grant::items("GetItem", Items::Keys),
            Grant::items("DeleteItem", Items::Keys),
            Grant::items("DeleteItem", Items::KeyHolders),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<Which>;
    type Output = Revoked;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { keys: ports.api_keys() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, Params(which): Self::Input) -> Result<Revoked, Error> {
        let member = &call.caller;
        let proof = policy::may_manage_keys(member)?;
        let key = deps.keys.find(proof.workspace(), which.key_id).await?.ok_or(Error::NotFound)?;
        let mut event = call.event(proof.workspace(), member.actor(), Action::Deleted, ResourceType::ApiKey);
        (event.resource_id, event.resource_name) = (Some(key.id.to_string()), Some(key.name.to_string()));
        let notice = Notice::ApiKeyRevoked { workspace: proof.workspace(), key: key.id };
        if !deps.keys.revoke(&proof, &key, call.alongside(Some(event), Some(notice), key.id)).await? {
            return Err(Error::NotFound);
        }
        Ok(Revoked { deleted: true, key_id: key.id })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::NotFound => Self::not_found(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
