//! Authenticates the caller, in two steps: first what a credential proves by itself, then what is stored about its holder.

use bytes::Bytes;
use domain::{
    Timestamp,
    api_key::{KeyHolder, PresentedKey},
    directory::Name,
    handle::Handle,
    id::{UserId, WorkspaceId},
    permissions::{self, Member},
    ports::{Failure, SessionContext, Workspaces},
    region::Region,
    role::Role,
    session::Claims,
    user::personal_workspace,
    workspace::Workspace,
};
use http::{Extensions, Request};

use crate::{
    access::{CredentialKind, Scope},
    caller::{ApiClient, DeletedAccount, Identified, Person, ServiceCaller, TokenIds},
    caller_assertion::{CallerAssertion, DelegatedCaller, Guest},
    credentials::{Credential, check_csrf, credential},
    forwarding::ForwardedRequest,
    problem::Problem,
    services::Services,
    spec::{Method, Spec},
    stop::Stop,
};

/// A credential of this region that is genuine, before anything is read about its holder.
pub(crate) enum Presented<'a> {
    /// The endpoint reads no credentials.
    Nothing,
    /// The session's home region authenticated the caller, in a workspace of this region.
    Delegated(&'a DelegatedCaller),
    /// The same, in no workspace.
    Guest(&'a Guest),
    /// Another region signed the request.
    Region,
    /// An API key of the right form, with the right checksum.
    Key(PresentedKey),
    /// The claims of an access token whose signature is right.
    Session(Claims),
    /// The role of another service, as the gateway verified it.
    Service(&'a ServiceCaller),
}

impl Presented<'_> {
    /// The ids that the credential names, if it is an access token and the request acts in the personal workspace.
    pub(crate) fn token_ids(&self, owner: Option<&str>, now: Timestamp) -> Option<TokenIds> {
        match (self, owner) {
            (Self::Session(claims), None) => {
                Some(TokenIds { user: claims.sub, workspace: personal_workspace(claims.sub), now })
            }
            _ => None,
        }
    }
}

/// Verifies the credential of a request, or forwards the request to the credential's home region.
pub(crate) async fn authenticate<'a>(
    services: &Services,
    spec: &Spec,
    method: Method,
    request: &'a Request<Bytes>,
    forwarded: Option<&'a ForwardedRequest>,
    now: Timestamp,
) -> Result<Presented<'a>, Stop> {
    if !spec.is_private() {
        return Ok(Presented::Nothing);
    }
    if spec.is_for_services() {
        return Ok(Presented::Service(service_of(request.extensions())?));
    }
    if spec.is_for_regions() {
        let is_signed = forwarded.is_some_and(|forwarded| !forwarded.is_settled());
        let refused = || Problem::unauthorized("Only the other regions of the platform may call this.");
        return is_signed.then_some(Presented::Region).ok_or_else(|| refused().into());
    }
    match forwarded.map(|forwarded| &forwarded.assertion) {
        Some(CallerAssertion { caller: Some(caller), .. }) => return Ok(Presented::Delegated(caller)),
        Some(CallerAssertion { guest: Some(guest), .. }) => return Ok(Presented::Guest(guest)),
        _ => {}
    }
    let headers = request.headers();
    let credential = credential(headers)?;
    let sentence = match spec.access.takes(CredentialKind::ApiKey) {
        true => "Sign in, or send an API key, to continue.",
        false => "Sign in to continue.",
    };
    match credential.ok_or_else(|| Problem::unauthorized(sentence))? {
        Credential::Bearer(key) if key.starts_with("ul_") => {
            let key = PresentedKey::parse(&key).ok_or_else(Problem::invalid_key)?;
            if !spec.access.takes(CredentialKind::ApiKey) {
                return Err(Problem::unauthorized("API keys can't be used here. Sign in instead.").into());
            }
            at_home(services, key.region)?;
            Ok(Presented::Key(key))
        }
        Credential::Bearer(token) => {
            let claims = verify_token(services, &token, now).await?;
            at_home(services, claims.iss)?;
            Ok(Presented::Session(claims))
        }
        Credential::Cookie(token) => {
            let claims = verify_token(services, &token, now).await?;
            at_home(services, claims.iss)?;
            if method != Method::Get {
                check_csrf(&claims, headers)?;
            }
            Ok(Presented::Session(claims))
        }
    }
}

/// The service that calls. The gateway refuses unsigned requests itself; a function that it invokes without an identity, or that
/// something else invokes, refuses them too.
fn service_of(extensions: &Extensions) -> Result<&ServiceCaller, Problem> {
    let unsigned = || Problem::unauthorized("Sign the request with the credentials of a service's role.");
    extensions.get().ok_or_else(unsigned)
}

/// Forwards a request whose credential belongs to another region.
fn at_home(services: &Services, home: Region) -> Result<(), Stop> {
    if home == services.region { Ok(()) } else { Err(Stop::elsewhere(home)) }
}

