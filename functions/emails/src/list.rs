//! `GET /api/settings/emails`: lists the account's email addresses. `expand=mail` includes whether they get mail. There are at
//! most 20, so the list has one page.

use std::sync::Arc;

use domain::{
    Timestamp,
    ports::{AddressHashes, Failure, MailBlocks, Outcome, UserAddresses},
    user_addresses::StoredAddresses,
};
use kit::{
    Access, Endpoint, Output, Params, Person, Ports, Prefetched, RequestContext, Spec, TokenIds,
    grants::{address_hashes, mail_blocks, user_addresses},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::settings_read::{MailStatus, SettingsExpansion};

use crate::{
    account::{self, AccountError},
    view::AddressView,
};

/// Lists the email addresses of the account.
pub struct ListAddresses;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
    blocks: Arc<dyn MailBlocks>,
}

/// Level of detail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressesQuery {
    /// `mail`: include `mail`.
    #[serde(default)]
    expand: Option<SettingsExpansion>,
}

/// The email addresses of the account.
#[derive(Serialize, JsonSchema)]
pub struct AddressList {
    /// The addresses, the primary one first.
    emails: Vec<AddressView>,
}
impl Output for AddressList {}

kit::errors! {
    pub enum Error from AccountError, Failure {}
}

impl Endpoint for ListAddresses {
    const SPEC: Spec = spec("emails-list", Get, "/api/settings/emails")
        .summary("List the email addresses of the account")
        .access(Access::person())
        .problems(&[kit::Code::OnboardingRequired])
        .uses(&[user_addresses::FIND, address_hashes::HASH, mail_blocks::FIND]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Prefetched<Params<AddressesQuery>, Option<StoredAddresses>>;
    type Output = AddressList;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.user_addresses(),
            hashes: ports.address_hashes(),
            blocks: ports.mail_blocks(),
        }
    }

    async fn prefetch(deps: &Deps, ids: &TokenIds, Prefetched(_, early): &mut Self::Input) {
        early.read(deps.addresses.find(ids.user)).await;
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Prefetched(Params(query), early): Self::Input,
    ) -> Result<AddressList, Error> {
        let user = account::user(call)?;
        let stored = early.or_read(deps.addresses.find(user)).await?.ok_or(AccountError::Deleted)?;
        let book = account::book_of(&*deps.hashes, stored).await?;
        let emails = AddressView::all(&book, call.now);
        Ok(AddressList {
            emails: match query.expand {
                Some(SettingsExpansion::Mail) => with_mail(deps, emails, call.now).await?,
                None => emails,
            },
        })
    }
}

async fn with_mail(deps: &Deps, emails: Vec<AddressView>, now: Timestamp) -> Outcome<Vec<AddressView>> {
    let status = |view: AddressView| async move {
        let block = deps.blocks.find(deps.hashes.hash(view.email()).await?).await?;
        Ok(view.with_mail(MailStatus::of(block, now)))
    };
    futures::future::try_join_all(emails.into_iter().map(status)).await
}
