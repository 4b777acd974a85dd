//! What a customer gave to Stripe: address, tax id, cards. None of it is stored by the platform.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::ids::PaymentMethodId;
use crate::text::{Invalid, LINE_PATTERN, line, string_value};

/// A line of billing details: 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BillingLine(String);

impl BillingLine {
    /// Reads a line by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// The line is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 200).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": LINE_PATTERN })
    }
}

string_value!(BillingLine);

/// A country: two letters (ISO 3166-1 alpha-2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(String);

impl Country {
    /// Reads a country, in either case.
    ///
    /// # Errors
    ///
    /// The text has another form. Stripe refuses codes of no country.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let text = input.trim().to_ascii_uppercase();
        let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_code {
            Ok(Self(text))
        } else {
            Err(Invalid::new("Use the two letters of a country, such as DE."))
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z]{2}$" })
    }
}

string_value!(Country);

/// A type of tax id, as Stripe names it, for example `eu_vat`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TaxIdType(String);

impl TaxIdType {
    /// Reads a type.
    ///
    /// # Errors
    ///
    /// The text has another form. Stripe refuses types that it does not have.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let is_type = (4..=20).contains(&input.len())
            && input.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_type {
            Ok(Self(input.to_owned()))
        } else {
            Err(Invalid::new("Use a type such as eu_vat or us_ein."))
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z_]{4,20}$" })
    }
}

string_value!(TaxIdType);

/// A postal address ([Stripe]). Country: two letters (ISO 3166-1 alpha-2).
///
/// [Stripe]: https://docs.stripe.com/api/customers/object#customer_object-address
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostalAddress {
    /// Street, number, company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line1: Option<String>,
    /// Flat, floor, building.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// City or town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State, county, province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A tax id ([types](https://docs.stripe.com/billing/customer/tax-ids#supported-tax-id)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaxId {
    /// The type, for example `eu_vat`.
    pub r#type: String,
    /// The number.
    pub value: String,
}

/// What invoices and receipts say of the customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BillingDetails {
    /// Name of the person or company.
    pub name: Option<String>,
    /// Address to which Stripe mails receipts.
    pub email: Option<String>,
    /// Postal address.
    pub address: PostalAddress,
    /// Tax ids.
    pub tax_ids: Vec<TaxId>,
    /// The payment method that is charged without the customer.
    pub default_method: Option<PaymentMethodId>,
}

/// A change of billing details. `None` leaves a field as it is, an empty text removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BillingDetailsChange {
    /// Name.
    pub name: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// The postal address as a whole.
    pub address: Option<PostalAddress>,
    /// The one tax id that replaces all. `Some(None)`: removes them.
    pub tax_id: Option<Option<TaxId>>,
}

/// A saved payment method, as people recognise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// The id.
    pub id: PaymentMethodId,
    /// The type at Stripe, for example `card`.
    pub r#type: String,
    /// The card, if it is one.
    pub card: Option<Card>,
}

/// A card without its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The network, for example `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// The month until which the card is valid, 1 to 12.
    pub exp_month: u8,
    /// The year of that month.
    pub exp_year: u16,
}
