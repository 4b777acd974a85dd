//! Start of a deletion. The request ends all sessions, keys and sign-ins before it responds; the job does the rest.

use domain::{
    deletion::{CONFIRMATION, Deletion, DeletionScope, Step, UnderWay},
    directory::Name,
    domain_events::DomainEvent,
    email::EmailAddress,
    handle::Handle,
    id::{JobId, OfJob, UserId, WorkspaceId},
    job::Status,
    permissions::{self, DeletesForGood},
    ports::{Closed, Closing, Failure, Rounds},
    session::Session,
    team::MOST_LISTED,
    user::{EmailHash, personal_workspace},
    workspace::{Workspace, WorkspaceKind},
};
use kit::{AnyPerson, Person, RequestContext, caller::DeletedAccount};
use regions::{owned_places::free_settled, tell_regions::message_about};

use super::{Deps, Error, PrivacyAction, PrivacyRequestBody, StartedJob, requester::Requester};
use crate::elsewhere::JobElsewhere;

type Call = RequestContext<AnyPerson>;

/// Maximum number of records erased at a time.
const CHUNK: usize = 100;

/// Starts the deletion of the account or of a team.
pub(super) async fn begin(
    deps: &Deps,
    call: &Call,
    by: Requester<'_>,
    word: Option<String>,
    team: Option<String>,
) -> Result<StartedJob, Error> {
    if word.as_deref() != Some(CONFIRMATION) {
        return Err(Error::NotConfirmed);
    }
    let scope = if team.is_none() { DeletionScope::Account } else { DeletionScope::Team };
    let job = match (call.made_before::<JobId>(), team, by) {
        (Some(id), _, _) => id,
        (None, Some(handle), _) => close_team(deps, call, by, &handle).await?,
        (None, None, Requester::Person(person)) => close_account(deps, call, person).await?,
        (None, None, Requester::Guest(_)) => return Err(Error::Missing),
    };
    // Without a record, all of it is done.
    let status = shut_out(deps, by.user(), job).await?.map_or(Status::Completed, |deletion| deletion.status);
    Ok(started(call, job, status, scope))
}

/// Answers a retry of a request that ended its own session: only the same request, for the deletion of the account.
pub(super) async fn repeat(
    deps: &Deps,
    call: &Call,
    deleted: DeletedAccount,
    form: &PrivacyRequestBody,
) -> Result<StartedJob, Error> {
    let same = form.action == PrivacyAction::Delete
        && form.confirmation_word.as_deref() == Some(CONFIRMATION)
        && form.team_username.is_none();
    if !same {
        return Err(Error::Ended);
    }
    // The first request may have been interrupted before it ended all other sessions.
    let left = shut_out(deps, deleted.user, deleted.job).await?;
    let status = left.map_or(Status::Completed, |deletion| deletion.status);
    Ok(started(call, deleted.job, status, DeletionScope::Account))
}

fn started(call: &Call, job_id: JobId, status: Status, scope: DeletionScope) -> StartedJob {
    let signs_out = scope == DeletionScope::Account;
    StartedJob { job_id, action: PrivacyAction::Delete, status, region: call.region, signs_out }
}

async fn close_account(deps: &Deps, call: &Call, person: &Person) -> Result<JobId, Error> {
    let (by, session) = (Requester::Person(person), &person.session);
    let (user, workspace) = (session.user, personal_workspace(session.user));
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let (found, owned, record) = futures::try_join!(
            deps.accounts.user(user),
            deps.teams.owned(user),
            deps.workspaces.find(workspace)
        )?;
        let Some(found) = found else {
            return deps.deletions.running(user, workspace).await?.ok_or(Error::Ended);
        };
        // Checked last: a deleted account has no password for a step-up.
        let proof = permissions::may_delete_account(session, call.now)?;
        if !owned.is_empty() && still_owns_teams(deps, call, user).await? {
            return Err(Error::OwnsTeams);
        }
        let address = deps.addresses.hash(&found.primary_email).await?;
        let (to, names) = (Some(found.primary_email.clone()), (record.as_ref(), Some(address)));
        let deletion = deletion(call, by, (DeletionScope::Account, workspace), to, names);
        let closing = Closing { deletion: &deletion, user: Some(&found), workspace: record.as_ref() };
        if let Some(job) = close(deps, call, &proof, &closing, None).await? {
            return Ok(job);
        }
    }
}

/// Whether the user owns teams in any region. A place that was reserved for a team in another region is freed first, if the user did
/// not become the team's owner.
async fn still_owns_teams(deps: &Deps, call: &Call, user: UserId) -> Result<bool, Failure> {
    let freed = free_settled(&*deps.elsewhere, &deps.regions, user, call.now).await?;
    Ok(!freed || !deps.teams.owned(user).await?.is_empty())
}

