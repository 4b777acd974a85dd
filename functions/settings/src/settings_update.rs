//! `PATCH /api/settings` (and `POST`): updates settings. Unchanged values create no event.

use std::sync::Arc;

use domain::{
    activity::{Action, ResourceType},
    domain_events::DomainEvent,
    permissions::{EditsProfile, Member},
    ports::{Failure, Saved, Workspaces},
    role::Role,
    settings::{self, NotForTeams, SettingsPatch},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Problem, RequestContext, Spec,
    grants::{extras, workspaces},
    spec,
    spec::Method::{self, Post},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Updates settings.
pub struct UpdateSettings;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
}

/// The settings were updated.
#[derive(Serialize, JsonSchema)]
pub struct Updated {
    /// Always `true`.
    success: bool,
}
impl Output for Updated {}

kit::errors! {
    pub enum Error from Failure {
        /// A team has no such setting.
        NotForTeams(error: NotForTeams) => Problem::new(Code::Conflict, error.to_string()),
        /// The workspace is gone.
        Gone => Problem::not_found(),
    }
}

impl From<NotForTeams> for Error {
    fn from(error: NotForTeams) -> Self {
        Self::NotForTeams(error)
    }
}

impl Endpoint for UpdateSettings {
    const SPEC: Spec = spec("settings-update", Method::Patch, "/api/settings")
        .also(Post)
        .summary("Update a workspace's settings")
        .access(Access::member(Role::Admin))
        .problems(&[Code::Conflict])
        .uses(&[workspaces::PROFILE, workspaces::SAVE_PROFILE, extras::EVENT, extras::MESSAGE]);
    type Caller = Permitted<Member, EditsProfile>;
    type Deps = Deps;
    type Input = Body<SettingsPatch>;
    type Output = Updated;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(patch): Self::Input,
    ) -> Result<Updated, Error> {
        let Permitted { who: member, proof } = &call.caller;
        let (id, kind, handle) = (member.workspace.id, member.workspace.kind, &member.workspace.handle);
        let mut before = deps.workspaces.profile(id).await?.ok_or(Error::Gone)?;
        while let Some((profile, changed)) = settings::apply(&before.profile, kind, patch.clone())? {
            let mut event = call.event(id, member.actor(), Action::Updated, ResourceType::Settings);
            event.resource_name = Some(handle.to_string());
            event.metadata.insert("changes".to_owned(), changed.0.into());
            let notice = DomainEvent::SettingsChanged { workspace: id };
            let (after, extras) = (before.followed_by(profile), call.extras(Some(event), Some(notice), ""));
            if deps.workspaces.save_profile(proof, &after, extras).await? == Saved::Yes {
                break;
            }
            before = deps.workspaces.profile(id).await?.ok_or(Error::Gone)?;
        }
        Ok(Updated { success: true })
    }
}
