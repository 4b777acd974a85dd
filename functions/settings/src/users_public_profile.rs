//! `GET /api/users?username=`: returns the public profile of a user or team, without email address.

use std::sync::Arc;

use domain::{
    handle::Handle,
    ports::{Directory, Failure, Workspaces},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    social::SocialLinks,
    workspace::{self, Workspace, WorkspaceKind},
};
use kit::{
    Anyone, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec, Stop,
    grants::{directory, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::elsewhere::{HandleHolder, holder_of};

/// Returns a public profile.
pub struct PublicProfile;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    directory: Arc<dyn Directory>,
}

/// The profile to show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicProfileQuery {
    /// The username, ignoring case.
    #[serde(deserialize_with = "domain::handle::looked_up")]
    #[schemars(schema_with = "domain::handle::lookup_schema")]
    username: Handle,
}

/// A public profile.
#[derive(Serialize, JsonSchema)]
pub struct Shown {
    user: ProfileView,
}
impl Output for Shown {}

/// The public fields of a profile.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileView {
    username: String,
    full_name: DisplayName,
    /// The path of the picture, relative to the API. Absent without a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
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
    /// Always 0. Followers are not available yet.
    follower_count: u64,
    is_followed: bool,
}

impl Shown {
    fn new(workspace: &Workspace, profile: workspace::Profile) -> Self {
        Self {
            user: ProfileView {
                username: workspace.handle.to_string(),
                image_url: profile.image_url(&workspace.handle),
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

kit::errors! {
    pub enum Error from Failure {
        /// The name is not in use.
        Nobody => Problem::not_found(),
        /// The name belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for PublicProfile {
    const SPEC: Spec = spec("users-public-profile", Get, "/api/users")
        .summary("Get the public profile of a user or team")
        .may_forward()
        .problems(&[kit::Code::NotFound])
        .uses(&[workspaces::BY_HANDLE, workspaces::FIND, workspaces::PROFILE, directory::FIND_HANDLE]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<PublicProfileQuery>;
    type Output = Shown;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), directory: ports.directory() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(whose): Self::Input,
    ) -> Result<Shown, Error> {
        let Some(id) = deps.workspaces.by_handle(&whose.username).await? else {
            return Err(match holder_of(&*deps.directory, call, whose.username).await? {
                HandleHolder::Region(region) => Error::Elsewhere(region),
                HandleHolder::Nobody => Error::Nobody,
            });
        };
        let (workspace, record) = futures::try_join!(deps.workspaces.find(id), deps.workspaces.profile(id))?;
        let (workspace, record) = workspace.zip(record).ok_or(Error::Nobody)?;
        Ok(Shown::new(&workspace, record.profile))
    }
}
