//! How a deletion begins. When the answer is out, nobody signs in any more, and no session and no key is good; everything else
//! is the job's.

use domain::{
    deletion::{CONFIRMATION, Deletion, Scope, Step, UnderWay},
    email::EmailAddress,
    handle::Handle,
    id::{JobId, OfJob, UserId, WorkspaceId},
    job::Status,
    outbox::Notice,
    policy::{self, DeletesForGood},
    ports::{Closed, Closing, Failure},
    role::Role,
    user::{EmailHash, User, personal_workspace},
    workspace::{Workspace, WorkspaceKind},
};
use kit::{Call, Person};

use super::{Action, Deps, Error, ROUNDS, Started};

/// So many memberships are looked at, and so many records erased at a time.
const MEMBERSHIPS: usize = 1_000;
const CHUNK: usize = 100;
/// So often the job may be quicker: with each time, it has erased something.
const RACES: usize = 100;

/// Begins the deletion of the account, or of a team.
pub(super) async fn begin(
    deps: &Deps,
    call: &Call<Person>,
    word: Option<String>,
    team: Option<String>,
) -> Result<Started, Error> {
    if word.as_deref() != Some(CONFIRMATION) {
        return Err(Error::NotConfirmed);
    }
    let user = call.caller.session.user;
    let scope = if team.is_none() { Scope::Account } else { Scope::Team };
    let job = match (call.made_before::<JobId>(), team) {
        (Some(id), _) => id,
        (None, None) => close_account(deps, call).await?,
        (None, Some(handle)) => close_team(deps, call, &handle).await?,
    };
    // Without a record, all of it is done.
    let status = shut_out(deps, user, job).await?.map_or(Status::Completed, |deletion| deletion.status);
    Ok(started(job, status, scope))
}

fn started(job_id: JobId, status: Status, scope: Scope) -> Started {
    Started { job_id, action: Action::Delete, status, signs_out: scope == Scope::Account }
}

async fn close_account(deps: &Deps, call: &Call<Person>) -> Result<JobId, Error> {
    let user = call.caller.session.user;
    let proof = policy::may_delete_account(&call.caller.session, call.now)?;
    for _ in 0..ROUNDS {
        let memberships = deps.inventory.memberships(user, MEMBERSHIPS);
        let workspace = deps.workspaces.find(personal_workspace(user));
        let (person, memberships, workspace) =
            futures::try_join!(deps.accounts.user(user), memberships, workspace)?;
        let Some(person) = person else {
            return deps.deletions.running(user, personal_workspace(user)).await?.ok_or(Error::Ended);
        };
        if memberships.iter().any(|membership| membership.role == Role::Owner) {
            return Err(Error::OwnsTeams);
        }
        let address = deps.addresses.hash(&person.primary_email).await?;
        let (to, names) = (person.primary_email.clone(), (workspace.as_ref(), Some(address)));
        let deletion = deletion(call, Scope::Account, personal_workspace(user), to, names);
        let closing = Closing { deletion: &deletion, user: Some(&person), workspace: workspace.as_ref() };
        if let Some(job) = close(deps, call, &proof, &closing).await? {
            return Ok(job);
        }
    }
    Err(Failure::Raced.into())
}

async fn close_team(deps: &Deps, call: &Call<Person>, handle: &str) -> Result<JobId, Error> {
    let user = call.caller.session.user;
    let handle = Handle::parse_existing(handle).map_err(|_| Error::Missing)?;
    let id = deps.workspaces.by_handle(&handle).await?.ok_or(Error::Missing)?;
    for _ in 0..ROUNDS {
        let Some(team) = deps.workspaces.find(id).await? else {
            return deps.deletions.running(user, id).await?.ok_or(Error::Missing);
        };
        let sees = team.owner == user || deps.workspaces.membership(id, user).await?.is_some();
        if team.kind != WorkspaceKind::Team || !sees {
            return Err(Error::Missing);
        }
        let proof = policy::may_delete_team(&call.caller.session, &team, call.now)?;
        let others = deps.inventory.has_others(id, user);
        let (others, person) = futures::try_join!(others, deps.accounts.user(user))?;
        if others {
            return Err(Error::HasMembers);
        }
        let User { primary_email, .. } = person.ok_or(Error::Ended)?;
        let deletion = deletion(call, Scope::Team, id, primary_email, (Some(&team), None));
        let closing = Closing { deletion: &deletion, user: None, workspace: Some(&team) };
        if let Some(job) = close(deps, call, &proof, &closing).await? {
            return Ok(job);
        }
    }
    Err(Failure::Raced.into())
}

fn deletion(
    call: &Call<Person>,
    scope: Scope,
    workspace: WorkspaceId,
    receipt_to: EmailAddress,
    (record, address): (Option<&Workspace>, Option<EmailHash>),
) -> Deletion {
    Deletion {
        id: call.id::<OfJob>(),
        scope,
        user: call.caller.session.user,
        workspace,
        region: call.region,
        handle: record.map(|workspace| workspace.handle.clone()),
        address,
        receipt_to,
        status: Status::Queued,
        created_at: call.now,
        ended_at: None,
        looks_again: false,
        done: 0,
        counted: None,
        counts: Default::default(),
        version: 1,
    }
}

/// Closes it; the job, unless what was read is out of date.
async fn close(
    deps: &Deps,
    call: &Call<Person>,
    proof: &DeletesForGood,
    closing: &Closing<'_>,
) -> Result<Option<JobId>, Failure> {
    let Deletion { id, user, .. } = *closing.deletion;
    let notice = Notice::DeletionGoesOn { user, deletion: id };
    Ok(match deps.deletions.close(proof, closing, call.alongside(None, Some(notice), id)).await? {
        Closed::Yes => Some(id),
        Closed::Running(job) => Some(job),
        Closed::Stale => None,
    })
}

/// Takes the job's first steps, until nobody gets in. The job may have begun itself: what one of them has counted, the other
/// doesn't. None if all of it is done.
async fn shut_out(deps: &Deps, user: UserId, job: JobId) -> Result<Option<Deletion>, Failure> {
    for _ in 0..RACES {
        let Some(deletion) = deps.deletions.find(user, job).await? else { return Ok(None) };
        match take_first_steps(deps, UnderWay::new(&*deps.deletions, deletion)).await {
            Err(Failure::Raced) => {}
            taken => return taken.map(Some),
        }
    }
    Err(Failure::Raced)
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
