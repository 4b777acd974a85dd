//! `DELETE /api/settings/icon`: removes a workspace's picture. Its colour and initials stay. Without a picture, nothing happens.

use std::sync::Arc;

use domain::{
    blob::Blobs,
    permissions::{EditsProfile, Member},
    ports::Workspaces,
    role::Role,
    settings::IconChange,
};
use kit::{
    Access, Endpoint, Output, Permitted, Ports, RequestContext, Spec,
    grants::{blobs, extras, workspaces},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    icon_upload::{Error, show},
    icons::remove_others,
};

/// Removes a picture.
pub struct RemoveIcon;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    blobs: Arc<dyn Blobs>,
}

/// The workspace has no picture.
#[derive(Serialize, JsonSchema)]
pub struct RemovedIcon {
    /// Always `true`.
    success: bool,
}
impl Output for RemovedIcon {}

impl Endpoint for RemoveIcon {
    const SPEC: Spec = spec("icon-remove", Delete, "/api/settings/icon")
        .summary("Remove a workspace's picture")
        .access(Access::member(Role::Admin))
        .uses(&[
            workspaces::PROFILE,
            workspaces::SAVE_PROFILE,
            blobs::ICONS_UNDER,
            blobs::DELETE_ICONS,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Permitted<Member, EditsProfile>;
    type Deps = Deps;
    type Input = ();
    type Output = RemovedIcon;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), blobs: ports.blobs() }
    }

    async fn handle(deps: &Deps, call: &RequestContext<Self::Caller>, (): ()) -> Result<RemovedIcon, Error> {
        let replaced = show(&*deps.workspaces, call, IconChange::default()).await?;
        let workspace = call.caller.who.workspace.id;
        remove_others(&*deps.blobs, call, workspace, None, replaced).await;
        Ok(RemovedIcon { success: true })
    }
}
