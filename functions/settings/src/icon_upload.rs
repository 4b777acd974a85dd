//! `POST /api/settings/icon`: sets a workspace's picture, and its colour and initials if they come along.
//!
//! The picture is stored under a new name before the profile names it, and the one that it replaces is removed afterwards. So the
//! profile never names a picture that is not there.

use std::sync::Arc;

use domain::{
    activity::{Action, ActivityEvent, ResourceType},
    blob::{BlobKey, Blobs, Icons},
    domain_events::DomainEvent,
    id::{IconId, OfIcon},
    permissions::{EditsProfile, Member},
    ports::{Failure, Rounds, Saved, Workspaces},
    role::Role,
    settings::{self, ChangedFields, IconChange},
    text::Invalid,
    workspace::image_url,
};
use kit::{
    Access, Endpoint, Interrupted, Output, Permitted, Ports, Problem, RequestContext, Spec,
    grants::{blobs, extras, icons, workspaces},
    spec,
    spec::Method::Post,
};
use pictures::PictureError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{icon_form::IconForm, icons::remove_others};

/// The most bytes of a body. Lambda takes events of 6 MiB, and API Gateway encodes binary bodies in base64, which adds a third.
const LARGEST_BODY: usize = 4_500_000;

/// Sets a picture.
pub struct UploadIcon;

/// Dependencies.
pub struct Deps {
    workspaces: Arc<dyn Workspaces>,
    icons: Arc<dyn Icons>,
    blobs: Arc<dyn Blobs>,
}

/// The picture was set.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedIcon {
    /// Always `true`.
    success: bool,
    /// The path of the picture, relative to the API: the profile's `imageUrl`.
    download_url: String,
}
impl Output for UploadedIcon {}

kit::errors! {
    pub enum Error from Interrupted, Failure {
        /// The file can't be used.
        Picture(error: PictureError) => Problem::field("image", &Invalid(error.to_string().into())),
        /// The workspace is gone.
        Gone => Problem::not_found(),
    }
}

impl From<PictureError> for Error {
    fn from(error: PictureError) -> Self {
        Self::Picture(error)
    }
}

impl Endpoint for UploadIcon {
    const SPEC: Spec = spec("icon-upload", Post, "/api/settings/icon")
        .summary("Upload a picture for a workspace")
        .access(Access::member(Role::Admin))
        .body_limit(LARGEST_BODY)
        .once()
        .full_cpu()
        .uses(&[
            workspaces::PROFILE,
            workspaces::SAVE_PROFILE,
            icons::PUT,
            blobs::ICONS_UNDER,
            blobs::DELETE_ICONS,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Permitted<Member, EditsProfile>;
    type Deps = Deps;
    type Input = IconForm;
    type Output = UploadedIcon;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { workspaces: ports.workspaces(), icons: ports.icons(), blobs: ports.blobs() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        IconForm { image, fields }: Self::Input,
    ) -> Result<UploadedIcon, Error> {
        let workspace = &call.caller.who.workspace;
        let icon = match call.made_before::<IconId>() {
            Some(icon) => icon,
            None => {
                let png = call.run_blocking(move || pictures::square_png(&image)).await??;
                let icon = call.id::<OfIcon>();
                deps.icons.put(&BlobKey::of_icon(workspace.id, icon), png).await?;
                let change =
                    IconChange { image: Some(icon), color: fields.icon_color, letters: fields.icon_letter };
                let replaced = show(&*deps.workspaces, call, change).await?;
                remove_others(&*deps.blobs, call, workspace.id, Some(icon), replaced).await;
                icon
            }
        };
        Ok(UploadedIcon { success: true, download_url: image_url(&workspace.handle, icon) })
    }
}

/// Changes the icon in the profile. Returns the picture that is shown no more.
pub async fn show(
    workspaces: &dyn Workspaces,
    call: &RequestContext<Permitted<Member, EditsProfile>>,
    change: IconChange,
) -> Result<Option<IconId>, Error> {
    let Permitted { who: member, proof } = &call.caller;
    let (id, reference) =
        (member.workspace.id, change.image.map(|icon| icon.to_string()).unwrap_or_default());
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let before = workspaces.profile(id).await?.ok_or(Error::Gone)?;
        let Some((profile, changed)) = settings::apply_icon(&before.profile, &change) else {
            return Ok(None);
        };
        let notice = DomainEvent::SettingsChanged { workspace: id };
        let extras = call.extras(Some(event(call, changed)), Some(notice), &reference);
        let replaced = before.profile.image.filter(|_| profile.image != before.profile.image);
        if workspaces.save_profile(proof, &before.followed_by(profile), extras).await? == Saved::Yes {
            return Ok(replaced);
        }
    }
}

fn event(call: &RequestContext<Permitted<Member, EditsProfile>>, changed: ChangedFields) -> ActivityEvent {
    let member = &call.caller.who;
    let mut event = call.event(member.workspace.id, member.actor(), Action::Updated, ResourceType::Settings);
    event.resource_name = Some(member.workspace.handle.to_string());
    event.metadata.insert("changes".to_owned(), changed.0.into());
    event
}
