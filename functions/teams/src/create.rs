//! `POST /api/teams/create`: creates a team in the caller's region and reserves its username. Its members have access once it has
//! a paid plan.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    domain_events::DomainEvent,
    entitlements::EntitlementOverrides,
    handle::Handle,
    id::WorkspaceId,
    plan::{MicroUsd, Plan},
    ports::{
        Claimed, Directory, Failure, Outcome, TeamOfUser, TeamOpened, Teams, TransactionExtras, Vault,
        Workspaces,
    },
    profile::DisplayName,
    role::Role,
    team::{MOST_OWNED, TeamMember, new_ids},
    user::personal_workspace,
    workspace::{Profile, ProfileRecord, Workspace, WorkspaceKind, WrappedKey},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Person, Ports, Problem, RequestContext, Spec,
    grants::{directory, extras, teams, vault, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::team_summary::TeamSummary;

use crate::membership::team_of;

/// Creates a team.
pub struct CreateTeam;

/// Dependencies.
pub struct Deps {
    directory: Arc<dyn Directory>,
    teams: Arc<dyn Teams>,
    vault: Arc<dyn Vault>,
    workspaces: Arc<dyn Workspaces>,
}

/// The new team.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreateTeamBody {
    /// The public username. Permanent.
    username: Handle,
    /// The display name.
    full_name: DisplayName,
}

/// The created team.
#[derive(Serialize, JsonSchema)]
pub struct CreatedTeam {
    team: TeamSummary,
}
impl Output for CreatedTeam {}

kit::errors! {
    pub enum Error from Failure {
        /// The person has not finished onboarding.
        NotOnboarded => Problem::onboarding_required(),
        /// The handle is in use.
        HandleTaken => Problem::new(Code::UsernameTaken, "This username is taken. Choose another."),
        /// The user owns the most teams.
        LimitReached => Problem::new(
            Code::TeamLimitReached,
            format!("You can own at most {MOST_OWNED} teams. Delete one of them or transfer its ownership first."),
        ),
        /// The team that an earlier request created was deleted, or the caller left it.
        Gone => Problem::not_found(),
        /// The user is gone.
        UserGone => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for CreateTeam {
    const SPEC: Spec = spec("teams-create", Post, "/api/teams/create")
        .summary("Create a team")
        .access(Access::person())
        .answers(201)
        .once()
        .problems(&[Code::OnboardingRequired, Code::UsernameTaken, Code::TeamLimitReached, Code::NotFound])
        .uses(&[
            workspaces::FIND,
            workspaces::MEMBERSHIP,
            workspaces::PROFILE,
            teams::OWNED,
            vault::NEW_DATA_KEY,
            directory::CLAIM_HANDLE,
            directory::RELEASE_HANDLE,
            teams::OPEN,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<CreateTeamBody>;
    type Output = CreatedTeam;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            directory: ports.directory(),
            teams: ports.teams(),
            vault: ports.vault(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(form): Self::Input,
    ) -> Result<CreatedTeam, Error> {
        let user = call.caller.session.user;
        if let Some(id) = call.made_before::<WorkspaceId>() {
            let made = team_of(&*deps.workspaces, id, user).await?.ok_or(Error::Gone)?;
            return Ok(CreatedTeam { team: TeamSummary::new(&made, call.now) });
        }
        if !call.caller.onboarded {
            return Err(Error::NotOnboarded);
        }
        let ids = new_ids(user, &form.username, call.now);
        let personal = deps.workspaces.find(personal_workspace(user));
        let (personal, owned) = futures::try_join!(personal, deps.teams.owned(user))?;
        let personal = personal.ok_or(Error::UserGone)?;
        // Before the handle is claimed, so that users at the limit reserve none. One of the teams may be this one, if the request was
        // sent twice at once.
        if owned.len() >= MOST_OWNED && !ids.iter().any(|id| owned.contains(id)) {
            return Err(Error::LimitReached);
        }
        let (id, data_key, claim) =
            claim(deps, call, &form.username, ids).await?.ok_or(Error::HandleTaken)?;
        let team = team(call, id, form.username, data_key);
        let profile = Profile::named(form.full_name);
        let owner = TeamMember {
            user,
            role: Role::Owner,
            handle: personal.handle,
            region: call.region,
            joined_at: call.now,
            invited_by: None,
        };
        match deps.teams.open(&team, &profile, &owner, extras_of(call, &team)).await? {
            TeamOpened::Yes => {
                let profile = Some(ProfileRecord::first(profile));
                let made = TeamOfUser { team, profile, role: owner.role };
                Ok(CreatedTeam { team: TeamSummary::new(&made, call.now) })
            }
            TeamOpened::HandleTaken => Err(Error::HandleTaken),
            // The reaper frees the claim if this call fails.
            TeamOpened::LimitReached => {
                deps.directory.release(&claim).await?;
                Err(Error::LimitReached)
            }
            TeamOpened::OwnerGone => {
                deps.directory.release(&claim).await?;
                Err(Error::UserGone)
            }
        }
    }
}

/// Claims the handle for the first id that can have it, and makes a data key for that id. `None` if the handle is taken.
async fn claim(
    deps: &Deps,
    call: &RequestContext<Person>,
    handle: &Handle,
    ids: [WorkspaceId; 2],
) -> Outcome<Option<(WorkspaceId, WrappedKey, Claim)>> {
    for id in ids {
        let claim = Claim::on_handle(handle.clone(), call.region, id, call.now);
        let (data_key, claimed) =
            futures::try_join!(deps.vault.new_data_key(id), deps.directory.claim(&claim))?;
        if claimed == Claimed::Yes {
            return Ok(Some((id, data_key, claim)));
        }
    }
    Ok(None)
}

fn team(call: &RequestContext<Person>, id: WorkspaceId, handle: Handle, data_key: WrappedKey) -> Workspace {
    Workspace {
        id,
        handle,
        kind: WorkspaceKind::Team,
        owner: call.caller.session.user,
        region: call.region,
        plan: Plan::Free,
        plan_ends_at: None,
        seats_taken: 1,
        entitlement_overrides: EntitlementOverrides::default(),
        opening_credit: MicroUsd::ZERO,
        data_key,
        created_at: call.now,
    }
}

/// The line in the team's history, and the message that has the claim confirmed.
fn extras_of(call: &RequestContext<Person>, team: &Workspace) -> TransactionExtras {
    let actor = Actor { user: team.owner, key: None };
    let event = call.event(team.id, actor, Action::Created, ResourceType::Team).about(team.id, &team.handle);
    let notice = DomainEvent::WorkspaceOpened { workspace: team.id, handle: team.handle.clone() };
    call.extras(Some(event), Some(notice), team.id)
}