/// Reads the holder of a credential, and refuses a caller that the endpoint's access excludes.
pub(crate) async fn identify(
    services: &Services,
    spec: &Spec,
    presented: &Presented<'_>,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<Identified, Stop> {
    match presented {
        Presented::Nothing => Ok(Identified::Nobody),
        Presented::Delegated(caller) => identify_delegated(services, spec, caller, owner, now).await,
        Presented::Key(key) => identify_key(services, spec, *key, owner).await,
        Presented::Session(claims) => identify_person(services, spec, claims, owner, now).await,
        Presented::Service(caller) => Ok(Identified::Service((*caller).clone())),
        Presented::Guest(guest) => Ok(Identified::Guest((*guest).clone())),
        Presented::Region => Ok(Identified::Region),
    }
}

/// The sender of a request to an endpoint for anyone, as far as the credential says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionalCaller {
    /// No person: there is no credential, or none that is valid, or it is a team's key.
    Nobody,
    /// The user of a live session, or the owner of a personal workspace whose API key it is.
    User(UserId),
    /// The credential belongs to this region, which alone knows whether it is valid.
    Elsewhere(Region),
}

/// Reads a credential where none is needed. One that is not valid counts as none. Without one, nothing is called.
///
/// # Errors
///
/// If AWS fails.
pub async fn optional_caller(
    services: &Services,
    credential: Option<Credential>,
    now: Timestamp,
) -> Result<OptionalCaller, Failure> {
    match credential {
        None => Ok(OptionalCaller::Nobody),
        Some(Credential::Bearer(key)) if key.starts_with("ul_") => optional_key(services, &key).await,
        Some(Credential::Bearer(token) | Credential::Cookie(token)) => {
            optional_session(services, &token, now).await
        }
    }
}

async fn optional_key(services: &Services, key: &str) -> Result<OptionalCaller, Failure> {
    let Some(key) = PresentedKey::parse(key) else { return Ok(OptionalCaller::Nobody) };
    if key.region != services.region {
        return Ok(OptionalCaller::Elsewhere(key.region));
    }
    let owner = services.keys.holder(key.hash).await?.and_then(|holder| holder.personal_owner());
    Ok(owner.map_or(OptionalCaller::Nobody, OptionalCaller::User))
}

async fn optional_session(
    services: &Services,
    token: &str,
    now: Timestamp,
) -> Result<OptionalCaller, Failure> {
    let Some(claims) = services.tokens.verify(token, now).await? else { return Ok(OptionalCaller::Nobody) };
    if claims.iss != services.region {
        return Ok(OptionalCaller::Elsewhere(claims.iss));
    }
    let own = personal_workspace(claims.sub);
    let context = services.sessions.context(claims.sub, claims.sid, own).await?;
    let is_live = context.is_some_and(|context| context.session.is_live(now));
    Ok(if is_live { OptionalCaller::User(claims.sub) } else { OptionalCaller::Nobody })
}

/// The holder of an API key of this region. Its form, checksum and region are checked first, then one read; no KMS call.
pub async fn verify_key(services: &Services, key: &str) -> Result<KeyHolder, Stop> {
    let key = PresentedKey::parse(key).filter(|key| key.region == services.region);
    holder(services, key.ok_or_else(Problem::invalid_key)?).await
}

async fn holder(services: &Services, key: PresentedKey) -> Result<KeyHolder, Stop> {
    Ok(services.keys.holder(key.hash).await?.ok_or_else(Problem::invalid_key)?)
}

/// The owner of a key's workspace. A team's is read: a team may pass to another owner, and its keys with it.
pub async fn owner_of(services: &Services, holder: &KeyHolder) -> Result<UserId, Stop> {
    match holder.personal_owner() {
        Some(owner) => Ok(owner),
        None => {
            let owner = services.workspaces.owner(holder.workspace).await?;
            Ok(owner.ok_or_else(Problem::invalid_key)?)
        }
    }
}

/// The claims of an access token.
pub async fn verify_token(services: &Services, token: &str, now: Timestamp) -> Result<Claims, Stop> {
    let claims = services.tokens.verify(token, now).await?;
    let invalid = || Problem::unauthorized("This session is not valid or has expired. Sign in again.");
    Ok(claims.ok_or_else(invalid)?)
}

async fn identify_key(
    services: &Services,
    spec: &Spec,
    key: PresentedKey,
    owner: Option<&str>,
) -> Result<Identified, Stop> {
    let holder = holder(services, key).await?;
    if owner.is_some_and(|owner| owner != holder.handle.as_str()) {
        return Err(Problem::not_found().into());
    }
    // A key that only reads needs no owner: that saves a read for a team's key.
    let owner = match spec.access.has_role(Role::Editor) {
        true => Some(owner_of(services, &holder).await?),
        false => None,
    };
    Ok(Identified::Key(Box::new(ApiClient { holder, owner })))
}

