//! The callers that handlers see.

use std::borrow::Cow;

use domain::{
    Timestamp,
    api_key::KeyHolder,
    id::{JobId, UserId, WorkspaceId},
    permissions::{Denied, Member},
    ports::{Failure, Workspaces},
    session::Session,
    workspace::Workspace,
};

use crate::{
    access::{Access, CredentialKind, Scope},
    caller_assertion::Guest,
    problem::Problem,
    stop::Stop,
};

/// A caller whose credentials are not read.
pub struct Anyone;

/// A signed-in person, perhaps before onboarding.
pub struct Person {
    /// The session.
    pub session: Session,
    /// Whether the person has a workspace yet.
    pub onboarded: bool,
}

/// A person whose session ended because it requested the deletion of the account, while the deletion runs.
#[derive(Debug, Clone, Copy)]
pub struct DeletedAccount {
    /// The user.
    pub user: UserId,
    /// The deletion.
    pub job: JobId,
}

/// A signed-in person of this region, one whose account is being deleted, or a guest.
pub enum AnyPerson {
    /// A person whose home is this region.
    Person(Person),
    /// A person who may learn that the account is being deleted, and nothing else.
    Deleted(DeletedAccount),
    /// A person whose home is another region.
    Guest(Guest),
}

/// A person, or the owner of a personal workspace whose API key calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonOrKey {
    /// The user.
    pub user: UserId,
    /// Whether the person has a workspace yet.
    pub onboarded: bool,
}

/// A person in a workspace, or an API key.
pub enum KeyOrMember {
    /// A person.
    Member(Box<Member>),
    /// A key, acting as its workspace's owner.
    Key(Box<ApiClient>),
}

/// The sender of a request with an API key.
pub struct ApiClient {
    /// The key and its workspace.
    pub holder: KeyHolder,
    /// The workspace's owner, at endpoints that need an editor: a key changes data in the owner's name.
    pub(crate) owner: Option<UserId>,
}

/// The IAM role of another service of the platform, as the gateway verified it (a request extension). Only the event of an
/// invocation can bring it: neither a header nor a body does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCaller {
    account: String,
    role: String,
}

impl ServiceCaller {
    /// The role of a caller's ARN: `arn:aws:sts::<account>:assumed-role/<role>/<session>`. `None` for anything else, such as an IAM
    /// user, whose keys do not expire.
    pub fn from_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (_arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (role, session) = resource.strip_prefix("assumed-role/")?.split_once('/')?;
        let is_whole = service == "sts" && [account, role, session].iter().all(|part| !part.is_empty());
        is_whole.then(|| Self { account: account.to_owned(), role: role.to_owned() })
    }
}

/// Another service of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of its IAM role.
    pub name: String,
}

/// Another region of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherRegion;

/// A signed-in person of this region, or a guest.
pub enum PersonOrGuest {
    /// A person whose home is this region.
    Person(Person),
    /// A person whose home is another region.
    Guest(Guest),
}

/// Why the record of a caller's workspace is not there.
#[derive(Debug, thiserror::Error)]
pub enum NoWorkspace {
    /// The workspace of the API key was deleted.
    #[error("the key's workspace is gone")]
    Gone,
    /// AWS failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<NoWorkspace> for Stop {
    fn from(error: NoWorkspace) -> Self {
        match error {
            NoWorkspace::Gone => Problem::invalid_key().into(),
            NoWorkspace::Failed(failure) => failure.into(),
        }
    }
}

impl KeyOrMember {
    /// The workspace that the request is about.
    pub fn workspace(&self) -> WorkspaceId {
        match self {
            Self::Member(member) => member.workspace.id,
            Self::Key(client) => client.holder.workspace,
        }
    }

    /// The workspace's record. A member's was read with the session; a key's is read now.
    pub async fn workspace_record(
        &self,
        workspaces: &dyn Workspaces,
    ) -> Result<Cow<'_, Workspace>, NoWorkspace> {
        match self {
            Self::Member(member) => Ok(Cow::Borrowed(&member.workspace)),
            Self::Key(client) => {
                let found = workspaces.find(client.holder.workspace).await?;
                found.map(Cow::Owned).ok_or(NoWorkspace::Gone)
            }
        }
    }
}

