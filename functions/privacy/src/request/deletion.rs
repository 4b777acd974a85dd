//! Start of a deletion. The request ends all sessions, keys and sign-ins before it responds; the job does the rest.

use domain::{
    deletion::{CONFIRMATION, Deletion, DeletionScope, Step, UnderWay},
    domain_events::DomainEvent,
    email::EmailAddress,
    handle::Handle,
    id::{JobId, OfJob, UserId, WorkspaceId},
    job::Status,
    permissions::{self, DeletesForGood},
    ports::{Closed, Closing, Failure, Rounds},
    role::Role,
    user::{EmailHash, User, personal_workspace},
    workspace::{Workspace, WorkspaceKind},
};
use kit::{Person, PersonOrDeleted, RequestContext, caller::DeletedAccount};

use super::{Deps, Error, PrivacyAction, PrivacyRequestBody, StartedJob};

/// A request and its user.
type Asked<'a> = (&'a RequestContext<PersonOrDeleted>, &'a Person);

/// Maximum numbers of memberships read and of records erased at a time.
const MEMBERSHIPS: usize = 1_000;
const CHUNK: usize = 100;

/// Starts the deletion of the account or of a team.
pub(super) async fn begin(
    deps: &Deps,
    asked @ (call, person): Asked<'_>,
    word: Option<String>,
    team: Option<String>,
) -> Result<StartedJob, Error> {
    if word.as_deref() != Some(CONFIRMATION) {
        return Err(Error::NotConfirmed);
    }
    let user = person.session.user;
    let scope = if team.is_none() { DeletionScope::Account } else { DeletionScope::Team };
    let job = match (call.made_before::<JobId>(), team) {
        (Some(id), _) => id,
        (None, None) => close_account(deps, asked).await?,
        (None, Some(handle)) => close_team(deps, asked, &handle).await?,
    };
    // Without a record, all of it is done.
    let status = shut_out(deps, user, job).await?.map_or(Status::Completed, |deletion| deletion.status);
    Ok(started(job, status, scope))
}

/// Answers a retry of a request that ended its own session: only the same request, for the deletion of the account.
pub(super) async fn repeat(
    deps: &Deps,
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
    Ok(started(
        deleted.job,
        left.map_or(Status::Completed, |deletion| deletion.status),
        DeletionScope::Account,
    ))
}

fn started(job_id: JobId, status: Status, scope: DeletionScope) -> StartedJob {
    StartedJob { job_id, action: PrivacyAction::Delete, status, signs_out: scope == DeletionScope::Account }
}

async fn close_account(deps: &Deps, asked @ (call, person): Asked<'_>) -> Result<JobId, Error> {
    let session = &person.session;
    let user = session.user;
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let memberships = deps.inventory.memberships(user, MEMBERSHIPS);
        let workspace = deps.workspaces.find(personal_workspace(user));
        let (found, memberships, workspace) =
            futures::try_join!(deps.accounts.user(user), memberships, workspace)?;
        let Some(found) = found else {
            return deps.deletions.running(user, personal_workspace(user)).await?.ok_or(Error::Ended);
        };
        // Checked last: a deleted account has no password for a step-up.
        let proof = permissions::may_delete_account(session, call.now)?;
        if memberships.iter().any(|membership| membership.role == Role::Owner) {
            return Err(Error::OwnsTeams);
        }
        let address = deps.addresses.hash(&found.primary_email).await?;
        let (to, names) = (found.primary_email.clone(), (workspace.as_ref(), Some(address)));
        let deletion = deletion(asked, DeletionScope::Account, personal_workspace(user), to, names);
        let closing = Closing { deletion: &deletion, user: Some(&found), workspace: workspace.as_ref() };
        if let Some(job) = close(deps, call, &proof, &closing).await? {
            return Ok(job);
        }
    }
}

async fn close_team(deps: &Deps, asked @ (call, person): Asked<'_>, handle: &str) -> Result<JobId, Error> {
    let session = &person.session;
    let user = session.user;
    let handle = Handle::look_up(handle).map_err(|_| Error::Missing)?;
    let id = deps.workspaces.by_handle(&handle).await?.ok_or(Error::Missing)?;
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
        let proof = permissions::may_delete_team(session, &team, call.now)?;
        let others = deps.inventory.has_others(id, user);
        let (others, found) = futures::try_join!(others, deps.accounts.user(user))?;
        if others {
            return Err(Error::HasMembers);
        }
        let User { primary_email, .. } = found.ok_or(Error::Ended)?;
        let deletion = deletion(asked, DeletionScope::Team, id, primary_email, (Some(&team), None));
        let closing = Closing { deletion: &deletion, user: None, workspace: Some(&team) };
        if let Some(job) = close(deps, call, &proof, &closing).await? {
            return Ok(job);
        }
    }
}

fn deletion(
    (call, person): Asked<'_>,
    scope: DeletionScope,
    workspace: WorkspaceId,
    receipt_to: EmailAddress,
    (record, address): (Option<&Workspace>, Option<EmailHash>),
) -> Deletion {
    Deletion {
        id: call.id::<OfJob>(),
        scope,
        user: person.session.user,
        session: (scope == DeletionScope::Account).then_some(person.session.id),
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
        counts: Default::default(),
        version: 1,
    }
}

/// Closes it; the job, unless what was read is out of date.
async fn close(
    deps: &Deps,
    call: &RequestContext<PersonOrDeleted>,
    proof: &DeletesForGood,
    closing: &Closing<'_>,
) -> Result<Option<JobId>, Failure> {
    let Deletion { id, user, .. } = *closing.deletion;
    let notice = DomainEvent::DeletionGoesOn { user, deletion: id };
    Ok(match deps.deletions.close(proof, closing, call.extras(None, Some(notice), id)).await? {
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
