//! Who calls: reads the credentials, proves them, and finds the workspace that the call is about.

use std::borrow::Cow;

use cookie::Cookie;
use domain::{
    Timestamp,
    api_key::{KeyHolder, KeySecret},
    directory::Name,
    handle::Handle,
    id::WorkspaceId,
    policy::{self, Denied, EditsResources, Member},
    ports::{Standing, Workspaces},
    region::Region,
    role::Role,
    secret::Digest256,
    session::{Claims, Session},
    user::personal_workspace,
    workspace::Workspace,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    dispatch::Kit,
    forward::{Letter, Vouched},
    problem::{Code, Problem},
    spec::{Access, Method, Spec},
};

/// The cookie that holds the access token.
pub const SESSION_COOKIE: &str = "__Host-session";
/// The cookie that holds the refresh token.
pub const REFRESH_COOKIE: &str = "__Host-refresh";
/// The header that repeats the CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Nobody in particular.
pub struct Anyone;

/// A signed-in person, perhaps before onboarding.
pub struct Person {
    /// The session.
    pub session: Session,
    /// Whether the person has a workspace yet.
    pub onboarded: bool,
}

/// A person in a workspace, or an API key.
pub enum KeyOrMember {
    /// A person.
    Member(Box<Member>),
    /// A key, acting as its workspace's owner.
    Key(Box<KeyHolder>),
}

impl KeyOrMember {
    /// The workspace that the call is about.
    pub fn workspace(&self) -> WorkspaceId {
        match self {
            Self::Member(member) => member.workspace.id,
            Self::Key(holder) => holder.workspace,
        }
    }

    /// Proof that the caller may edit what the workspace has.
    pub fn edits_resources(&self) -> Result<EditsResources, Denied> {
        match self {
            Self::Member(member) => policy::may_edit_resources(member),
            Self::Key(holder) => Ok(policy::key_may_edit_resources(holder)),
        }
    }

    /// The workspace's record. A member's was read with the session; a key's is read now.
    pub async fn workspace_record(&self, workspaces: &dyn Workspaces) -> Result<Cow<'_, Workspace>, Problem> {
        match self {
            Self::Member(member) => Ok(Cow::Borrowed(&member.workspace)),
            Self::Key(holder) => {
                workspaces.find(holder.workspace).await?.map(Cow::Owned).ok_or_else(invalid_key)
            }
        }
    }
}

/// A cookie's line that sets it for so many seconds.
pub fn set_cookie(name: &str, value: &str, max_age: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Strict")
}

/// The headers that take a session's cookies away.
pub fn forget_cookies() -> Vec<(HeaderName, HeaderValue)> {
    let gone = [SESSION_COOKIE, REFRESH_COOKIE].map(|name| set_cookie(name, "", 0));
    gone.iter().filter_map(|line| Some((header::SET_COOKIE, HeaderValue::from_str(line).ok()?))).collect()
}

/// What was found out about the caller.
pub enum Identified {
    /// Nothing was asked.
    Nobody,
    /// A person whose workspace does not matter.
    Person(Person),
    /// A person in a workspace.
    Member(Box<Member>),
    /// An API key.
    Key(Box<KeyHolder>),
}

impl Identified {
    /// A name for the caller that no other caller has.
    pub(crate) fn scope(&self) -> Option<String> {
        match self {
            Self::Nobody => None,
            Self::Person(person) => Some(person.session.user.to_string()),
            Self::Member(member) => Some(format!("{}/{}", member.user, member.workspace.id)),
            Self::Key(holder) => Some(holder.key.to_string()),
        }
    }

    /// The workspace, for the log.
    pub(crate) fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Nobody | Self::Person(_) => None,
            Self::Member(member) => Some(member.workspace.id),
            Self::Key(holder) => Some(holder.workspace),
        }
    }
}

/// The form in which a handler wants its caller. Which one fits an endpoint's access, the types can't say; a test over
/// all endpoints does.
pub trait Caller: Sized + Send + Sync + 'static {
    /// The caller in this form.
    fn from_identified(who: Identified) -> Option<Self>;
    /// Whether every caller with this access has this form.
    fn fits(access: Access) -> bool;
}

impl Caller for Anyone {
    fn from_identified(_: Identified) -> Option<Self> {
        Some(Self)
    }

    fn fits(access: Access) -> bool {
        access == Access::Anyone
    }
}

