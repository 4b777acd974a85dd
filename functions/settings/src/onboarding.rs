//! `POST /api/onboarding`: choose a handle and a name. Opens the personal workspace; everything else works from then on.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    email::EmailAddress,
    handle::Handle,
    id::WorkspaceId,
    outbox::Notice,
    plan::{Plan, sign_up_credit},
    ports::{Accounts, Claimed, Directory, Failure, Founded, Vault, Workspaces},
    profile::{Company, DisplayName, UseCase},
    settings::Change,
    social::SocialLinks,
    user::{User, personal_workspace},
    workspace::{Profile, Workspace, WorkspaceKind, WrappedKey},
};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, Person, Ports, Problem, Spec, spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings_read::Settings;

/// Opens a personal workspace.
pub struct Onboard;

/// What it works with.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    directory: Arc<dyn Directory>,
    workspaces: Arc<dyn Workspaces>,
    vault: Arc<dyn Vault>,
}

/// Who the person is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Form {
    /// The public name, for good.
    username: Handle,
    /// The name shown.
    display_name: DisplayName,
    /// Where the person works.
    #[serde(default)]
    company: Option<Change<Company>>,
    /// What the platform will be used for.
    #[serde(default)]
    use_case: Option<Change<UseCase>>,
    /// A promotion's code.
    #[serde(default)]
    promo_code: Option<String>,
    /// The code of whoever recommended the platform.
    #[serde(default)]
    referral_code: Option<String>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("the handle belongs to another")]
    HandleTaken,
    #[error("onboarding is done already")]
    AlreadyThere,
    #[error("no such code")]
    NoSuchCode(&'static str),
    #[error("the user is gone")]
    UserGone,
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Endpoint for Onboard {
    const SPEC: Spec = spec("onboarding", Post, "/api/onboarding")
        .summary("Choose a handle and open the personal workspace")
        .access(Access::Person)
        .answers(201)
        .once()
        .problems(&[Code::UsernameTaken, Code::Conflict, Code::PromoInvalid])
        .grants(&[
            Grant::data_keys("GenerateDataKeyWithoutPlaintext"),
            Grant::items("GetItem", Items::Users),
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("PutItem", Items::Workspaces),
            Grant::items("PutItem", Items::Handles),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Receipts),
            Grant::authority("PutItem", Items::HandleClaims),
            Grant::authority("PutItem", Items::PendingClaims),
            Grant::authority("ConditionCheckItem", Items::ReservedHandles),
            Grant::authority("GetItem", Items::HandleClaims),
            Grant::authority("DeleteItem", Items::HandleClaims),
            Grant::authority("DeleteItem", Items::PendingClaims),
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<Form>;
    type Output = Settings;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            directory: ports.directory(),
            workspaces: ports.workspaces(),
            vault: ports.vault(),
        }
    }

    async fn handle(deps: &Deps, call: &Call<Person>, Body(form): Self::Input) -> Result<Settings, Error> {
        let id = personal_workspace(call.caller.session.user);
        let user = deps.accounts.user(call.caller.session.user);
        if call.made_before::<WorkspaceId>().is_some() {
            let (user, made) = futures::try_join!(user, deps.workspaces.find(id))?;
            let (user, made) = (user.ok_or(Error::UserGone)?, made.ok_or(Error::UserGone)?);
            return Ok(Settings::of(made, Some(user.primary_email)));
        }
        check_codes(&form)?;
        if call.caller.onboarded {
            return Err(Error::AlreadyThere);
        }
        let claim = Claim::on_handle(form.username.clone(), call.region, id, call.now);
        let (user, data_key, claimed) =
            futures::try_join!(user, deps.vault.new_data_key(id), deps.directory.claim(&claim))?;
        if claimed == Claimed::Taken {
            return Err(Error::HandleTaken);
        }
        let user = user.ok_or(Error::UserGone)?;
        let email = user.primary_email.clone();
        let workspace = found(call, form, &user, &email, data_key);
        let actor = Actor { user: user.id, key: None };
        let mut event = call.event(id, actor, Action::Completed, ResourceType::Onboarding);
        event.resource_name = Some(workspace.handle.to_string());
        let notice = Notice::WorkspaceOpened { workspace: id, handle: workspace.handle.clone() };
        match deps.workspaces.open(&workspace, call.alongside(Some(event), Some(notice), id)).await? {
            Founded::Yes => Ok(Settings::of(workspace, Some(email))),
            Founded::HandleTaken => Err(Error::HandleTaken),
            Founded::AlreadyThere => {
                let there = deps.workspaces.find(id).await?;
                // It has another handle for ever, so nothing can come of this claim. The reaper frees it if this fails.
                if there.is_some_and(|there| there.handle != workspace.handle) {
                    deps.directory.release(&claim).await?;
                }
                Err(Error::AlreadyThere)
            }
        }
    }
}

fn found(
    call: &Call<Person>,
    form: Form,
    user: &User,
    email: &EmailAddress,
    data_key: WrappedKey,
) -> Workspace {
    Workspace {
        id: personal_workspace(user.id),
        handle: form.username,
        kind: WorkspaceKind::Personal,
        owner: user.id,
        region: user.region,
        plan: Plan::Free,
        profile: Profile {
            display_name: form.display_name,
            company: form.company.and_then(Change::value),
            use_case: form.use_case.and_then(Change::value),
            bio: None,
            icon_color: None,
            icon_letter: None,
            socials: SocialLinks::default(),
            early_access: false,
        },
        opening_credit: sign_up_credit(email),
        data_key,
        created_at: call.now,
        version: 1,
    }
}

/// There are no promotions and no referrals yet, so no code is a good one.
fn check_codes(form: &Form) -> Result<(), Error> {
    let given = |code: &Option<String>| code.as_deref().is_some_and(|code| !code.trim().is_empty());
    match (given(&form.promo_code), given(&form.referral_code)) {
        (true, _) => Err(Error::NoSuchCode("promo")),
        (_, true) => Err(Error::NoSuchCode("referral")),
        (false, false) => Ok(()),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::HandleTaken => Self::new(Code::UsernameTaken, "This username is taken. Choose another."),
            Error::AlreadyThere => Self::new(Code::Conflict, "Your account is set up already."),
            Error::NoSuchCode(kind) => {
                Self::new(Code::PromoInvalid, format!("There is no such {kind} code."))
            }
            Error::UserGone => Self::unauthorized("This session has ended. Sign in again."),
            Error::Failed(failure) => failure.into(),
        }
    }
}
