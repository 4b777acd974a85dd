//! Callers with the permissions that they prove before a handler runs.

use domain::{
    permissions::{
        self, ChangesWallets, Denied, EditsProfile, EditsResources, KeepsInbox, MakesKeys, ManagesBilling,
        ManagesKeys, Member, SetsPlans,
    },
    role::Role,
};

use crate::{
    access::{Access, Scope},
    caller::{Caller, Identified, KeyOrMember, Person, Service},
    problem::Problem,
};

/// A caller together with the proof of a permission: the policy was asked before the handler runs.
pub struct Permitted<C, P> {
    /// The caller.
    pub who: C,
    /// The proof, which the ports demand.
    pub proof: P,
}

/// A permission that callers of type `C` can prove.
pub trait Permission<C>: Sized + Send + Sync + 'static {
    /// Asks the policy.
    fn prove(caller: &C) -> Result<Self, Denied>;
    /// Whether every caller with this access has the permission.
    fn follows_from(access: Access) -> bool;
}

impl<C: Caller, P: Permission<C>> Caller for Permitted<C, P> {
    fn from_identified(who: Identified) -> Result<Self, Problem> {
        let who = C::from_identified(who)?;
        let proof = P::prove(&who)?;
        Ok(Self { who, proof })
    }

    fn fits(access: Access) -> bool {
        C::fits(access) && P::follows_from(access)
    }
}

impl Permission<Member> for ManagesKeys {
    fn prove(member: &Member) -> Result<Self, Denied> {
        permissions::may_manage_keys(member)
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Owner)
    }
}

impl Permission<Member> for MakesKeys {
    fn prove(member: &Member) -> Result<Self, Denied> {
        permissions::may_make_keys(member)
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Owner) && access.step_up
    }
}

impl Permission<Member> for EditsProfile {
    fn prove(member: &Member) -> Result<Self, Denied> {
        permissions::may_edit_profile(member)
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Admin)
    }
}

impl Permission<Member> for ManagesBilling {
    fn prove(member: &Member) -> Result<Self, Denied> {
        permissions::may_manage_billing(member)
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Admin)
    }
}

impl Permission<Member> for KeepsInbox {
    fn prove(member: &Member) -> Result<Self, Denied> {
        Ok(permissions::may_keep_inbox(member))
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Viewer)
    }
}

impl Permission<Member> for EditsResources {
    fn prove(member: &Member) -> Result<Self, Denied> {
        permissions::may_edit_resources(member)
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Editor)
    }
}

impl Permission<KeyOrMember> for EditsResources {
    fn prove(caller: &KeyOrMember) -> Result<Self, Denied> {
        match caller {
            KeyOrMember::Member(member) => permissions::may_edit_resources(member),
            KeyOrMember::Key(client) => {
                let owner = client.owner.ok_or(Denied::RoleTooLow(Role::Editor))?;
                Ok(permissions::key_may_edit_resources(&client.holder, owner))
            }
        }
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Editor)
    }
}

impl Permission<Service> for SetsPlans {
    fn prove(service: &Service) -> Result<Self, Denied> {
        Ok(permissions::service_may_set_plans(&service.name))
    }

    fn follows_from(access: Access) -> bool {
        access.scope == Scope::Service
    }
}

impl Permission<Service> for ChangesWallets {
    fn prove(service: &Service) -> Result<Self, Denied> {
        Ok(permissions::service_may_change_wallets(&service.name))
    }

    fn follows_from(access: Access) -> bool {
        access.scope == Scope::Service
    }
}

impl Permission<Member> for ChangesWallets {
    fn prove(member: &Member) -> Result<Self, Denied> {
        permissions::may_budget_keys(member)
    }

    fn follows_from(access: Access) -> bool {
        access.has_role(Role::Owner)
    }
}

impl Permission<Person> for ChangesWallets {
    fn prove(person: &Person) -> Result<Self, Denied> {
        Ok(permissions::may_redeem(&person.session))
    }

    fn follows_from(access: Access) -> bool {
        access.scope == Scope::Person
    }
}

/// A member or an API key that may edit the resources of the workspace.
pub type Editor = Permitted<KeyOrMember, EditsResources>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::tests::member;

    /// Whether the access of an endpoint and the policy agree on the permission, for every role.
    fn agree<P: Permission<Member>>() -> bool {
        let roles = [Role::Viewer, Role::Editor, Role::Admin, Role::Owner];
        let both = roles.iter().flat_map(|role| [(*role, false), (*role, true)]);
        both.into_iter().all(|(role, stepped_up)| {
            let access = Access { step_up: stepped_up, ..Access::member(role) };
            P::follows_from(access) == P::prove(&member(role, stepped_up)).is_ok()
        })
    }

    #[test]
    fn permissions_follow_from_access_as_the_policy_says() {
        assert!(agree::<ManagesKeys>() && agree::<MakesKeys>() && agree::<ChangesWallets>());
        assert!(agree::<EditsProfile>() && agree::<KeepsInbox>() && agree::<EditsResources>());
    }
}
