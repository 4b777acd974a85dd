//! `DELETE /api/settings/emails/{id}`: removes an email address that is not the primary one. Nobody signs in with it from then
//! on, its codes and the reset tokens requested with it end, and another account can verify it. Needs a recent sign-in, because the
//! address may be how the owner gets back in. Removing it twice returns 404.

use std::sync::Arc;

use domain::{
    activity::Action,
    domain_events::DomainEvent,
    id::{AddressId, OfReset},
    password_reset::LastReset,
    ports::{AddressHashes, Rounds, Saved, UserAddresses},
    user_addresses::ChangeRefused,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Person, Ports, RequestContext, Spec,
    grants::{address_hashes, extras, user_addresses},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    account::{self, AddressPath},
    change_error::ChangeError,
};

/// Removes an email address.
pub struct RemoveAddress;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
}

/// The email address was removed.
#[derive(Serialize, JsonSchema)]
pub struct RemovedAddress {
    /// Always `true`.
    deleted: bool,
    id: AddressId,
}
impl Output for RemovedAddress {}

impl Endpoint for RemoveAddress {
    const SPEC: Spec = spec("emails-remove", Delete, "/api/settings/emails/{id}")
        .summary("Remove an email address")
        .access(Access::person().step_up())
        .problems(&[Code::OnboardingRequired, Code::NotFound, Code::EmailIsPrimary])
        .uses(&[
            user_addresses::FIND,
            user_addresses::REMOVE,
            address_hashes::HASH,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<AddressPath>;
    type Output = RemovedAddress;
    type Error = ChangeError;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { addresses: ports.user_addresses(), hashes: ports.address_hashes() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Params(path): Self::Input,
    ) -> Result<RemovedAddress, ChangeError> {
        let user = account::user(call)?;
        let id = path.id.known().ok_or(ChangeRefused::Missing)?;
        let tokens = LastReset::now(call.id::<OfReset>(), call.now);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
            let removal = book.remove(id, call.now)?;
            // An address that was never verified gave nobody access and has no claim.
            let event = account::event(call, user, Action::Deleted, id, "Email address removed");
            let event = removal.freed.map(|_| event);
            let notice = removal.freed.map(|address| DomainEvent::AddressRemoved { user, address });
            let extras = call.extras(event, notice, id);
            if deps.addresses.remove(&removal, &tokens, extras).await? == Saved::Yes {
                return Ok(RemovedAddress { deleted: true, id });
            }
        }
    }
}
