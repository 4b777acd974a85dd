//! Access to an endpoint: the one description that authentication, grants, the OpenAPI document and the access matrix
//! derive from.

use domain::role::Role;

/// The callers that an endpoint accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The kinds of credentials that the endpoint accepts. None: credentials are not read.
    pub credentials: &'static [CredentialKind],
    /// The scope in which the caller acts.
    pub scope: Scope,
    /// Whether the caller must have proved recently who they are. Only a session can.
    pub step_up: bool,
}

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialKind {
    /// The access token of a session, as a bearer token or in a cookie.
    Session,
    /// An API key. It acts in its own workspace.
    ApiKey,
    /// The IAM role of another service of the platform, with which it signs its requests. The gateway verifies the signature.
    Service,
    /// The signature of another region, over a request that it sends on its own account.
    Region,
}

/// The scope in which a caller acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// None.
    Nothing,
    /// The caller's own account, before onboarding too.
    Person,
    /// The workspace that `owner=` names (absent: the personal one), with at least this role.
    Workspace(Role),
    /// What the request names: a service acts for the platform, and not for a user.
    Service,
    /// What the request names: a region acts for the platform, too.
    Region,
}

impl Access {
    /// Anybody; credentials are not read.
    pub const fn anyone() -> Self {
        Self { credentials: &[], scope: Scope::Nothing, step_up: false }
    }

    /// A session, before onboarding too.
    pub const fn person() -> Self {
        Self { credentials: &[CredentialKind::Session], scope: Scope::Person, step_up: false }
    }

    /// The same, or an API key of a personal workspace, which acts as its owner.
    pub const fn person_or_key() -> Self {
        let credentials = &[CredentialKind::Session, CredentialKind::ApiKey];
        Self { credentials, scope: Scope::Person, step_up: false }
    }

    /// A session whose user has at least this role in the workspace.
    pub const fn member(role: Role) -> Self {
        Self { credentials: &[CredentialKind::Session], scope: Scope::Workspace(role), step_up: false }
    }

    /// The same, or an API key of the workspace.
    pub const fn key_or_member(role: Role) -> Self {
        let credentials = &[CredentialKind::Session, CredentialKind::ApiKey];
        Self { credentials, scope: Scope::Workspace(role), step_up: false }
    }

    /// Another service of the platform. Its paths begin with `/internal/`. A service calls the region that it means: no request is
    /// forwarded.
    pub const fn service() -> Self {
        Self { credentials: &[CredentialKind::Service], scope: Scope::Service, step_up: false }
    }

    /// Another region of the platform. Its paths begin with `/internal/regions/`.
    pub const fn region() -> Self {
        Self { credentials: &[CredentialKind::Region], scope: Scope::Region, step_up: false }
    }

    /// The same, shortly after the caller proved who they are.
    pub const fn step_up(mut self) -> Self {
        self.step_up = true;
        self
    }

    /// Whether credentials of this kind are accepted.
    pub fn takes(self, kind: CredentialKind) -> bool {
        self.credentials.contains(&kind)
    }

    /// The lowest role that the caller needs in the workspace.
    pub fn needed_role(self) -> Option<Role> {
        match self.scope {
            Scope::Workspace(role) => Some(role),
            Scope::Nothing | Scope::Person | Scope::Service | Scope::Region => None,
        }
    }

    /// Whether every caller has at least this role.
    pub fn has_role(self, role: Role) -> bool {
        self.needed_role().is_some_and(|needed| needed >= role)
    }
}
