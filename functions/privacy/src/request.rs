//! `POST /api/gdpr`: requests an export, or the deletion of an account or a team. Both are jobs with an id for
//! [`gdpr-status`](crate::status). If such a job is open, its id is returned.
//!
//! Requires a session and step-up, but no onboarding, because users without a username have data too. The deletion of
//! an account ends the requesting session; a retry with the same access token still gets the job.
//!
//! The team's region deletes a team. It answers an owner whose home is another region, which forwards the request.

mod deletion;
mod requester;

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    domain_events::DomainEvent,
    export::{Export, Format, MOST_A_DAY},
    id::{JobId, OfJob},
    job::Status,
    permissions::{self, Denied},
    ports::{
        Accounts, AddressHashes, Deletions, Directory, Exports, Failure, Inventory, Rounds, Started, Teams,
        TeamsElsewhere, Workspaces,
    },
    region::Region,
    text::Invalid,
    throttle::Wait,
    user::personal_workspace,
};
use http::{HeaderName, HeaderValue};
use kit::{
    Access, AnyPerson, Body, Code, Endpoint, Output, Params, Person, Ports, Problem, RegionClient,
    RequestContext, Spec, credentials,
    grants::{
        accounts, address_hashes, deletions, directory, exports, extras, inventory, teams, teams_elsewhere,
        workspaces,
    },
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::elsewhere::JobElsewhere;
use requester::Requester;

/// Starts an export or a deletion.
pub struct RequestPrivacyJob;

/// Dependencies.
pub struct Deps {
    exports: Arc<dyn Exports>,
    deletions: Arc<dyn Deletions>,
    inventory: Arc<dyn Inventory>,
    accounts: Arc<dyn Accounts>,
    addresses: Arc<dyn AddressHashes>,
    workspaces: Arc<dyn Workspaces>,
    teams: Arc<dyn Teams>,
    elsewhere: Arc<dyn TeamsElsewhere>,
    directory: Arc<dyn Directory>,
    regions: RegionClient,
}

/// The format of an export.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyRequestQuery {
    /// Export format: `zip` (the default) or `json`. Only for exports.
    #[serde(default)]
    format: Option<Format>,
}

/// The requested action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PrivacyAction {
    /// Export all data.
    Export,
    /// Delete an account or a team.
    Delete,
}

/// An export request, or a deletion request with a confirmation word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "action": { "const": "export" }, "confirmationWord": false, "teamUsername": false } },
    { "required": ["confirmationWord"], "properties": { "action": { "const": "delete" } } },
]))]
pub struct PrivacyRequestBody {
    /// The action to request.
    action: PrivacyAction,
    /// `DELETE` in capital letters. Required for deletions.
    #[serde(default)]
    #[schemars(with = "String", extend("const" = "DELETE"))]
    confirmation_word: Option<String>,
    /// The username of a team, to delete the team instead of the account.
    #[serde(default)]
    #[schemars(with = "String")]
    team_username: Option<String>,
}

/// An export or deletion job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedJob {
    /// The job id for requesting the status.
    job_id: JobId,
    action: PrivacyAction,
    status: Status,
    /// The region of the job, for requesting the status: the team's, if a team is deleted.
    region: Region,
    /// Whether the session ended, so that its cookies are deleted.
    #[serde(skip)]
    signs_out: bool,
}

impl Output for StartedJob {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        if self.signs_out { credentials::forget_cookies() } else { Vec::new() }
    }
}

