//! `GET /api/users?username=`: returns the public profile of a user or team, without email address.
//!
//! Anyone may read it. A valid credential adds whether its user follows the account, which only the user's home region knows: it
//! answers that first, then the account's home region answers the rest and learns no more of the caller.

use std::sync::Arc;

use domain::{
    directory::Name,
    follow::FollowedHash,
    handle::Handle,
    id::{UserId, WorkspaceId},
    ports::{Directory, Failure, Follows, Workspaces},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    social::SocialLinks,
    workspace::{self, Workspace, WorkspaceKind},
};
use kit::{
    Anyone, CallerAssertion, Endpoint, Output, Params, Ports, Problem, RequestContext, Services, Spec, Stop,
    authentication::{OptionalCaller, optional_caller},
    grants::{api_keys, directory, follows, sessions, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::followers::follower_count;

/// Returns a public profile.
pub struct PublicProfile;

/// Dependencies.
pub struct Deps {
    kit: Services,
    follows: Arc<dyn Follows>,
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
    /// The number of followers. Changes in other regions are included after a few seconds.
    follower_count: u64,
    /// Whether the user of the request's credential follows the account. `false` without a valid one.
    is_followed: bool,
}

impl Shown {
    fn new(
        workspace: &Workspace,
        profile: workspace::Profile,
        (follower_count, is_followed): (u64, bool),
    ) -> Self {
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
                follower_count,
                is_followed,
            },
        }
    }
}

kit::errors! {
    pub enum Error from Failure {
        /// The name is not in use.
        Nobody => Problem::not_found(),
        /// The credential belongs to another region.
        CallerElsewhere(home: Region) => Stop::elsewhere(home),
        /// The name belongs to another region, and the caller does not follow the account.
        Elsewhere(region: Region) => Stop::asserting(region, CallerAssertion::of_following(false)),
        /// The name belongs to another region, and the caller follows the account.
        FollowedElsewhere(region: Region) => Stop::asserting(region, CallerAssertion::of_following(true)),
    }
}

impl Endpoint for PublicProfile {
    const SPEC: Spec = spec("users-public-profile", Get, "/api/users")
        .summary("Get the public profile of a user or team")
        .may_forward()
        .problems(&[kit::Code::NotFound])
        .uses(&[
            workspaces::BY_HANDLE,
            workspaces::FIND,
            workspaces::PROFILE,
            directory::FIND_HANDLE,
            directory::FOLLOWER_TOTALS,
            follows::FOLLOWERS,
            follows::IS_FOLLOWED,
            // To read the caller's credential, if there is one.
            directory::SIGNING_KEYS,
            sessions::CONTEXT,
            api_keys::HOLDER,
        ]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<PublicProfileQuery>;
    type Output = Shown;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            kit: ports.services(),
            follows: ports.follows(),
            workspaces: ports.workspaces(),
            directory: ports.directory(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(whose): Self::Input,
    ) -> Result<Shown, Error> {
        let (caller, here) = futures::try_join!(caller(deps, call), async {
            Ok(deps.workspaces.by_handle(&whose.username).await?)
        })?;
        let Some(id) = here else { return Err(elsewhere(deps, call, whose.username, caller).await?) };
        let account = FollowedHash::of(id);
        let (workspace, record, followers, is_followed) = futures::try_join!(
            deps.workspaces.find(id),
            deps.workspaces.profile(id),
            follower_count(&*deps.follows, &*deps.directory, call.region, account),
            is_followed(deps, call, caller, account),
        )?;
        let (workspace, record) = workspace.zip(record).ok_or(Error::Nobody)?;
        Ok(Shown::new(&workspace, record.profile, (followers, is_followed)))
    }
}

/// The user of the request's credential. Credentials that can't be read count as none. A credential of another region is read there,
/// unless the request was forwarded: then it came here because of the username.
async fn caller(deps: &Deps, call: &RequestContext<Anyone>) -> Result<Option<UserId>, Error> {
    let credential = call.credential().ok().flatten();
    match optional_caller(&deps.kit, credential, call.now).await? {
        OptionalCaller::User(user) => Ok(Some(user)),
        OptionalCaller::Elsewhere(home) if !call.forwarded => Err(Error::CallerElsewhere(home)),
        OptionalCaller::Elsewhere(_) | OptionalCaller::Nobody => Ok(None),
    }
}

/// Whether the caller follows the account, as the region that forwarded the request says, or as this region knows.
async fn is_followed(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    caller: Option<UserId>,
    account: FollowedHash,
) -> Result<bool, Failure> {
    match (call.follows, caller) {
        (Some(follows), _) => Ok(follows),
        (None, Some(user)) => deps.follows.is_followed(user, account).await,
        (None, None) => Ok(false),
    }
}

/// The end of a request for a username that this region does not know. A forwarded request goes on only if it came here because of
/// its credential.
async fn elsewhere(
    deps: &Deps,
    call: &RequestContext<Anyone>,
    username: Handle,
    caller: Option<UserId>,
) -> Result<Error, Failure> {
    let came_for_credential = call.follows.is_none() && call.credential().is_ok_and(|it| it.is_some());
    if call.forwarded && !came_for_credential {
        return Ok(Error::Nobody);
    }
    let holder = deps.directory.find(&Name::Handle(username)).await?;
    let Some(holder) = holder.filter(|holder| holder.region != call.region) else { return Ok(Error::Nobody) };
    let account = holder.id.parse::<WorkspaceId>().ok().map(FollowedHash::of);
    let follows = match account {
        Some(account) => is_followed(deps, call, caller, account).await?,
        None => false,
    };
    Ok(if follows { Error::FollowedElsewhere(holder.region) } else { Error::Elsewhere(holder.region) })
}
