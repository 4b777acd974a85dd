//! `POST /api/settings/emails/{id}/verify`: verifies an email address with the emailed code. From then on the address belongs
//! to the account, over all regions. Verifying a verified address again succeeds.

use std::sync::Arc;

use domain::{
    activity::Action,
    directory::Claim,
    domain_events::DomainEvent,
    id::{AddressId, AttemptId, UserId},
    ports::{AddressHashes, AddressSaved, Claimed, Codes, Directory, Failure, Rounds, Saved, UserAddresses},
    sign_up::{VerificationCode, WrongCode},
    user_addresses::AddressBook,
};
use kit::{
    Access, Body, Code, Endpoint, Params, Person, Ports, Problem, RequestContext, Spec,
    grants::{address_hashes, codes, directory, extras, user_addresses},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    account::{self, AccountError, AddressPath},
    view::AddressView,
};

/// Verifies an email address.
pub struct VerifyAddress;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
    codes: Arc<dyn Codes>,
    directory: Arc<dyn Directory>,
}

/// The emailed code.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyAddressBody {
    /// The verification code.
    code: VerificationCode,
}

kit::errors! {
    pub enum Error from AccountError, Failure {
        /// The account has no such address.
        Missing => Problem::not_found(),
        /// Wrong code.
        Wrong => Problem::new(
            Code::CodeInvalid,
            "This code is wrong or has expired. Enter the newest code, or request another one.",
        ),
        /// The address belongs to another account.
        Taken => Problem::new(Code::EmailTaken, "This email address belongs to another account."),
    }
}

impl From<WrongCode> for Error {
    fn from(WrongCode: WrongCode) -> Self {
        Self::Wrong
    }
}

impl Endpoint for VerifyAddress {
    const SPEC: Spec = spec("emails-verify", Post, "/api/settings/emails/{id}/verify")
        .summary("Verify an email address with the emailed code")
        .access(Access::person())
        .problems(&[Code::OnboardingRequired, Code::NotFound, Code::CodeInvalid, Code::EmailTaken])
        .uses(&[
            user_addresses::FIND,
            user_addresses::SAVE_PENDING,
            user_addresses::VERIFY,
            address_hashes::HASH,
            codes::ADDRESS_CODE,
            directory::CLAIM_ADDRESS,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = (Params<AddressPath>, Body<VerifyAddressBody>);
    type Output = AddressView;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.user_addresses(),
            hashes: ports.address_hashes(),
            codes: ports.codes(),
            directory: ports.directory(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        (Params(path), Body(form)): Self::Input,
    ) -> Result<AddressView, Error> {
        let user = account::user(call)?;
        let id = path.id.known().ok_or(Error::Missing)?;
        let book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
        let (book, attempt) = count_try(deps, call, book, id).await?;
        let Some(attempt) = attempt else {
            return AddressView::find(&book, id, call.now).ok_or(Error::Missing);
        };
        if !deps.codes.address_code(attempt).await?.matches(&form.code) {
            return Err(Error::Wrong);
        }
        let hash = book.pending(id, call.now).ok_or(Error::Missing)?.hash;
        // The caller knows the code and so reads the address's email: the answer reveals nothing to anybody else.
        let claim = Claim::on_address(hash, call.region, user, call.now);
        if deps.directory.claim(&claim).await? == Claimed::Taken {
            return Err(Error::Taken);
        }
        save(deps, call, book, (id, attempt)).await
    }
}

/// Counts the try before the code is checked. Also returns the id that the code is derived from, or none if the address is
/// verified already.
async fn count_try(
    deps: &Deps,
    call: &RequestContext<Person>,
    mut book: AddressBook,
    id: AddressId,
) -> Result<(AddressBook, Option<AttemptId>), Error> {
    let user = book.user.id;
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        if book.verified(id).is_some() {
            return Ok((book, None));
        }
        let (pending, attempt) = book.count_try(id, call.now).ok_or(Error::Missing)??;
        let saved = deps.addresses.save_pending(&pending, book.verified.version, Default::default()).await?;
        if saved == Saved::Yes {
            return Ok((AddressBook { pending, ..book }, Some(attempt)));
        }
        book = account::book(&*deps.addresses, &*deps.hashes, user).await?;
    }
}

/// Saves the address as verified, also if other addresses changed concurrently. If this fails, the reaper settles the claim: it
/// is not released here, because a concurrent request with the same code may have used it.
async fn save(
    deps: &Deps,
    call: &RequestContext<Person>,
    mut book: AddressBook,
    (id, attempt): (AddressId, AttemptId),
) -> Result<AddressView, Error> {
    let user: UserId = book.user.id;
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(verification) = book.verify(id, attempt, call.now) else {
            let is_verified = book.verified(id).is_some();
            let found = AddressView::find(&book, id, call.now).filter(|_| is_verified);
            return found.ok_or(Error::Wrong);
        };
        let notice = DomainEvent::AddressVerified {
            user,
            address: verification.address.hash,
            id,
            first_company: verification.is_first_company,
        };
        let event = account::event(call, user, Action::Created, id, "Email address verified");
        let extras = call.extras(Some(event), Some(notice), id);
        match deps.addresses.verify(&verification, extras).await? {
            AddressSaved::Yes => return Ok(AddressView::verified(&book, &verification.address)),
            AddressSaved::Taken => return Err(Error::Taken),
            AddressSaved::Stale => book = account::book(&*deps.addresses, &*deps.hashes, user).await?,
        }
    }
}
