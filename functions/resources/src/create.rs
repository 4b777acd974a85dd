//! `POST /api/{projects,datasets,models}`: creates a resource.

use std::sync::Arc;

use domain::{
    activity::Action,
    id::{OfDataset, OfModel, OfProject, ProjectId, RequestedId},
    ports::{Created, Failure, Resources, Workspaces},
    resource::{Description, Kind, Resource, ResourceId, ResourceName, Slug, Visibility},
    role::Role,
    text::Invalid,
};
use kit::{
    Access, Body, Code, Editor, Endpoint, NoWorkspace, Params, Ports, Problem, RequestContext, Spec,
    grants::{extras, resources, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::view::{Collection, ResourceRow};

/// Creates a project, dataset or model.
pub struct CreateResource;

/// Dependencies.
pub struct Deps {
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// The collection to add the resource to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionPath {
    kind: Collection,
}

/// The resource to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreateResourceBody {
    /// Name in URLs. Unique per resource type, or per project for models in a project.
    slug: Slug,
    /// Display name. Need not be unique.
    name: ResourceName,
    /// Description.
    #[serde(default, deserialize_with = "domain::text::blank_as_none")]
    description: Option<Description>,
    /// Visibility.
    #[serde(default)]
    visibility: Visibility,
    /// The project of a model.
    #[serde(default)]
    project_id: Option<RequestedId<ProjectId>>,
}

kit::errors! {
    pub enum Error from NoWorkspace, Failure {
        /// Only models are in projects.
        NotInProjects => Problem::field("projectId", &Invalid::new("Only models can belong to a project. Remove `projectId`.")),
        /// There is no such project.
        NoProject => Problem::not_found(),
        /// The slug is in use.
        SlugTaken => Problem::slug_taken(),
        /// The plan's limit is reached.
        LimitReached => Problem::plan_limit_reached(),
        /// The result of the first request is in the trash.
        Gone => Problem::not_found(),
    }
}

impl Endpoint for CreateResource {
    const SPEC: Spec = spec("resources-create", Post, "/api/{kind}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Create a project, dataset or model")
        .access(Access::key_or_member(Role::Editor))
        .answers(201)
        .once()
        .problems(&[Code::SlugTaken, Code::PlanLimitReached, Code::NotFound])
        .uses(&[workspaces::FIND, resources::FIND, resources::CREATE, extras::EVENT]);
    type Caller = Editor;
    type Deps = Deps;
    type Input = (Params<CollectionPath>, Body<CreateResourceBody>);
    type Output = ResourceRow;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Editor>,
        (Params(path), Body(form)): Self::Input,
    ) -> Result<ResourceRow, Error> {
        let proof = &call.caller.proof;
        if let Some(id) = call.made_before::<ResourceId>() {
            let made = deps.resources.find(proof.workspace(), id).await?.ok_or(Error::Gone)?;
            return Ok(made.resource.into());
        }
        let kind = path.kind.kind();
        if form.project_id.is_some() && kind != Kind::Model {
            return Err(Error::NotInProjects);
        }
        let project = match form.project_id {
            Some(id) => Some(id.known().ok_or(Error::NoProject)?),
            None => None,
        };
        let limit = match kind {
            Kind::Model => {
                call.caller.who.workspace_record(&*deps.workspaces).await?.entitlements(call.now).models
            }
            Kind::Project | Kind::Dataset => None,
        };
        let resource = resource(call, kind, project, form);
        let event = call.event(resource.workspace, proof.actor(), Action::Created, kind.in_history());
        let event = event.about(resource.id, &resource.name);
        let extras = call.extras(Some(event), None, resource.id);
        match deps.resources.create(proof, &resource, limit, extras).await? {
            Created::Yes => Ok(resource.into()),
            Created::SlugTaken => Err(Error::SlugTaken),
            Created::NoProject => Err(Error::NoProject),
            Created::LimitReached => Err(Error::LimitReached),
        }
    }
}

fn resource(
    call: &RequestContext<Editor>,
    kind: Kind,
    project: Option<ProjectId>,
    form: CreateResourceBody,
) -> Resource {
    Resource {
        id: match kind {
            Kind::Project => ResourceId::Project(call.id::<OfProject>()),
            Kind::Dataset => ResourceId::Dataset(call.id::<OfDataset>()),
            Kind::Model => ResourceId::Model(call.id::<OfModel>()),
        },
        workspace: call.caller.who.workspace(),
        project,
        slug: form.slug,
        name: form.name,
        description: form.description,
        visibility: form.visibility,
        models: 0,
        size_bytes: 0,
        created_at: call.now,
        updated_at: call.now,
        version: 1,
    }
}
