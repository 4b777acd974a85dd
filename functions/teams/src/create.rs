//! `POST /api/teams/create`: creates a team in the caller's home region or in another one, and reserves its username. Its members
//! have access once it has a paid plan.
//!
//! The caller's home sends a request for another region there. That region reserves the place for an owned team at the home.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, Actor, ResourceType},
    directory::Claim,
    domain_events::DomainEvent,
    entitlements::EntitlementOverrides,
    handle::Handle,
    id::{UserId, WorkspaceId},
    money::MicroUsd,
    plan::Plan,
    ports::{
        Claimed, Directory, Failure, Outcome, PlaceReserved, RateWindows, TeamOfUser, TeamOpened, Teams,
        TeamsElsewhere, TransactionExtras, Vault, Workspaces,
    },
    profile::DisplayName,
    region::Region,
    role::Role,
    team::{MOST_OWNED, TeamMember, new_ids},
    throttle::{Wait, end_of_day},
    user::personal_workspace,
    workspace::{Profile, ProfileRecord, Workspace, WorkspaceKind, WrappedKey},
};
use kit::{
    Access, Body, CallerAssertion, Code, Endpoint, Guest, Output, PersonOrGuest, Ports, Problem,
    RegionClient, RequestContext, Spec, Stop,
    grants::{directory, extras, rate_windows, teams, teams_elsewhere, vault, workspaces},
    spec,
    spec::Method::Post,
};
use regions::{owned_places::free_settled, owned_teams::reserve_at_home, team_summary::TeamSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    foreign_members::{self, onboarded, tell_at_once},
    membership::team_of,
};

/// The most teams that a user may create in a day. A deleted team keeps its username, so that others cannot take it for a while.
const MOST_A_DAY: u32 = 50;

/// Creates a team.
pub struct CreateTeam;