kit::errors! {
    pub enum Error from Denied, Failure {
        /// Only deletions have this field.
        OnlyForDeletions(field: &'static str) => Problem::field(field, &Invalid::new("This field applies only to deletions. Remove the field.")),
        /// Only exports have a format.
        OnlyForExports => Problem::field("format", &Invalid::new("This parameter applies only to exports. Remove the parameter.")),
        /// The confirmation word is missing or wrong.
        NotConfirmed => Problem::field("confirmationWord", &Invalid::new("Type DELETE in capital letters to confirm.")),
        /// The user requested too many exports.
        TooManyExports(wait: Wait) => Problem {
            retry_after: Some(wait.seconds),
            ..Problem::new(Code::RateLimited, format!("You requested {MOST_A_DAY} exports in the last 24 hours. Download one of them, or wait."))
        },
        /// The user owns a team.
        OwnsTeams => Problem::new(
            Code::OwnsTeams,
            "You own a team. Delete the team or transfer its ownership before you delete your account.",
        ),
        /// The team has other members.
        HasMembers => Problem::new(
            Code::TeamHasMembers,
            "The team has other members. Remove them before you delete the team.",
        ),
        /// The user has no such team, or the job is gone.
        Missing => Problem::not_found(),
        /// The team belongs to another region.
        Elsewhere(job: JobElsewhere) => job,
        /// The account is gone.
        Ended => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for RequestPrivacyJob {
    const SPEC: Spec = spec("gdpr-request", Post, "/api/gdpr")
        .summary("Request a data export, or the deletion of an account or team")
        .access(Access::person())
        .answers(202)
        .once()
        .answers_deleted()
        .problems(&[
            Code::StepUpRequired,
            Code::OwnsTeams,
            Code::TeamHasMembers,
            Code::Forbidden,
            Code::NotFound,
            Code::RateLimited,
        ])
        .uses(&[
            address_hashes::HASH,
            accounts::USER,
            workspaces::FIND,
            workspaces::BY_HANDLE,
            workspaces::MEMBERSHIP,
            teams::OWNED,
            teams::OF,
            teams::MEMBER,
            teams_elsewhere::RESERVATIONS,
            teams_elsewhere::SETTLE,
            directory::FIND_HANDLE,
            inventory::HAS_OTHERS,
            exports::FIND,
            exports::OF,
            exports::START,
            deletions::FIND,
            deletions::RUNNING,
            deletions::CLOSE,
            deletions::LEFT_ACCESS,
            deletions::ERASE_ACCESS,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = AnyPerson;
    type Deps = Deps;
    type Input = (Params<PrivacyRequestQuery>, Body<PrivacyRequestBody>);
    type Output = StartedJob;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            exports: ports.exports(),
            deletions: ports.deletions(),
            inventory: ports.inventory(),
            accounts: ports.accounts(),
            addresses: ports.address_hashes(),
            workspaces: ports.workspaces(),
            teams: ports.teams(),
            elsewhere: ports.teams_elsewhere(),
            directory: ports.directory(),
            regions: ports.region_client(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<AnyPerson>,
        (Params(options), Body(form)): Self::Input,
    ) -> Result<StartedJob, Error> {
        let by = match &call.caller {
            AnyPerson::Person(person) => Requester::Person(person),
            AnyPerson::Guest(guest) => Requester::Guest(guest),
            AnyPerson::Deleted(deleted) => return deletion::repeat(deps, call, *deleted, &form).await,
        };
        match form {
            PrivacyRequestBody { action: PrivacyAction::Delete, .. } if options.format.is_some() => {
                Err(Error::OnlyForExports)
            }
            PrivacyRequestBody { action: PrivacyAction::Delete, confirmation_word, team_username } => {
                deletion::begin(deps, call, by, confirmation_word, team_username).await
            }
            PrivacyRequestBody { confirmation_word: Some(_), .. } => {
                Err(Error::OnlyForDeletions("confirmationWord"))
            }
            PrivacyRequestBody { team_username: Some(_), .. } => Err(Error::OnlyForDeletions("teamUsername")),
            PrivacyRequestBody { .. } => match by {
                Requester::Person(person) => {
                    export(deps, call, person, options.format.unwrap_or_default()).await
                }
                // This region has no data of the person.
                Requester::Guest(_) => Err(Error::Missing),
            },
        }
    }
}

async fn export(
    deps: &Deps,
    call: &RequestContext<AnyPerson>,
    person: &Person,
    format: Format,
) -> Result<StartedJob, Error> {
    let user = person.session.user;
    if let Some(id) = call.made_before::<JobId>() {
        return Ok(started(call.region, &deps.exports.find(user, id).await?.ok_or(Error::Missing)?));
    }
    let proof = permissions::may_export(&person.session, call.now)?;
    let newest = deps.exports.of(user, MOST_A_DAY).await?;
    if let Some(wait) = Export::wait_after(&newest, call.now) {
        return Err(Error::TooManyExports(wait));
    }
    let export = Export::new(call.id::<OfJob>(), user, format, call.now);
    let event = person.onboarded.then(|| {
        let actor = Actor { user, key: None };
        let event = call.event(personal_workspace(user), actor, Action::Started, ResourceType::Export);
        event.about(export.id, export.filename())
    });
    let notice = DomainEvent::ExportGoesOn { user, export: export.id };
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let extras = call.extras(event.clone(), Some(notice.clone()), export.id);
        match deps.exports.start(&proof, &export, extras).await? {
            Started::Yes => return Ok(started(call.region, &export)),
            // If the job no longer exists, nothing blocks the request.
            Started::Running(id) => {
                if let Some(running) = deps.exports.find(user, id).await? {
                    return Ok(started(call.region, &running));
                }
            }
        }
    }
}

fn started(region: Region, export: &Export) -> StartedJob {
    let action = PrivacyAction::Export;
    StartedJob { job_id: export.id, action, status: export.status, region, signs_out: false }
}
