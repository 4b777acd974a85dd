//! `POST /api/settings/emails/{id}/resend`: sends another code to an email address that is not verified. The new code replaces
//! the last one.

use domain::{
    id::{AttemptId, OfAttempt},
    throttle::NetworkLimit,
    user_addresses::{AddressBook, CodeRefused},
};
use kit::{Access, Code, Endpoint, Params, Person, Ports, RequestContext, Spec, spec, spec::Method::Post};

use crate::{
    account::{self, AddressPath},
    send_code::{self, Deps, Error},
    view::AddressView,
};

/// Sends another code.
pub struct ResendCode;

impl Endpoint for ResendCode {
    const SPEC: Spec = spec("emails-resend", Post, "/api/settings/emails/{id}/resend")
        .summary("Send another verification code to an email address")
        .access(Access::person())
        .limits_network(NetworkLimit::AddressCode)
        .answers(202)
        .once()
        .problems(&[
            Code::OnboardingRequired,
            Code::NotFound,
            Code::EmailAlreadyAdded,
            Code::EmailUndeliverable,
            Code::RateLimited,
        ])
        .uses(send_code::USES);
    type Caller = Person;
    type Deps = Deps;
    type Input = Params<AddressPath>;
    type Output = AddressView;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps::of(ports)
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Params(path): Self::Input,
    ) -> Result<AddressView, Error> {
        let user = account::user(call)?;
        let id = path.id.known().ok_or(CodeRefused::Missing)?;
        let mut book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
        if call.made_before::<AttemptId>().is_none() {
            let attempt = call.id::<OfAttempt>();
            let change = |book: &AddressBook| book.resend(id, attempt, call.now);
            book = send_code::send(deps, call, book, (attempt, attempt), change).await?;
        }
        AddressView::find(&book, id, call.now).ok_or(CodeRefused::Missing.into())
    }
}