/// The ids that a verified access token names, before anything was read about its session.
#[derive(Debug, Clone, Copy)]
pub struct TokenIds {
    /// The user.
    pub user: UserId,
    /// The user's personal workspace, in which the request acts.
    pub workspace: WorkspaceId,
    /// When the request came.
    pub now: Timestamp,
}

/// An authenticated caller.
pub enum Identified {
    /// A caller whose credentials were not read.
    Nobody,
    /// A person, in no workspace.
    Person(Person),
    /// A person whose account is being deleted.
    Deleted(DeletedAccount),
    /// A person in a workspace.
    Member(Box<Member>),
    /// An API key.
    Key(Box<ApiClient>),
    /// Another service of the platform.
    Service(ServiceCaller),
    /// A caller from another region, which vouches for it, in no workspace.
    Guest(Guest),
    /// Another region of the platform.
    Region,
}

impl Identified {
    /// A unique name of the caller.
    pub(crate) fn scope(&self) -> Option<String> {
        match self {
            Self::Nobody | Self::Region => None,
            Self::Guest(guest) => Some(guest.user.to_string()),
            Self::Person(person) => Some(person.session.user.to_string()),
            Self::Deleted(deleted) => Some(deleted.user.to_string()),
            Self::Member(member) => Some(format!("{}/{}", member.user, member.workspace.id)),
            Self::Key(client) => Some(client.holder.key.to_string()),
            Self::Service(caller) => Some(format!("service/{}/{}", caller.account, caller.role)),
        }
    }

    /// The workspace, for the log.
    pub(crate) fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Nobody
            | Self::Person(_)
            | Self::Deleted(_)
            | Self::Service(_)
            | Self::Guest(_)
            | Self::Region => None,
            Self::Member(member) => Some(member.workspace.id),
            Self::Key(client) => Some(client.holder.workspace),
        }
    }

    /// The name of the calling service's role, for the log: neither the account nor the session.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Self::Service(caller) => Some(&caller.role),
            _ => None,
        }
    }

    /// Refuses a caller without the fresh sign-in that `access` requires.
    pub(crate) fn check_step_up(&self, access: Access, now: Timestamp) -> Result<(), Denied> {
        let stepped_up = match self {
            Self::Member(member) => member.stepped_up,
            Self::Person(person) => person.session.is_stepped_up(now),
            Self::Guest(guest) => guest.stepped_up,
            Self::Nobody | Self::Deleted(_) | Self::Key(_) | Self::Service(_) | Self::Region => false,
        };
        if access.step_up && !stepped_up { Err(Denied::StepUpNeeded) } else { Ok(()) }
    }
}

/// The type of a handler's caller. The types can't say which one fits an endpoint's access; a test over all endpoints does.
pub trait Caller: Sized + Send + Sync + 'static {
    /// The caller as this type, with the permissions that it proves.
    fn from_identified(who: Identified) -> Result<Self, Problem>;
    /// Whether every caller with this access has this type.
    fn fits(access: Access) -> bool;
}

/// The refusal of a caller that the endpoint's access does not describe: a defect.
fn unexpected<T>() -> Result<T, Problem> {
    Err(Problem::internal("the type of the caller does not fit the endpoint's access"))
}

impl Caller for Anyone {
    fn from_identified(_: Identified) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn fits(access: Access) -> bool {
        access == Access::anyone()
    }
}

impl Caller for Person {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Person(person) => Ok(person),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access.scope == Scope::Person && !access.takes(CredentialKind::ApiKey)
    }
}

impl Caller for PersonOrKey {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Person(person) => Ok(Self { user: person.session.user, onboarded: person.onboarded }),
            Identified::Key(client) => {
                let owner = client.holder.personal_owner().ok_or_else(Problem::key_of_team)?;
                Ok(Self { user: owner, onboarded: true })
            }
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access.scope == Scope::Person && access.takes(CredentialKind::ApiKey) && !access.step_up
    }
}

impl Caller for AnyPerson {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Person(person) => Ok(Self::Person(person)),
            Identified::Deleted(deleted) => Ok(Self::Deleted(deleted)),
            Identified::Guest(guest) => Ok(Self::Guest(guest)),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access.scope == Scope::Person && !access.takes(CredentialKind::ApiKey) && !access.step_up
    }
}

impl Caller for Member {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Member(member) => Ok(*member),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access.needed_role().is_some() && !access.takes(CredentialKind::ApiKey)
    }
}