/// Dependencies.
pub struct Deps {
    directory: Arc<dyn Directory>,
    elsewhere: Arc<dyn TeamsElsewhere>,
    regions: RegionClient,
    teams: Arc<dyn Teams>,
    vault: Arc<dyn Vault>,
    windows: Arc<dyn RateWindows>,
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
    /// The team's region. Without it, the caller's home.
    region: Option<Region>,
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
        /// The team gets another region than the home of the caller.
        Elsewhere(to: (Region, Guest)) => Stop::asserting(to.0, CallerAssertion::of_guest(to.1)),
        /// The handle is in use.
        HandleTaken => Problem::new(Code::UsernameTaken, "This username is taken. Choose another."),
        /// The user owns the most teams.
        LimitReached => Problem::new(
            Code::TeamLimitReached,
            format!("You can own at most {MOST_OWNED} teams. Delete one of them or transfer its ownership first."),
        ),
        /// The user created the most teams of a day.
        TooMany(wait: Wait) => Problem {
            retry_after: Some(wait.seconds),
            ..Problem::new(Code::RateLimited, format!("You can create at most {MOST_A_DAY} teams a day. Try again tomorrow."))
        },
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
        .problems(&[
            Code::OnboardingRequired,
            Code::UsernameTaken,
            Code::TeamLimitReached,
            Code::RateLimited,
            Code::NotFound,
        ])
        .uses(&[
            rate_windows::TAKE,
            workspaces::FIND,
            workspaces::MEMBERSHIP,
            workspaces::PROFILE,
            teams::OWNED,
            teams_elsewhere::RESERVATIONS,
            teams_elsewhere::SETTLE,
            vault::NEW_DATA_KEY,
            directory::CLAIM_HANDLE,
            directory::RELEASE_HANDLE,
            teams::OPEN,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = PersonOrGuest;
    type Deps = Deps;
    type Input = Body<CreateTeamBody>;
    type Output = CreatedTeam;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            directory: ports.directory(),
            elsewhere: ports.teams_elsewhere(),
            regions: ports.region_client(),
            teams: ports.teams(),
            vault: ports.vault(),
            windows: ports.rate_windows(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<PersonOrGuest>,
        Body(form): Self::Input,
    ) -> Result<CreatedTeam, Error> {
        let user = onboarded(&call.caller).ok_or(Error::NotOnboarded)?;
        if let Some(id) = call.made_before::<WorkspaceId>() {
            let made = team_of(&*deps.workspaces, id, user).await?.ok_or(Error::Gone)?;
            return Ok(CreatedTeam { team: TeamSummary::new(&made, call.now) });
        }
        let owner = deps.owner(call, &form).await?;
        let ids = new_ids(user, &form.username, call.now);
        let (id, data_key, claim) =
            claim(deps, call, &form.username, ids).await?.ok_or(Error::HandleTaken)?;
        let team = team(call, id, form.username, data_key, user);
        let profile = Profile::named(form.full_name);
        match deps.open(call, &team, &profile, &owner).await? {
            TeamOpened::Yes => {
                tell_at_once(&deps.regions, &team, &owner, call.now).await;
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

impl Deps {
    /// The caller as the team's owner. The request of a local caller for another region is sent there.
    async fn owner(
        &self,
        call: &RequestContext<PersonOrGuest>,
        form: &CreateTeamBody,
    ) -> Result<TeamMember, Error> {
        let guest = match &call.caller {
            PersonOrGuest::Guest(guest) => guest.clone(),
            PersonOrGuest::Person(person) => {
                let user = person.session.user;
                let handle = Some(self.username(user, &form.username, call.now).await?);
                let guest =
                    Guest { user, home: call.region, handle, stepped_up: false, addresses: Vec::new() };
                if let Some(region) = form.region.filter(|region| *region != call.region) {
                    return Err(Error::Elsewhere((region, guest)));
                }
                guest
            }
        };
        Ok(TeamMember {
            user: guest.user,
            role: Role::Owner,
            handle: guest.handle.ok_or(Error::NotOnboarded)?,
            region: guest.home,
            joined_at: call.now,
            invited_by: None,
            changes: 0,
        })
    }

    /// The username of a user of this region who may own a team with this handle, too. Users at the limit are refused here, before
    /// the handle is claimed, so that they reserve none.
    async fn username(&self, user: UserId, handle: &Handle, now: Timestamp) -> Result<Handle, Error> {
        let personal = self.workspaces.find(personal_workspace(user));
        let (personal, owned) = futures::try_join!(personal, self.teams.owned(user))?;
        let personal = personal.ok_or(Error::UserGone)?;
        // One of the teams may be this one, if the request was sent before or twice at once.
        let is_this_one = |id: &WorkspaceId| new_ids(user, handle, id.made_at()).contains(id);
        let is_at_limit = owned.len() >= MOST_OWNED && !owned.iter().any(is_this_one);
        if is_at_limit && !free_settled(&*self.elsewhere, &self.regions, user, now).await? {
            return Err(Error::LimitReached);
        }
        let ends = end_of_day(now);
        if self.windows.take(&format!("teams/{user}"), ends, 1, MOST_A_DAY).await?.granted == 0 {
            return Err(Error::TooMany(Wait::between(now, ends)));
        }
        Ok(personal.handle)
    }

    /// Creates the team, which takes one of the places for owned teams at the owner's home.
    async fn open(
        &self,
        call: &RequestContext<PersonOrGuest>,
        team: &Workspace,
        profile: &Profile,
        owner: &TeamMember,
    ) -> Outcome<TeamOpened> {
        if owner.region != team.region {
            let home = (owner.user, owner.region);
            match reserve_at_home(&self.regions, home, (team.id, team.region)).await? {
                PlaceReserved::Yes => {}
                PlaceReserved::LimitReached => return Ok(TeamOpened::LimitReached),
                PlaceReserved::UserGone => return Ok(TeamOpened::OwnerGone),
            }
        }
        self.teams.open(team, profile, owner, extras_of(call, team, owner)).await
    }
}

/// Claims the handle for the first id that can have it, and makes a data key for that id. `None` if the handle is taken.
async fn claim(
    deps: &Deps,
    call: &RequestContext<PersonOrGuest>,
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

fn team(
    call: &RequestContext<PersonOrGuest>,
    id: WorkspaceId,
    handle: Handle,
    data_key: WrappedKey,
    owner: UserId,
) -> Workspace {
    Workspace {
        id,
        handle,
        kind: WorkspaceKind::Team,
        owner,
        region: call.region,
        plan: Plan::Free,
        plan_ends_at: None,
        plan_since: None,
        plan_paid_until: None,
        seats_taken: 1,
        joins: 0,
        entitlement_overrides: EntitlementOverrides::default(),
        opening_credit: MicroUsd::ZERO,
        data_key,
        created_at: call.now,
    }
}

/// The line in the team's history, the message that has the claim confirmed, and the one for the home of an owner from another
/// region.
fn extras_of(
    call: &RequestContext<PersonOrGuest>,
    team: &Workspace,
    owner: &TeamMember,
) -> TransactionExtras {
    let actor = Actor { user: team.owner, key: None };
    let event = call.event(team.id, actor, Action::Created, ResourceType::Team).about(team.id, &team.handle);
    let notice = DomainEvent::WorkspaceOpened { workspace: team.id, handle: team.handle.clone() };
    call.extras(Some(event), Some(notice), team.id).with(foreign_members::message(call, team, owner))
}
