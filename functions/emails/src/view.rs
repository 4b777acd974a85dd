//! An address as responses show it.

use domain::{
    Timestamp,
    email::EmailAddress,
    id::AddressId,
    user_addresses::{AddressBook, PendingAddress, VerifiedAddress},
};
use kit::Output;
use schemars::JsonSchema;
use serde::Serialize;
use settings::settings_read::MailStatus;

/// A label of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum AddressLabel {
    /// The address receives notifications and recovery mail.
    Primary,
    /// The address is verified.
    Verified,
    /// The address is not verified.
    Unverified,
    /// The address is not of a consumer provider.
    Company,
}

/// An email address of the account.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressView {
    id: AddressId,
    email: EmailAddress,
    /// Whether the address receives notifications and recovery mail.
    primary: bool,
    /// Whether the address is verified.
    verified: bool,
    /// The labels of the address.
    labels: Vec<AddressLabel>,
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// When an address that is not verified is removed. Absent for a verified address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Option<Timestamp>,
    /// Whether the address gets mail. Present with `expand=mail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailStatus>,
}
impl Output for AddressView {}

impl AddressView {
    /// A verified address.
    pub fn verified(book: &AddressBook, address: &VerifiedAddress) -> Self {
        let primary = book.is_primary(address);
        let company = address.email.is_company().then_some(AddressLabel::Company);
        let labels = primary.then_some(AddressLabel::Primary).into_iter().chain([AddressLabel::Verified]);
        Self {
            id: address.id,
            email: address.email.clone(),
            primary,
            verified: true,
            labels: labels.chain(company).collect(),
            created_at: address.added_at,
            expires_at: None,
            mail: None,
        }
    }

    /// An address that waits for its code.
    pub fn pending(address: &PendingAddress) -> Self {
        let company = address.email.is_company().then_some(AddressLabel::Company);
        Self {
            id: address.id,
            email: address.email.clone(),
            primary: false,
            verified: false,
            labels: [AddressLabel::Unverified].into_iter().chain(company).collect(),
            created_at: address.added_at,
            expires_at: Some(address.expires_at()),
            mail: None,
        }
    }

    /// The address with this id, if the account has it.
    pub fn find(book: &AddressBook, id: AddressId, now: Timestamp) -> Option<Self> {
        let verified = book.verified(id).map(|address| Self::verified(book, address));
        verified.or_else(|| book.pending(id, now).map(Self::pending))
    }

    /// All addresses of an account: the primary one first, then by age.
    pub fn all(book: &AddressBook, now: Timestamp) -> Vec<Self> {
        let verified = book.verified.addresses.iter().map(|address| Self::verified(book, address));
        let mut all: Vec<Self> = verified.chain(book.pending.live(now).map(Self::pending)).collect();
        all.sort_by_key(|address| (!address.primary, !address.verified, address.created_at));
        all
    }

    /// The address itself.
    pub fn email(&self) -> &EmailAddress {
        &self.email
    }

    /// The same with whether it gets mail.
    #[must_use]
    pub fn with_mail(self, mail: MailStatus) -> Self {
        Self { mail: Some(mail), ..self }
    }
}
