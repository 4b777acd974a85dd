//! Billing details as clients read and write them.

use domain::{
    email::EmailAddress,
    payment::{BillingDetails, BillingDetailsChange, BillingLine, Country, PostalAddress, TaxId, TaxIdType},
    settings::{Change, given},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// What invoices and receipts say of the customer. Only Stripe stores it.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownDetails {
    /// The name of the person or company.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The email address to which Stripe sends receipts.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The postal address.
    address: PostalAddress,
    /// The tax ids.
    tax_ids: Vec<TaxId>,
}

impl From<BillingDetails> for ShownDetails {
    fn from(BillingDetails { name, email, address, tax_ids, default_method: _ }: BillingDetails) -> Self {
        Self { name, email, address, tax_ids }
    }
}

/// A change of billing details. A field that is left out stays as it is; `null` and the empty string remove it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BillingInfoBody {
    /// The name of the person or company.
    #[serde(default, deserialize_with = "given")]
    name: Option<Change<BillingLine>>,
    /// The email address to which Stripe sends receipts.
    #[serde(default, deserialize_with = "given")]
    email: Option<Change<EmailAddress>>,
    /// The postal address. It replaces the former one as a whole.
    #[serde(default)]
    address: Option<AddressBody>,
    /// The tax id. It replaces the former ones.
    #[serde(default, deserialize_with = "present")]
    tax_id: Option<Option<TaxIdBody>>,
}

/// A postal address.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AddressBody {
    /// Street, number, company.
    #[serde(default)]
    line1: Option<Change<BillingLine>>,
    /// Flat, floor, building.
    #[serde(default)]
    line2: Option<Change<BillingLine>>,
    /// City or town.
    #[serde(default)]
    city: Option<Change<BillingLine>>,
    /// State, county, province.
    #[serde(default)]
    state: Option<Change<BillingLine>>,
    /// Postal code.
    #[serde(default)]
    postal_code: Option<Change<BillingLine>>,
    /// Country: two letters (ISO 3166-1 alpha-2).
    #[serde(default)]
    country: Option<Change<Country>>,
}

/// A tax id ([types](https://docs.stripe.com/billing/customer/tax-ids#supported-tax-id)).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxIdBody {
    /// The type, for example `eu_vat`.
    r#type: TaxIdType,
    /// The number.
    value: BillingLine,
}

/// Tells a field that is `null` from one that is left out.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<TaxIdBody>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// The text that replaces another; empty: none.
fn text<T: ToString>(change: Change<T>) -> String {
    change.value().map_or_else(String::new, |value| value.to_string())
}

impl From<BillingInfoBody> for BillingDetailsChange {
    fn from(BillingInfoBody { name, email, address, tax_id }: BillingInfoBody) -> Self {
        let tax_id = tax_id.map(|tax_id| {
            tax_id.map(|TaxIdBody { r#type, value }| TaxId {
                r#type: r#type.to_string(),
                value: value.to_string(),
            })
        });
        Self { name: name.map(text), email: email.map(text), address: address.map(Into::into), tax_id }
    }
}

impl From<AddressBody> for PostalAddress {
    fn from(AddressBody { line1, line2, city, state, postal_code, country }: AddressBody) -> Self {
        let line =
            |line: Option<Change<BillingLine>>| line.and_then(Change::value).map(|line| line.to_string());
        Self {
            line1: line(line1),
            line2: line(line2),
            city: line(city),
            state: line(state),
            postal_code: line(postal_code),
            country: country.and_then(Change::value).map(|country| country.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn change(body: serde_json::Value) -> BillingDetailsChange {
        from_value::<BillingInfoBody>(body).unwrap().into()
    }

    #[test]
    fn field_left_out_stays_and_null_or_empty_removes_it() {
        assert_eq!(change(json!({})), BillingDetailsChange::default());
        for removed in [json!(null), json!(""), json!("  ")] {
            let change = change(json!({ "name": removed, "email": removed, "taxId": null }));
            assert_eq!((change.name.as_deref(), change.email.as_deref()), (Some(""), Some("")), "{removed}");
            assert_eq!((change.tax_id, change.address), (Some(None), None));
        }
        let address = change(json!({ "address": { "city": " Zürich ", "country": "ch", "state": null } }));
        let expected = PostalAddress {
            city: Some("Zürich".to_owned()),
            country: Some("CH".to_owned()),
            ..PostalAddress::default()
        };
        assert_eq!(address.address, Some(expected));
        let tax_id = TaxId { r#type: "eu_vat".to_owned(), value: "DE123456789".to_owned() };
        let named = change(json!({ "taxId": { "type": "eu_vat", "value": "DE123456789" } }));
        assert_eq!(named.tax_id, Some(Some(tax_id)));
    }

    #[test]
    fn value_of_another_form_is_refused() {
        for wrong in [
            json!({ "name": "a\nb" }),
            json!({ "name": "a".repeat(201) }),
            json!({ "email": "nobody" }),
            json!({ "address": null, "extra": 1 }),
            json!({ "address": { "country": "DEU" } }),
            json!({ "address": { "country": "1" } }),
            json!({ "taxId": { "type": "EU VAT", "value": "1" } }),
            json!({ "taxId": { "type": "eu_vat" } }),
            json!({ "taxId": "DE123456789" }),
        ] {
            assert!(from_value::<BillingInfoBody>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
