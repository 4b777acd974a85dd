//! `PATCH /api/settings` (and `POST`): change some settings. Setting what is already so is no change and no event.

use std::sync::Arc;

use domain::{
    activity::{Action, ResourceType},
    outbox::Notice,
    policy::{self, Denied, Member},
    ports::{Failure, Saved, Workspaces},
    role::Role,
    settings::{self, NotForTeams, Patch},
    workspace::Workspace,
};
use kit::{
    Access, Body, Call, Endpoint, Grant, Items, Output, Ports, Problem, Spec, spec,
    spec::Method::{self, Post},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Changes settings.
pub struct UpdateSettings;

/// What it works with.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
}

/// The settings are as wanted.
#[derive(Serialize, JsonSchema)]
pub struct Updated {
    /// Always true.
    success: bool,
}
impl Output for Updated {}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    NotForTeams(#[from] NotForTeams),
    #[error("the workspace is gone")]
    Gone,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for UpdateSettings {
    const SPEC: Spec = spec("settings-update", Method::Patch, "/api/settings")
        .also(Post)
        .summary("Change some of a workspace's settings")
        .access(Access::Member(Role::Admin))
        .grants(&[
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("PutItem", Items::Workspaces),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Body<Patch>;
    type Output = Updated;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces() }
    }

    async fn handle(deps: &Deps, call: &Call<Member>, Body(patch): Self::Input) -> Result<Updated, Error> {
        let member = &call.caller;
        let proof = policy::may_edit_profile(member)?;
        let mut before = member.workspace.clone();
        while let Some((profile, changed)) = settings::apply(&before.profile, before.kind, patch.clone())? {
            let after = Workspace { profile, version: before.version + 1, ..before };
            let mut event = call.event(after.id, member.actor(), Action::Updated, ResourceType::Settings);
            event.resource_name = Some(after.handle.to_string());
            event.metadata.insert("changes".to_owned(), changed.0.into());
            let notice = Notice::SettingsChanged { workspace: after.id };
            if deps
                .workspaces
                .save_profile(&proof, &after, call.alongside(Some(event), Some(notice), ""))
                .await?
                == Saved::Yes
            {
                break;
            }
            before = deps.workspaces.find(after.id).await?.ok_or(Error::Gone)?;
        }
        Ok(Updated { success: true })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.into(),
            Error::NotForTeams(error) => {
                Self::field("earlyAccess", &domain::text::Invalid(error.to_string().into()))
            }
            Error::Gone => Self::not_found(),
            Error::Failed(failure) => failure.into(),
        }
    }
}
