//! `GET /api/users?username=`: what anybody may see of a user or team. Never an address.

use std::sync::Arc;

use domain::{
    directory::Name,
    handle::Handle,
    ports::{Directory, Failure, Workspaces},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    social::SocialLinks,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Anyone, Call, Endpoint, Grant, Items, Output, Params, Ports, Problem, Spec, spec, spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shows a public profile.
pub struct PublicProfile;

/// What it works with.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    directory: Arc<dyn Directory>,
}

/// Whose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    #[serde(deserialize_with = "domain::handle::existing")]
    username: Handle,
}

/// A public profile.
#[derive(Serialize, JsonSchema)]
pub struct Shown {
    user: Profile,
}
impl Output for Shown {}

/// What anybody may see.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    username: String,
    full_name: DisplayName,
    account_type: WorkspaceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_color: Option<IconColor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_letter: Option<IconLetters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bio: Option<Bio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<Company>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_case: Option<UseCase>,
    #[serde(skip_serializing_if = "SocialLinks::is_empty")]
    socials: SocialLinks,
    /// Nobody can follow yet.
    follower_count: u64,
    is_followed: bool,
}

impl From<Workspace> for Shown {
    fn from(workspace: Workspace) -> Self {
        let profile = workspace.profile;
        Self {
            user: Profile {
                username: workspace.handle.to_string(),
                full_name: profile.display_name,
                account_type: workspace.kind,
                icon_color: profile.icon_color,
                icon_letter: profile.icon_letter,
                bio: profile.bio,
                company: profile.company,
                use_case: profile.use_case,
                socials: profile.socials,
                follower_count: 0,
                is_followed: false,
            },
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("nobody has this name")]
    Nobody,
    #[error("the name is at home in {0}")]
    Elsewhere(Region),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for PublicProfile {
    const SPEC: Spec = spec("users-public-profile", Get, "/api/users")
        .summary("What anybody may see of a user or team")
        .roams()
        .problems(&[kit::Code::NotFound])
        .grants(&[
            Grant::items("GetItem", Items::Handles),
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::HandleClaims),
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<Whose>;
    type Output = Shown;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), directory: ports.directory() }
    }

    async fn handle(deps: &Deps, call: &Call<Anyone>, Params(whose): Self::Input) -> Result<Shown, Error> {
        let Some(id) = deps.workspaces.by_handle(&whose.username).await? else {
            return Err(elsewhere(deps, call, whose.username).await?);
        };
        let workspace = deps.workspaces.find(id).await?.ok_or(Error::Nobody)?;
        Ok(Shown::from(workspace))
    }
}

/// The region that has somebody of this name, if another has.
async fn elsewhere(deps: &Deps, call: &Call<Anyone>, handle: Handle) -> Result<Error, Failure> {
    if call.forwarded {
        return Ok(Error::Nobody);
    }
    let holder = deps.directory.find(&Name::Handle(handle)).await?;
    let region = holder.map(|holder| holder.region).filter(|region| *region != call.region);
    Ok(region.map_or(Error::Nobody, Error::Elsewhere))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Nobody => Self::not_found(),
            Error::Elsewhere(region) => Self::elsewhere(region),
            Error::Failed(failure) => failure.into(),
        }
    }
}