impl Caller for Person {
    fn from_identified(who: Identified) -> Option<Self> {
        match who {
            Identified::Person(person) => Some(person),
            _ => None,
        }
    }

    fn fits(access: Access) -> bool {
        access == Access::Person
    }
}

impl Caller for Member {
    fn from_identified(who: Identified) -> Option<Self> {
        match who {
            Identified::Member(member) => Some(*member),
            _ => None,
        }
    }

    fn fits(access: Access) -> bool {
        matches!(access, Access::User | Access::Member(_))
    }
}

impl Caller for KeyOrMember {
    fn from_identified(who: Identified) -> Option<Self> {
        match who {
            Identified::Member(member) => Some(Self::Member(member)),
            Identified::Key(holder) => Some(Self::Key(holder)),
            Identified::Nobody | Identified::Person(_) => None,
        }
    }

    fn fits(access: Access) -> bool {
        matches!(access, Access::KeyOr(_))
    }
}

/// The one credential that a request may carry.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    Bearer(String),
    Cookie(String),
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| Cookie::split_parse(line.to_owned()))
        .flatten()
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

fn credential(headers: &HeaderMap) -> Result<Option<Credential>, Problem> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let first = authorizations.next();
    let session = cookie(headers, SESSION_COOKIE);
    // API Gateway joins two headers of a name by a comma, which no credential has.
    let joined = first.is_some_and(|value| value.as_bytes().contains(&b','));
    if joined || authorizations.next().is_some() || (first.is_some() && session.is_some()) {
        return Err(Problem::new(Code::BadRequest, "Send one credential, not two."));
    }
    let Some(value) = first else { return Ok(session.map(Credential::Cookie)) };
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(|| {
        Problem::unauthorized("The Authorization header must be: Bearer, a space, and the token.")
    })?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(Credential::Bearer(token.trim().to_owned())))
    } else {
        Err(Problem::unauthorized("The Authorization header must be: Bearer, a space, and the token."))
    }
}

/// Where a request is answered.
pub(crate) enum Found {
    /// Here, and who calls.
    Here(Identified),
    /// In another region; this one may vouch for the caller there.
    Elsewhere(Region, Option<Vouched>),
}

/// Finds out who calls and whether they may, as far as `spec` can say it.
pub(crate) async fn identify(
    kit: &Kit,
    spec: &Spec,
    method: Method,
    headers: &HeaderMap,
    owner: Option<&str>,
    (letter, now): (Option<&Letter>, Timestamp),
) -> Result<Found, Problem> {
    if !spec.is_private() {
        return Ok(Found::Here(Identified::Nobody));
    }
    if let Some(caller) = letter.and_then(|letter| letter.caller.as_ref()) {
        return guest(kit, spec, caller, owner).await.map(Found::Here);
    }
    match credential(headers)? {
        None => Err(Problem::unauthorized("Sign in, or send an API key, to continue.")),
        Some(Credential::Bearer(key)) if key.starts_with("ul_") => {
            let key = KeySecret::parse(&key).ok_or_else(invalid_key)?;
            if !spec.takes_key() {
                return Err(Problem::unauthorized("API keys can't be used here. Sign in instead."));
            }
            if key.region() != kit.region {
                return Ok(Found::Elsewhere(key.region(), None));
            }
            let holder = holder(kit, &key).await?;
            let elsewhere = owner.is_some_and(|owner| owner != holder.handle.as_str());
            if elsewhere {
                Err(Problem::not_found())
            } else {
                Ok(Found::Here(Identified::Key(Box::new(holder))))
            }
        }
        Some(Credential::Bearer(token)) => {
            person(kit, spec, verify_token(kit, &token, now).await?, owner, now).await
        }
        Some(Credential::Cookie(token)) => {
            let claims = verify_token(kit, &token, now).await?;
            if method != Method::Get && claims.iss == kit.region {
                check_csrf(&claims, headers)?;
            }
            person(kit, spec, claims, owner, now).await
        }
    }
}

/// Who holds a presented API key of this region: form, checksum and home first, then one read. No KMS call.
pub async fn verify_key(kit: &Kit, key: &str) -> Result<KeyHolder, Problem> {
    let key = KeySecret::parse(key).filter(|key| key.region() == kit.region).ok_or_else(invalid_key)?;
    holder(kit, &key).await
}

async fn holder(kit: &Kit, key: &KeySecret) -> Result<KeyHolder, Problem> {
    kit.keys.holder(key.hash()).await?.ok_or_else(invalid_key)
}

