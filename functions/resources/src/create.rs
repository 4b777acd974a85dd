//! `POST /api/{projects,datasets,models}`: make one.

use std::sync::Arc;

use domain::{
    activity::Action,
    id::{OfDataset, OfModel, OfProject, ProjectId},
    policy::Denied,
    ports::{Created, Failure, Resources, Workspaces},
    resource::{Description, Kind, Resource, ResourceId, ResourceName, Slug, Visibility},
    role::Role,
    text::Invalid,
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, KeyOrMember, Params, Ports, Problem, Spec, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::view::{Collection, Row};

/// Makes a project, dataset or model.
pub struct Create;

/// What it works with.
pub struct Deps {
    resources: Arc<dyn Resources>,
    workspaces: Arc<dyn Workspaces>,
}

/// Where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Path {
    kind: Collection,
}

/// What to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Form {
    /// Its name in addresses, unique among those of its kind, or of its project.
    slug: Slug,
    /// What to call it; names may repeat.
    name: ResourceName,
    /// What it is about.
    #[serde(default, deserialize_with = "domain::text::blank_as_none")]
    description: Option<Description>,
    /// Who may see it.
    #[serde(default)]
    visibility: Visibility,
    /// Of a model: the project to put it into.
    #[serde(default)]
    project_id: Option<ProjectId>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("only models are in projects")]
    NotInProjects,
    #[error("there is no such project")]
    NoProject,
    #[error("the slug belongs to another")]
    SlugTaken,
    #[error("the plan has no room")]
    LimitReached,
    #[error("what was made is in the trash")]
    Gone,
    #[error("the caller's workspace is gone")]
    Refused(#[from] Problem),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Create {
    const SPEC: Spec = spec("resources-create", Post, "/api/{kind}")
        .kinds(&["projects", "datasets", "models"])
        .summary("Make a project, dataset or model")
        .access(Access::KeyOr(Role::Editor))
        .answers(201)
        .once()
        .problems(&[Code::SlugTaken, Code::PlanLimitReached])
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Projects),
            Grant::items("GetItem", Items::Datasets),
            Grant::items("GetItem", Items::Models),
            Grant::items("PutItem", Items::Projects),
            Grant::items("PutItem", Items::Datasets),
            Grant::items("PutItem", Items::Models),
            Grant::items("PutItem", Items::Groups),
            Grant::items("PutItem", Items::Slugs),
            Grant::items("UpdateItem", Items::Projects),
            Grant::items("UpdateItem", Items::Usage),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Receipts),
        ]);
    type Caller = KeyOrMember;
    type Deps = Deps;
    type Input = (Params<Path>, Body<Form>);
    type Output = Row;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { resources: ports.resources(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<KeyOrMember>,
        (Params(path), Body(form)): Self::Input,
    ) -> Result<Row, Error> {
        let proof = call.caller.edits_resources()?;
        if let Some(id) = call.made_before::<ResourceId>() {
            let made = deps.resources.find(proof.workspace(), id).await?.ok_or(Error::Gone)?;
            return Ok(made.resource.into());
        }
        let kind = path.kind.kind();
        if form.project_id.is_some() && kind != Kind::Model {
            return Err(Error::NotInProjects);
        }
        let limit = match kind {
            Kind::Model => call.caller.workspace_record(&*deps.workspaces).await?.plan.limits().models,
            Kind::Project | Kind::Dataset => None,
        };
        let resource = resource(call, kind, form);
        let event = call.event(resource.workspace, proof.actor(), Action::Created, kind.in_history());
        let event = event.about(resource.id, &resource.name);
        let alongside = call.alongside(Some(event), None, resource.id);
        match deps.resources.create(&proof, &resource, limit, alongside).await? {
            Created::Yes => Ok(resource.into()),
            Created::SlugTaken => Err(Error::SlugTaken),
            Created::NoProject => Err(Error::NoProject),
            Created::LimitReached => Err(Error::LimitReached),
        }
    }
}

fn resource(call: &Call<KeyOrMember>, kind: Kind, form: Form) -> Resource {
    Resource {
        id: match kind {
            Kind::Project => ResourceId::Project(call.id::<OfProject>()),
            Kind::Dataset => ResourceId::Dataset(call.id::<OfDataset>()),
            Kind::Model => ResourceId::Model(call.id::<OfModel>()),
        },
        workspace: call.caller.workspace(),
        project: form.project_id,
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

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::NotInProjects => Self::field("projectId", &Invalid::new("Only models are in projects.")),
            Error::NoProject => Self::field("projectId", &Invalid::new("There is no such project.")),
            Error::SlugTaken => Self::slug_taken(),
            Error::LimitReached => Self::plan_limit_reached(),
            Error::Gone => Self::not_found(),
            Error::Refused(problem) => problem,
            Error::Failed(failure) => failure.into(),
        }
    }
}
