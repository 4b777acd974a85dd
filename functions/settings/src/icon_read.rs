//! `GET /api/icons/{username}/{icon}`: leads to a workspace's picture. Anyone may see it, as the rest of the public profile.
//!
//! The path names one picture permanently: a new picture has a new path. It leads to the store, whose address is another origin.

use std::sync::Arc;

use domain::{
    blob::{BlobKey, Presigner},
    handle::Handle,
    id::IconId,
    ports::{Directory, Failure, Workspaces},
    region::Region,
};
use http::{HeaderName, HeaderValue, header};
use jiff::SignedDuration;
use kit::{
    Anyone, Code, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec, Stop,
    grants::{directory, presigner, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::elsewhere::{HandleHolder, holder_of};

/// How long the signed address works.
const SIGNED_FOR: SignedDuration = SignedDuration::from_mins(15);
/// How long clients may keep the answer: shorter than the address in it works. A removed picture is gone by then.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Leads to a picture.
pub struct ReadIcon;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    directory: Arc<dyn Directory>,
    presigner: Arc<dyn Presigner>,
}

/// The picture to show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IconPath {
    /// The username of a user or team.
    username: String,
    /// The id of the picture.
    icon: String,
}

/// Where the picture is.
#[derive(Serialize, JsonSchema)]
pub struct IconLocation {
    /// The address of the picture, as in the `Location` header. Works for 15 minutes.
    url: String,
}

impl Output for IconLocation {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let location = HeaderValue::from_str(&self.url).ok().map(|url| (header::LOCATION, url));
        location.into_iter().chain([(header::CACHE_CONTROL, CACHED)]).collect()
    }
}

kit::errors! {
    pub enum Error from Failure {
        /// The workspace has no such picture, or does not exist.
        NotFound => Problem::not_found(),
        /// The name belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for ReadIcon {
    const SPEC: Spec = spec("icon-read", Get, "/api/icons/{username}/{icon}")
        .summary("Get the picture of a user or team")
        .may_forward()
        .answers(302)
        .problems(&[Code::NotFound])
        .uses(&[workspaces::BY_HANDLE, workspaces::PROFILE, directory::FIND_HANDLE, presigner::ICON]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<IconPath>;
    type Output = IconLocation;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), directory: ports.directory(), presigner: ports.presigner() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(path): Self::Input,
    ) -> Result<IconLocation, Error> {
        let handle = Handle::look_up(&path.username).map_err(|_| Error::NotFound)?;
        let icon: IconId = path.icon.parse().map_err(|_| Error::NotFound)?;
        let Some(workspace) = deps.workspaces.by_handle(&handle).await? else {
            return Err(match holder_of(&*deps.directory, call, handle).await? {
                HandleHolder::Region(region) => Error::Elsewhere(region),
                HandleHolder::Nobody => Error::NotFound,
            });
        };
        let record = deps.workspaces.profile(workspace).await?;
        let is_shown = record.is_some_and(|record| record.profile.image == Some(icon));
        if !is_shown {
            return Err(Error::NotFound);
        }
        let url = deps.presigner.icon(&BlobKey::of_icon(workspace, icon), call.now, SIGNED_FOR)?;
        Ok(IconLocation { url })
    }
}