fn invalid_key() -> Problem {
    Problem::unauthorized("This API key is not valid.")
}

/// What a presented access token says.
pub async fn verify_token(kit: &Kit, token: &str, now: Timestamp) -> Result<Claims, Problem> {
    let claims = kit.tokens.verify(token, now).await?;
    claims.ok_or_else(|| Problem::unauthorized("This session is not valid or has expired. Sign in again."))
}

fn check_csrf(claims: &Claims, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(CSRF_HEADER).map(|token| Digest256::of(token.as_bytes()));
    match (claims.csrf, given) {
        (Some(wanted), Some(given)) if wanted.matches(given) => Ok(()),
        _ => Err(Problem::new(
            Code::CsrfTokenRequired,
            "Send the session's CSRF token in the X-CSRF-Token header.",
        )),
    }
}

async fn person(
    kit: &Kit,
    spec: &Spec,
    claims: Claims,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<Found, Problem> {
    if claims.iss != kit.region {
        return Ok(Found::Elsewhere(claims.iss, None));
    }
    let own = personal_workspace(claims.sub);
    let asked = match owner {
        Some(handle) => workspace_of(&*kit.workspaces, handle).await?,
        None => Some(own),
    };
    let standing = kit.sessions.standing(claims.sub, claims.sid, asked.unwrap_or(own)).await?;
    let over = || Problem::unauthorized("This session has ended. Sign in again.");
    let Standing { session, workspace, role } =
        standing.filter(|standing| standing.session.is_live(now)).ok_or_else(over)?;
    if spec.access == Access::Person {
        return Ok(Found::Here(Identified::Person(Person { session, onboarded: workspace.is_some() })));
    }
    let stepped_up = session.is_stepped_up(now);
    if let (Some(handle), None) = (owner, asked)
        && let Some(region) = home_of(kit, handle).await?
    {
        let caller = Vouched { user: claims.sub, stepped_up, owner: handle.to_owned() };
        return Ok(Found::Elsewhere(region, Some(caller)));
    }
    let (Some(workspace), Some(role)) = (workspace.filter(|_| asked.is_some()), role) else {
        let at_home = owner.is_none();
        let first = Problem::new(Code::OnboardingRequired, "Finish setting up your account first.");
        return Err(if at_home { first } else { Problem::not_found() });
    };
    if let Access::Member(needed) | Access::KeyOr(needed) = spec.access {
        policy::at_least(role, needed)?;
    }
    let member = Member { workspace, role, user: claims.sub, stepped_up };
    Ok(Found::Here(Identified::Member(Box::new(member))))
}

/// Somebody whose session's home vouches for them, in the workspace of this region that it does so for.
async fn guest(kit: &Kit, spec: &Spec, caller: &Vouched, owner: Option<&str>) -> Result<Identified, Problem> {
    let Some(handle) = owner.filter(|owner| *owner == caller.owner) else { return Err(Problem::not_found()) };
    let asked = workspace_of(&*kit.workspaces, handle).await?.ok_or_else(Problem::not_found)?;
    let found = kit.workspaces.membership(asked, caller.user).await?;
    let (workspace, role) = found.ok_or_else(Problem::not_found)?;
    if let Some(needed) = needed_role(spec.access) {
        policy::at_least(role, needed)?;
    }
    let (user, stepped_up) = (caller.user, caller.stepped_up);
    Ok(Identified::Member(Box::new(Member { workspace, role, user, stepped_up })))
}

/// The other region that a handle is at home in.
async fn home_of(kit: &Kit, handle: &str) -> Result<Option<Region>, Problem> {
    let Ok(handle) = Handle::parse_existing(handle) else { return Ok(None) };
    let holder = kit.directory.find(&Name::Handle(handle)).await?;
    Ok(holder.map(|holder| holder.region).filter(|region| *region != kit.region))
}

/// The workspace that a handle names. A name that can't be a handle names none: the answer is the same.
async fn workspace_of(workspaces: &dyn Workspaces, handle: &str) -> Result<Option<WorkspaceId>, Problem> {
    match Handle::parse_existing(handle) {
        Ok(handle) => Ok(workspaces.by_handle(&handle).await?),
        Err(_) => Ok(None),
    }
}

/// The lowest role that a session needs here.
pub fn needed_role(access: Access) -> Option<Role> {
    match access {
        Access::Member(role) | Access::KeyOr(role) => Some(role),
        Access::Anyone | Access::Person | Access::User => None,
    }
}
