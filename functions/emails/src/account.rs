//! The account of a request, and its addresses.

use domain::{
    activity::{Action, ActivityEvent, Actor, ResourceType},
    id::{AddressId, RequestedId, UserId},
    ports::{AddressHashes, Failure, Outcome, UserAddresses},
    user::personal_workspace,
    user_addresses::{AddressBook, StoredAddresses},
};
use kit::{Person, Problem, RequestContext};
use schemars::JsonSchema;
use serde::Deserialize;

kit::errors! {
    pub enum AccountError from Failure {
        /// The person has not finished onboarding.
        NotOnboarded => Problem::onboarding_required(),
        /// The account was deleted meanwhile.
        Deleted => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

/// The address that a request names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressPath {
    /// The id of the address.
    pub id: RequestedId<AddressId>,
}

/// The user of a request, after onboarding.
pub fn user(call: &RequestContext<Person>) -> Result<UserId, AccountError> {
    if call.caller.onboarded { Ok(call.caller.session.user) } else { Err(AccountError::NotOnboarded) }
}

/// Reads the addresses of a user.
pub async fn book(
    addresses: &dyn UserAddresses,
    hashes: &dyn AddressHashes,
    user: UserId,
) -> Result<AddressBook, AccountError> {
    let stored = addresses.find(user).await?.ok_or(AccountError::Deleted)?;
    Ok(book_of(hashes, stored).await?)
}

/// The addresses that were read.
pub async fn book_of(hashes: &dyn AddressHashes, stored: StoredAddresses) -> Outcome<AddressBook> {
    let primary = hashes.hash(&stored.user.primary_email).await?;
    Ok(AddressBook::new(stored, primary))
}

/// The activity event of a change. It does not contain the address: everybody in the workspace sees events.
pub fn event(
    call: &RequestContext<Person>,
    user: UserId,
    action: Action,
    address: AddressId,
    name: &str,
) -> ActivityEvent {
    let (workspace, actor) = (personal_workspace(user), Actor { user, key: None });
    call.event(workspace, actor, action, ResourceType::Security).about(address, name)
}
