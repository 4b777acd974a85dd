//! `POST /api/gdpr`: have one's data exported, or an account or a team deleted. Both are jobs; the answer says by which id
//! [`gdpr-status`](crate::status) knows them. What is under way already is answered with its id.
//!
//! A session is enough: whoever never chose a username has data too, and may have them, or be rid of them, all the same.

mod deletion;

use std::sync::Arc;

use domain::{
    activity::{Action as Did, Actor, ResourceType},
    export::{Export, Format},
    id::{JobId, OfJob},
    job::Status,
    outbox::Notice,
    policy::Denied,
    ports::{Accounts, AddressHashes, Deletions, Exports, Failure, Inventory, Started as Begun, Workspaces},
    text::Invalid,
    user::personal_workspace,
};
use http::{HeaderName, HeaderValue};
use kit::{
    Access, Body, Call, Code, Endpoint, Grant, Items, Output, Params, Person, Ports, Problem, Spec, caller,
    spec, spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Begins an export or a deletion.
pub struct Request;

/// What it works with.
pub struct Deps {
    exports: Arc<dyn Exports>,
    deletions: Arc<dyn Deletions>,
    inventory: Arc<dyn Inventory>,
    accounts: Arc<dyn Accounts>,
    addresses: Arc<dyn AddressHashes>,
    workspaces: Arc<dyn Workspaces>,
}

/// How an export is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// `zip` (the default) or `json`; for exports only.
    #[serde(default)]
    format: Option<Format>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Action {
    /// A copy of all data.
    Export,
    /// The end of an account or a team.
    Delete,
}

/// The request: an export, or a deletion, confirmed by a word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "action": { "const": "export" }, "confirmationWord": false, "teamUsername": false } },
    { "required": ["confirmationWord"], "properties": { "action": { "const": "delete" } } },
]))]
pub struct Form {
    /// What to do.
    action: Action,
    /// `DELETE`, in capitals.
    #[serde(default)]
    #[schemars(with = "String", extend("const" = "DELETE"))]
    confirmation_word: Option<String>,
    /// A team's username, to delete that and not the account.
    #[serde(default)]
    #[schemars(with = "String")]
    team_username: Option<String>,
}

/// A job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// What its status is asked for with.
    job_id: JobId,
    action: Action,
    status: Status,
    /// The session is over: its cookies go.
    #[serde(skip)]
    signs_out: bool,
}