async fn identify_person(
    services: &Services,
    spec: &Spec,
    claims: &Claims,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<Identified, Stop> {
    let own = personal_workspace(claims.sub);
    let asked = match owner {
        Some(handle) => workspace_of(&*services.workspaces, handle).await?,
        None => Some(own),
    };
    let context = services.sessions.context(claims.sub, claims.sid, asked.unwrap_or(own)).await?;
    let context = context.filter(|context| context.session.is_live(now));
    let Some(SessionContext { session, workspace, role }) = context else {
        return identify_deleted(services, spec, claims).await;
    };
    let needed = match spec.access.scope {
        Scope::Workspace(role) => role,
        Scope::Person | Scope::Nothing | Scope::Service | Scope::Region => {
            return Ok(Identified::Person(Person { session, onboarded: workspace.is_some() }));
        }
    };
    let stepped_up = session.is_stepped_up(now);
    if let (Some(handle), None) = (owner, asked)
        && let Some(region) = home_of(services, handle).await?
    {
        let caller = DelegatedCaller { user: claims.sub, stepped_up, owner: handle.to_owned() };
        return Err(Stop::asserting(region, CallerAssertion::of_caller(caller)));
    }
    let (Some(workspace), Some(role)) = (workspace.filter(|_| asked.is_some()), role) else {
        let first = Problem::onboarding_required();
        return Err(if owner.is_none() { first } else { Problem::not_found() }.into());
    };
    check_member(spec, &workspace, role, Some(needed), now)?;
    Ok(Identified::Member(Box::new(Member { workspace, role, user: claims.sub, stepped_up })))
}

/// A person whose session ended. Refused, unless the session requested the deletion that ended it, at endpoints that answer
/// such a person.
async fn identify_deleted(services: &Services, spec: &Spec, claims: &Claims) -> Result<Identified, Stop> {
    let (user, session) = (claims.sub, claims.sid);
    let job = if spec.answers_deleted { services.sessions.deletion_by(user, session).await? } else { None };
    let job = job.ok_or_else(|| Problem::unauthorized("This session has ended. Sign in again."))?;
    Ok(Identified::Deleted(DeletedAccount { user, job }))
}

/// A person that the session's home region authenticated, in the workspace of this region that it names.
async fn identify_delegated(
    services: &Services,
    spec: &Spec,
    caller: &DelegatedCaller,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<Identified, Stop> {
    let handle = owner.filter(|owner| *owner == caller.owner).ok_or_else(Problem::not_found)?;
    let asked = workspace_of(&*services.workspaces, handle).await?.ok_or_else(Problem::not_found)?;
    let found = services.workspaces.membership(asked, caller.user).await?;
    let (workspace, role) = found.ok_or_else(Problem::not_found)?;
    check_member(spec, &workspace, role, spec.access.needed_role(), now)?;
    let (user, stepped_up) = (caller.user, caller.stepped_up);
    Ok(Identified::Member(Box::new(Member { workspace, role, user, stepped_up })))
}

/// Refuses a member whose role is too low, and, unless the endpoint answers them, every member but the owner of a team without a
/// paid plan.
fn check_member(
    spec: &Spec,
    workspace: &Workspace,
    role: Role,
    needed: Option<Role>,
    now: Timestamp,
) -> Result<(), Problem> {
    if !spec.open_to_inactive && !workspace.is_open_to(role, now) {
        return Err(Problem::team_inactive());
    }
    needed.map_or(Ok(()), |needed| Ok(permissions::at_least(role, needed)?))
}

/// The other region that a handle belongs to.
async fn home_of(services: &Services, handle: &str) -> Result<Option<Region>, Stop> {
    let Ok(handle) = Handle::parse_existing(handle) else { return Ok(None) };
    let holder = services.directory.find(&Name::Handle(handle)).await?;
    Ok(holder.map(|holder| holder.region).filter(|region| *region != services.region))
}

/// The workspace that a handle names. A name that can't be a handle names none: the answer is the same.
async fn workspace_of(workspaces: &dyn Workspaces, handle: &str) -> Result<Option<WorkspaceId>, Stop> {
    match Handle::parse_existing(handle) {
        Ok(handle) => Ok(workspaces.by_handle(&handle).await?),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_is_known_from_the_invocation_only() {
        let arn = "arn:aws:sts::123456789012:assumed-role/billing-service/one";
        let mut request = Request::post("/internal/x").header("authorization", arn).header("x-amzn-iam", arn);
        for name in ["x-amzn-requestcontext", "x-amz-security-token"] {
            request = request.header(name, arn);
        }
        let mut request = request.body(Bytes::from(format!("{{\"userArn\":\"{arn}\"}}"))).unwrap();
        let refusal = service_of(request.extensions()).unwrap_err();
        assert_eq!(refusal.code.status(), 401);
        let caller = ServiceCaller::from_arn(arn).unwrap();
        request.extensions_mut().insert(caller.clone());
        assert_eq!(service_of(request.extensions()).unwrap(), &caller);
    }
}
