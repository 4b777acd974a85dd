//! `DELETE /api/{projects,datasets,models}/{id}`: moves a resource to the trash, a project with all its models.
//! Restorable for 30 days.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::Action,
    ports::{Live, Resources, Rounds, Saved, Trash},
    role::Role,
    trash::{Origin, Trashed, moment},
};
use kit::{
    Access, Editor, Endpoint, Output, Params, Ports, RequestContext, Spec,
    grants::{extras, resources, trash},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::{Missing, ResourcePath, Unread};

/// Moves a resource to the trash.
pub struct TrashResource;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
    trash: Arc<dyn Trash>,
}

/// The resource was moved to the trash.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    success: bool,
    /// The resource can be restored until this time.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
    /// Number of models that were moved with a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    cascaded_models: Option<u64>,
}
impl Output for Gone {}

impl Endpoint for TrashResource {
    const SPEC: Spec = spec("resources-trash", Delete, "/api/{kind}/{id}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Move a project, dataset or model to the trash")
        .access(Access::key_or_member(Role::Editor))
        .uses(&[resources::FIND_WITH_USAGE, trash::PUT, extras::EVENT]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = Params<ResourcePath>;
    type Output = Gone;
    type Error = Unread;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), trash: ports.trash() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        Params(one): Self::Input,
    ) -> Result<Gone, Unread> {
        let (proof, id) = (&call.caller.proof, one.id()?);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (live, usage) = deps.resources.find_with_usage(proof.workspace(), id).await?;
            let live = live.ok_or(Missing)?;
            let (resource, at) = (live.resource.clone(), moment(call.now, &usage));
            let trashed = Trashed { resource, origin: origin(&live), by: proof.actor(), at };
            let of = id.kind().in_history();
            let mut event = call.event(proof.workspace(), proof.actor(), Action::Trashed, of);
            event = event.about(id, &trashed.resource.name);
            let extras = call.extras(Some(event), None, "");
            if deps.trash.put(proof, &live, &trashed, extras).await? == Saved::Yes {
                let models = id.project().map(|_| trashed.resource.models);
                return Ok(Gone { success: true, expires_at: trashed.expires_at(), cascaded_models: models });
            }
        }
    }
}

/// The project of the resource.
fn origin(live: &Live) -> Option<Origin> {
    let project = live.project.as_ref()?;
    Some(Origin { id: project.id.project()?, name: project.name.clone(), slug: project.slug.clone() })
}