impl Output for Started {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        if self.signs_out { caller::forget_cookies() } else { Vec::new() }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each names its cause")]
pub enum Error {
    #[error("only deletions have a {0}")]
    OnlyForDeletions(&'static str),
    #[error("only exports have a format")]
    OnlyForExports,
    #[error("not the word")]
    NotConfirmed,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the user owns a team")]
    OwnsTeams,
    #[error("the team has other members")]
    HasMembers,
    #[error("no team of the user's is called so, or the job is gone")]
    Missing,
    #[error("the account is gone")]
    Ended,
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Records that change under a request are read again so often.
const ROUNDS: usize = 3;

impl Endpoint for Request {
    const SPEC: Spec = spec("gdpr-request", Post, "/api/gdpr")
        .summary("Have your data exported, or your account or a team of yours deleted")
        .access(Access::Person)
        .answers(202)
        .once()
        .problems(&[
            Code::StepUpRequired,
            Code::OwnsTeams,
            Code::TeamHasMembers,
            Code::Forbidden,
            Code::NotFound,
        ])
        .grants(&[
            Grant::secret("addresses"),
            Grant::items("GetItem", Items::Jobs),
            Grant::items("PutItem", Items::Jobs),
            Grant::items("PutItem", Items::ExportsDue),
            Grant::items("PutItem", Items::DeletionsDue),
            Grant::items("PutItem", Items::Outbox),
            Grant::items("PutItem", Items::Events),
            Grant::items("PutItem", Items::Receipts),
            Grant::items("GetItem", Items::Users),
            Grant::items("GetItem", Items::Workspaces),
            Grant::items("GetItem", Items::Handles),
            Grant::items("BatchGetItem", Items::Workspaces),
            Grant::items("BatchGetItem", Items::Members),
            Grant::items("Query", Items::Members),
            Grant::items("Query", Items::Memberships),
            Grant::items("DeleteItem", Items::Users),
            Grant::items("DeleteItem", Items::Passwords),
            Grant::items("DeleteItem", Items::Addresses),
            Grant::items("DeleteItem", Items::Workspaces),
            Grant::items("ConditionCheckItem", Items::Workspaces),
            Grant::items("DeleteItem", Items::Handles),
            Grant::items("Query", Items::Keys),
            Grant::items("BatchGetItem", Items::Keys),
            Grant::items("BatchWriteItem", Items::Keys),
            Grant::items("BatchWriteItem", Items::KeyHolders),
            Grant::items("Query", Items::Sessions),
            Grant::items("BatchWriteItem", Items::Sessions),
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = (Params<Options>, Body<Form>);
    type Output = Started;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            exports: ports.exports(),
            deletions: ports.deletions(),
            inventory: ports.inventory(),
            accounts: ports.accounts(),
            addresses: ports.address_hashes(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &Call<Person>,
        (Params(options), Body(form)): Self::Input,
    ) -> Result<Started, Error> {
        match form {
            Form { action: Action::Delete, .. } if options.format.is_some() => Err(Error::OnlyForExports),
            Form { action: Action::Delete, confirmation_word, team_username } => {
                deletion::begin(deps, call, confirmation_word, team_username).await
            }
            Form { confirmation_word: Some(_), .. } => Err(Error::OnlyForDeletions("confirmationWord")),
            Form { team_username: Some(_), .. } => Err(Error::OnlyForDeletions("teamUsername")),
            Form { .. } => export(deps, call, options.format.unwrap_or_default()).await,
        }
    }
}

async fn export(deps: &Deps, call: &Call<Person>, format: Format) -> Result<Started, Error> {
    let user = call.caller.session.user;
    if let Some(id) = call.made_before::<JobId>() {
        return Ok(started(&deps.exports.find(user, id).await?.ok_or(Error::Missing)?));
    }
    let export = Export::new(call.id::<OfJob>(), user, format, call.now);
    let event = call.caller.onboarded.then(|| {
        let actor = Actor { user, key: None };
        let event = call.event(personal_workspace(user), actor, Did::Started, ResourceType::Export);
        event.about(export.id, export.filename())
    });
    let notice = Notice::ExportGoesOn { user, export: export.id };
    for _ in 0..ROUNDS {
        let alongside = call.alongside(event.clone(), Some(notice.clone()), export.id);
        match deps.exports.start(&export, alongside).await? {
            Begun::Yes => return Ok(started(&export)),
            // If it is gone by now, so is what was in the way.
            Begun::Running(id) => {
                if let Some(running) = deps.exports.find(user, id).await? {
                    return Ok(started(&running));
                }
            }
        }
    }
    Err(Failure::Raced.into())
}

fn started(export: &Export) -> Started {
    Started { job_id: export.id, action: Action::Export, status: export.status, signs_out: false }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::OnlyForDeletions(field) => {
                Self::field(field, &Invalid::new("It belongs to a deletion; leave it out."))
            }
            Error::OnlyForExports => {
                Self::field("format", &Invalid::new("It belongs to an export; leave it out."))
            }
            Error::NotConfirmed => {
                Self::field("confirmationWord", &Invalid::new("Type DELETE, in capitals, to confirm."))
            }
            Error::Denied(denied) => denied.into(),
            Error::OwnsTeams => Self::new(
                Code::OwnsTeams,
                "You own a team. Delete it, or hand it over to another member, before you delete your account.",
            ),
            Error::HasMembers => Self::new(
                Code::TeamHasMembers,
                "The team has other members. Remove them before you delete it.",
            ),
            Error::Missing => Self::not_found(),
            Error::Ended => Self::unauthorized("This session has ended. Sign in again."),
            Error::Failed(failure) => failure.into(),
        }
    }
}
