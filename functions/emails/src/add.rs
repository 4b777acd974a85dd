//! `POST /api/settings/emails`: adds an email address to the account and sends it a code. The response and the work are the
//! same whether or not another account has the address: only the mail worker looks that up, and only a reader of the mailbox
//! learns it. Requires step-up, because an address outlives the session.

use domain::{
    email::EmailAddress,
    id::{AddressId, OfAddress, OfAttempt},
    throttle::NetworkLimit,
    user_addresses::{AddressBook, CodeRefused, NewAddress},
};
use kit::{Access, Body, Code, Endpoint, Person, Ports, RequestContext, Spec, spec, spec::Method::Post};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    account,
    send_code::{self, Deps, Error},
    view::AddressView,
};

/// Adds an email address.
pub struct AddAddress;

/// The email address to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddAddressBody {
    /// The email address, which receives a verification code.
    email: EmailAddress,
}

impl Endpoint for AddAddress {
    const SPEC: Spec = spec("emails-add", Post, "/api/settings/emails")
        .summary("Add an email address and request a verification code")
        .access(Access::person().step_up())
        .limits_network(NetworkLimit::AddressCode)
        .answers(201)
        .once()
        .problems(&[
            Code::OnboardingRequired,
            Code::NotFound,
            Code::EmailAlreadyAdded,
            Code::EmailLimitReached,
            Code::EmailUndeliverable,
            Code::RateLimited,
        ])
        .uses(send_code::USES);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<AddAddressBody>;
    type Output = AddressView;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps::of(ports)
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(form): Self::Input,
    ) -> Result<AddressView, Error> {
        let user = account::user(call)?;
        let (book, hash) = futures::try_join!(account::book(&*deps.addresses, &*deps.hashes, user), async {
            Ok(deps.hashes.hash(&form.email).await?)
        })?;
        if let Some(id) = call.made_before::<AddressId>() {
            return AddressView::find(&book, id, call.now).ok_or(CodeRefused::Missing.into());
        }
        let (id, attempt) = (call.id::<OfAddress>(), call.id::<OfAttempt>());
        let new = NewAddress { id, email: form.email, hash, attempt };
        let change = |book: &AddressBook| book.add(new.clone(), call.now);
        let book = send_code::send(deps, call, book, (attempt, id), change).await?;
        AddressView::find(&book, id, call.now).ok_or(CodeRefused::Missing.into())
    }
}