async fn close_team(deps: &Deps, call: &Call, by: Requester<'_>, handle: &str) -> Result<JobId, Error> {
    let user = by.user();
    let handle = Handle::look_up(handle).map_err(|_| Error::Missing)?;
    let Some(id) = deps.workspaces.by_handle(&handle).await? else {
        return Err(not_here(deps, call, by, handle).await?);
    };
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(team) = deps.workspaces.find(id).await? else {
            return deps.deletions.running(user, id).await?.ok_or(Error::Missing);
        };
        let sees = team.owner == user || deps.workspaces.membership(id, user).await?.is_some();
        if team.kind != WorkspaceKind::Team || !sees {
            return Err(Error::Missing);
        }
        let proof = permissions::may_delete_team(user, by.is_stepped_up(call.now), &team)?;
        if deps.inventory.has_others(id, user).await? {
            return Err(Error::HasMembers);
        }
        let (receipt_to, notice) = match by {
            Requester::Person(person) => (Some(address_of(deps, &person.session).await?), None),
            Requester::Guest(_) => (None, notice_to_home(deps, &team).await?),
        };
        let deletion = deletion(call, by, (DeletionScope::Team, id), receipt_to, (Some(&team), None));
        let closing = Closing { deletion: &deletion, user: None, workspace: Some(&team) };
        if let Some(job) = close(deps, call, &proof, &closing, notice).await? {
            return Ok(job);
        }
    }
}

/// The answer for a team that is not in this region: the request belongs to the region of the team, if another region has it.
async fn not_here(deps: &Deps, call: &Call, by: Requester<'_>, handle: Handle) -> Result<Error, Failure> {
    let Requester::Person(person) = by else { return Ok(Error::Missing) };
    let session = &person.session;
    let region = match deps.directory.find(&Name::Handle(handle.clone())).await? {
        Some(holder) => holder.confirmed.then_some(holder.region),
        // A deletion frees the username. A request that is repeated then still finds the job.
        None => {
            let teams = deps.teams.of(session.user, MOST_LISTED).await?;
            teams.elsewhere.iter().rfind(|copy| copy.handle == handle).map(|copy| copy.region)
        }
    };
    let region = region.filter(|region| *region != call.region);
    let job = region.map(|region| JobElsewhere::new(region, session, call.region, call.now));
    Ok(job.map_or(Error::Missing, Error::Elsewhere))
}

async fn address_of(deps: &Deps, session: &Session) -> Result<EmailAddress, Error> {
    Ok(deps.accounts.user(session.user).await?.ok_or(Error::Ended)?.primary_email)
}

/// The event by which the home of the owner, which is another region, learns that the team is gone.
async fn notice_to_home(deps: &Deps, team: &Workspace) -> Result<Option<DomainEvent>, Failure> {
    let owner = deps.teams.member(team.id, team.owner).await?;
    Ok(owner.and_then(|owner| message_about(team, &owner)))
}

fn deletion(
    call: &Call,
    by: Requester<'_>,
    (scope, workspace): (DeletionScope, WorkspaceId),
    receipt_to: Option<EmailAddress>,
    (record, address): (Option<&Workspace>, Option<EmailHash>),
) -> Deletion {
    let session = match by {
        Requester::Person(person) if scope == DeletionScope::Account => Some(person.session.id),
        _ => None,
    };
    Deletion {
        id: call.id::<OfJob>(),
        scope,
        user: by.user(),
        requester_home: by.other_home(),
        session,
        workspace,
        region: call.region,
        handle: record.map(|workspace| workspace.handle.clone()),
        address,
        addresses: Vec::new(),
        receipt_to,
        status: Status::Queued,
        created_at: call.now,
        ended_at: None,
        looks_again: false,
        steps_done: Default::default(),
        handed_over_until: None,
        counted: None,
        referral_kept_until: None,
        counts: Default::default(),
        version: 1,
    }
}

/// Closes it; the job, unless what was read is out of date. `notice` is for the home of a team's owner.
async fn close(
    deps: &Deps,
    call: &Call,
    proof: &DeletesForGood,
    closing: &Closing<'_>,
    notice: Option<DomainEvent>,
) -> Result<Option<JobId>, Failure> {
    let Deletion { id, user, .. } = *closing.deletion;
    let goes_on = DomainEvent::DeletionGoesOn { user, deletion: id };
    let extras = call.extras(None, Some(goes_on), id).with(notice.map(|notice| call.message(notice)));
    Ok(match deps.deletions.close(proof, closing, extras).await? {
        Closed::Yes => Some(id),
        Closed::Running(job) => Some(job),
        Closed::Stale => None,
    })
}

/// Takes the job's first steps, until nobody gets in. The job may have begun itself: what one of them has counted, the other
/// doesn't. None if all of it is done.
async fn shut_out(deps: &Deps, user: UserId, job: JobId) -> Result<Option<Deletion>, Failure> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(deletion) = deps.deletions.find(user, job).await? else { return Ok(None) };
        match take_first_steps(deps, UnderWay::new(&*deps.deletions, deletion)).await {
            Err(Failure::Raced) => {}
            taken => return taken.map(Some),
        }
    }
}

async fn take_first_steps(deps: &Deps, mut deletion: UnderWay<'_>) -> Result<Deletion, Failure> {
    while let Some(step @ Step::Records(part)) = deletion.next.step().filter(|step| step.shuts_out()) {
        while step.is_of(deletion.next.scope) {
            let names = deps.deletions.left(&deletion.next, part, CHUNK).await?.items;
            if names.is_empty() {
                break;
            }
            deletion.count(step, &names).await?;
            deps.deletions.erase(&deletion.next, part, &names).await?;
        }
        deletion.next.step_is_done();
    }
    Ok(deletion.stored().clone())
}