impl Caller for KeyOrMember {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Member(member) => Ok(Self::Member(member)),
            Identified::Key(client) => Ok(Self::Key(client)),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access.needed_role().is_some() && access.takes(CredentialKind::ApiKey) && !access.step_up
    }
}

impl Caller for Service {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Service(caller) => Ok(Self { name: caller.role }),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access == Access::service()
    }
}

impl Caller for OtherRegion {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Region => Ok(Self),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access == Access::region()
    }
}

impl Caller for PersonOrGuest {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        match who {
            Identified::Person(person) => Ok(Self::Person(person)),
            Identified::Guest(guest) => Ok(Self::Guest(guest)),
            _ => unexpected(),
        }
    }

    fn fits(access: Access) -> bool {
        access.scope == Scope::Person && !access.takes(CredentialKind::ApiKey)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::{
        handle::Handle,
        money::MicroUsd,
        permissions::SetsPlans,
        plan::Plan,
        region::Region,
        role::Role,
        user::personal_workspace,
        workspace::{WorkspaceKind, WrappedKey},
    };

    use super::*;
    use crate::permitted::Permission;

    pub(crate) fn member(role: Role, stepped_up: bool) -> Member {
        let user: UserId = "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let workspace = Workspace {
            id: personal_workspace(user),
            handle: Handle::parse_existing("ada-lovelace").unwrap(),
            kind: WorkspaceKind::Team,
            owner: user,
            region: Region::Eu,
            plan: Plan::Pro,
            plan_ends_at: None,
            plan_since: None,
            plan_paid_until: None,
            seats_taken: 1,
            joins: 0,
            entitlement_overrides: Default::default(),
            opening_credit: MicroUsd::ZERO,
            data_key: WrappedKey(String::new()),
            created_at: Timestamp::UNIX_EPOCH,
        };
        Member { workspace, role, user, stepped_up }
    }

    #[test]
    fn only_an_assumed_role_is_a_service() {
        let arn = |resource: &str| format!("arn:aws:sts::123456789012:{resource}");
        let caller = ServiceCaller::from_arn(&arn("assumed-role/billing-service/one")).unwrap();
        let other_session = ServiceCaller::from_arn(&arn("assumed-role/billing-service/two"));
        assert_eq!(other_session.as_ref(), Some(&caller), "a retry may come from another session");
        let who = Identified::Service(caller);
        assert_eq!(who.service(), Some("billing-service"));
        assert_eq!(who.scope().as_deref(), Some("service/123456789012/billing-service"));
        assert_eq!(Service::from_identified(who).unwrap().name, "billing-service");
        for other in [
            "arn:aws:iam::123456789012:user/admin",
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::123456789012:assumed-role/billing-service/one",
            &arn("federated-user/admin"),
            &arn("assumed-role/billing-service"),
            &arn("assumed-role//one"),
            &arn("assumed-role/billing-service/"),
            "assumed-role/billing-service/one",
            "",
        ] {
            assert_eq!(ServiceCaller::from_arn(other), None, "{other}");
        }
    }

    #[test]
    fn no_other_caller_is_a_service() {
        for who in [Identified::Nobody, Identified::Member(Box::new(member(Role::Owner, true)))] {
            assert!(who.service().is_none() && Service::from_identified(who).is_err());
        }
        assert!(Service::fits(Access::service()));
        for access in [Access::anyone(), Access::person(), Access::member(Role::Owner)] {
            assert!(!Service::fits(access) && !SetsPlans::follows_from(access));
        }
    }

    #[test]
    fn step_up_is_refused_to_callers_that_cannot_prove_it() {
        let refused =
            |who: Identified, access: Access| who.check_step_up(access, Timestamp::UNIX_EPOCH).is_err();
        let access = Access::member(Role::Owner).step_up();
        assert!(refused(Identified::Member(Box::new(member(Role::Owner, false))), access));
        assert!(refused(Identified::Nobody, access));
        let service = ServiceCaller::from_arn("arn:aws:sts::123456789012:assumed-role/billing-service/one");
        assert!(refused(Identified::Service(service.unwrap()), access));
        assert!(!refused(Identified::Member(Box::new(member(Role::Owner, true))), access));
        assert!(!refused(Identified::Nobody, Access::anyone()));
    }
}
