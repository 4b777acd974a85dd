//! `POST /internal/regions/memberships`: keeps a copy of a membership of a user of this region. An earlier copy that arrives later
//! changes nothing.

use std::sync::Arc;

use domain::{
    ports::{CopyKept, Failure, TeamsElsewhere},
    team::MembershipCopy,
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec, grants::teams_elsewhere, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keeps a copy of a membership.
pub struct KeepMembership;

/// Dependencies.
pub struct Deps {
    elsewhere: Arc<dyn TeamsElsewhere>,
}

/// The copy is kept, unless the user is gone.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptMembership {
    /// Whether the account of the user was deleted.
    pub user_gone: bool,
}
impl Output for KeptMembership {}

impl Endpoint for KeepMembership {
    const SPEC: Spec = spec("region-memberships", Post, "/internal/regions/memberships")
        .summary("Keep a copy of a membership in another region")
        .access(Access::region())
        .uses(&[teams_elsewhere::KEEP_COPY]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<MembershipCopy>;
    type Output = KeptMembership;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { elsewhere: ports.teams_elsewhere() }
    }

    async fn handle(
        deps: &Deps,
        _: &RequestContext<OtherRegion>,
        Body(copy): Self::Input,
    ) -> Result<KeptMembership, Failure> {
        let kept = deps.elsewhere.keep_copy(&copy).await?;
        Ok(KeptMembership { user_gone: kept == CopyKept::UserGone })
    }
}
