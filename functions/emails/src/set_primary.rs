//! `POST /api/settings/emails/{id}/primary`: makes a verified email address the primary one. The former primary address is told
//! by mail, and reset tokens of earlier mails end. Requires step-up, because recovery mail goes to the primary address.

use std::sync::Arc;

use domain::{
    activity::Action,
    domain_events::DomainEvent,
    id::OfReset,
    password_reset::LastReset,
    ports::{AddressHashes, Rounds, Saved, UserAddresses},
    user_addresses::{AddressBook, ChangeRefused},
};
use kit::{
    Access, Code, Endpoint, Params, Person, Ports, RequestContext, Spec,
    grants::{address_hashes, extras, user_addresses},
    spec,
    spec::Method::Post,
};

use crate::{
    account::{self, AddressPath},
    change_error::ChangeError,
    view::AddressView,
};

/// Makes another email address the primary one.
pub struct SetPrimaryAddress;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
}

impl Endpoint for SetPrimaryAddress {
    const SPEC: Spec = spec("emails-set-primary", Post, "/api/settings/emails/{id}/primary")
        .summary("Make a verified email address the primary one")
        .access(Access::person().step_up())
        .problems(&[Code::OnboardingRequired, Code::NotFound, Code::EmailUnverified])
        .uses(&[
            user_addresses::FIND,
            user_addresses::SET_PRIMARY,
            address_hashes::HASH,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<AddressPath>;
    type Output = AddressView;
    type Error = ChangeError;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { addresses: ports.user_addresses(), hashes: ports.address_hashes() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Params(path): Self::Input,
    ) -> Result<AddressView, ChangeError> {
        let user = account::user(call)?;
        let id = path.id.known().ok_or(ChangeRefused::Missing)?;
        let tokens = LastReset::now(call.id::<OfReset>(), call.now);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
            let Some(change) = book.set_primary(id, call.now)? else {
                return AddressView::find(&book, id, call.now).ok_or(ChangeRefused::Missing.into());
            };
            let event = account::event(call, user, Action::Updated, id, "Primary email address changed");
            let notice = DomainEvent::PrimaryAddressChanged { user, former: change.former };
            let extras = call.extras(Some(event), Some(notice), id);
            if deps.addresses.set_primary(&change, &tokens, extras).await? == Saved::Yes {
                let book = AddressBook { user: change.after, ..book };
                return AddressView::find(&book, id, call.now).ok_or(ChangeRefused::Missing.into());
            }
        }
    }
}
