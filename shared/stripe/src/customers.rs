//! Customers ([object](https://docs.stripe.com/api/customers)) and their tax ids.

use domain::{
    Timestamp,
    id::WorkspaceId,
    payment::{BillingDetails, BillingDetailsChange, CustomerId, PaymentMethodId, PostalAddress, TaxId},
    ports::{PaymentError, StepKey},
    region::Region,
};
use providers::Fetch;
use serde::de::IgnoredAny;

use crate::{
    answers::{AddressAnswer, CreatedCustomer, CustomerAnswer, List, TaxIdAnswer},
    call::Api,
    error::ApiAnswer,
    form::Form,
    metadata::{REGION, WORKSPACE},
};

/// How long attempts to create a customer have the same key, in seconds.
const SAME_CUSTOMER: i64 = 600;

impl<F: Fetch> Api<'_, F> {
    /// Creates the customer of a workspace. Nothing that can change goes into it: every attempt must have the
    /// same parameters. Stripe keeps an error of its own for the key, so the key changes after some minutes; a
    /// customer that nobody knows of then stays behind, without personal data.
    pub async fn create_customer(
        &self,
        workspace: WorkspaceId,
        region: Region,
        now: Timestamp,
    ) -> ApiAnswer<CustomerId> {
        let span = now.as_second().div_euclid(SAME_CUSTOMER);
        let step = StepKey(format!("customer-{workspace}-{span}"));
        let metadata = [(WORKSPACE, workspace.to_string()), (REGION, region.to_string())];
        let form = Form::default().with_members("metadata", &metadata);
        let created: CreatedCustomer = self.take("/v1/customers", &form, &step).await?;
        Ok(created.id)
    }

    /// What the customer gave to Stripe.
    pub async fn billing_details(&self, customer: &CustomerId) -> ApiAnswer<BillingDetails> {
        let query = Form::default().with("expand[]", "tax_ids");
        let answer: CustomerAnswer = self.get(&path(customer), &query).await?;
        if answer.deleted == Some(true) {
            return Err(PaymentError::NotFound.into());
        }
        Ok(details(answer))
    }

    /// Changes billing details. The steps set values, so doing them again after an error ends in the same
    /// state.
    pub async fn change_billing_details(
        &self,
        customer: &CustomerId,
        change: &BillingDetailsChange,
    ) -> ApiAnswer<()> {
        self.within(async {
            let form = changes(change);
            if !form.is_empty() {
                self.post::<IgnoredAny>(&path(customer), &form).await?;
            }
            match &change.tax_id {
                Some(wanted) => self.set_tax_id(customer, wanted.as_ref()).await,
                None => Ok(()),
            }
        })
        .await
    }

    /// Leaves the customer with this tax id only. The new one is created first: if Stripe refuses it, the old
    /// ones stay.
    async fn set_tax_id(&self, customer: &CustomerId, wanted: Option<&TaxId>) -> ApiAnswer<()> {
        let path = format!("{}/tax_ids", path(customer));
        let found: List<TaxIdAnswer> = self.get(&path, &Form::page()).await?;
        let is_wanted = |found: &TaxIdAnswer| {
            wanted.is_some_and(|wanted| (&found.r#type, &found.value) == (&wanted.r#type, &wanted.value))
        };
        let (kept, others): (Vec<_>, Vec<_>) = found.data.into_iter().partition(is_wanted);
        if let Some(TaxId { r#type, value }) = wanted
            && kept.is_empty()
        {
            let form = Form::default().with("type", r#type).with("value", value);
            self.post::<IgnoredAny>(&path, &form).await?;
        }
        for other in others {
            self.delete(&format!("{path}/{}", other.id)).await?;
        }
        Ok(())
    }

    /// Sets the payment method that is charged without the customer.
    pub async fn set_default_method(&self, customer: &CustomerId, method: &PaymentMethodId) -> ApiAnswer<()> {
        let form = Form::default().with("invoice_settings[default_payment_method]", method);
        self.post::<IgnoredAny>(&path(customer), &form).await?;
        Ok(())
    }

    /// Deletes a customer with everything that can be charged.
    pub async fn delete_customer(&self, customer: &CustomerId) -> ApiAnswer<()> {
        self.delete(&path(customer)).await
    }
}

/// The path of a customer.
pub fn path(customer: &CustomerId) -> String {
    format!("/v1/customers/{customer}")
}

fn details(answer: CustomerAnswer) -> BillingDetails {
    let default = answer.invoice_settings.and_then(|settings| settings.default_payment_method);
    let tax_ids = answer.tax_ids.map(|list| list.data).unwrap_or_default().into_iter();
    BillingDetails {
        name: answer.name,
        email: answer.email,
        address: address(answer.address.unwrap_or_default()),
        tax_ids: tax_ids.map(|tax_id| TaxId { r#type: tax_id.r#type, value: tax_id.value }).collect(),
        default_method: default.and_then(|method| PaymentMethodId::parse(method.id())),
    }
}

/// Stripe answers some members that are not set with an empty text.
fn address(answer: AddressAnswer) -> PostalAddress {
    let set = |member: Option<String>| member.filter(|text| !text.is_empty());
    PostalAddress {
        line1: set(answer.line1),
        line2: set(answer.line2),
        city: set(answer.city),
        state: set(answer.state),
        postal_code: set(answer.postal_code),
        country: set(answer.country),
    }
}

/// The parameters of a change. An empty text unsets a member, and the address is replaced as a whole.
fn changes(change: &BillingDetailsChange) -> Form {
    let form =
        Form::default().with_some("name", change.name.as_ref()).with_some("email", change.email.as_ref());
    let Some(address) = &change.address else {
        return form;
    };
    let members = [
        ("line1", &address.line1),
        ("line2", &address.line2),
        ("city", &address.city),
        ("state", &address.state),
        ("postal_code", &address.postal_code),
        ("country", &address.country),
    ];
    form.with_members("address", &members.map(|(name, value)| (name, value.clone().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Answered, Script, WORKSPACE_ID, done, error, list, ok, why};

    fn customer() -> CustomerId {
        CustomerId::parse("cus_1").unwrap()
    }

    fn missing() -> Answered {
        error(404, json!({ "type": "invalid_request_error", "code": "resource_missing", "param": "id" }))
    }

    fn vat(value: &str) -> TaxId {
        TaxId { r#type: "eu_vat".to_owned(), value: value.to_owned() }
    }

    fn stored_vat(id: &str, value: &str) -> Value {
        json!({ "id": id, "object": "tax_id", "type": "eu_vat", "value": value })
    }

    #[tokio::test]
    async fn customer_is_created_with_workspace_and_region_only() {
        let script = Script::of([ok(json!({ "id": "cus_1", "object": "customer" }))]);
        let workspace = WORKSPACE_ID.parse().unwrap();
        assert_eq!(
            done(script.api().create_customer(workspace, Region::Eu, Timestamp::UNIX_EPOCH).await),
            customer()
        );
        let expected = format!(
            "POST /v1/customers metadata[workspace]={WORKSPACE_ID} metadata[region]=eu \
             [customer-{WORKSPACE_ID}-0]"
        );
        assert_eq!(script.asked(), [expected]);
    }

    #[tokio::test]
    async fn billing_details_are_read_with_tax_ids() {
        let script = Script::of([ok(json!({
            "id": "cus_1",
            "name": "Ada",
            "email": "ada@people.example",
            "address": {
                "line1": "1 Way", "line2": "", "city": null, "postal_code": "12345", "country": "DE",
            },
            "tax_ids": { "object": "list", "data": [stored_vat("txi_1", "DE123456789")] },
            "invoice_settings": { "default_payment_method": "pm_1" },
        }))]);
        let read = done(script.api().billing_details(&customer()).await);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            BillingDetails {
                name: text("Ada"),
                email: text("ada@people.example"),
                address: PostalAddress {
                    line1: text("1 Way"),
                    postal_code: text("12345"),
                    country: text("DE"),
                    ..PostalAddress::default()
                },
                tax_ids: vec![vat("DE123456789")],
                default_method: PaymentMethodId::parse("pm_1"),
            }
        );
        assert_eq!(script.asked(), ["GET /v1/customers/cus_1 expand[]=tax_ids"]);
    }

    #[tokio::test]
    async fn new_customer_has_empty_details() {
        let script = Script::of([ok(json!({ "id": "cus_1", "name": null, "invoice_settings": {} }))]);
        assert_eq!(done(script.api().billing_details(&customer()).await), BillingDetails::default());
    }

    #[tokio::test]
    async fn details_of_deleted_or_unknown_customer_are_not_found() {
        for answer in [ok(json!({ "id": "cus_1", "object": "customer", "deleted": true })), missing()] {
            let script = Script::of([answer]);
            assert_eq!(why(script.api().billing_details(&customer()).await), PaymentError::NotFound);
        }
    }

    #[tokio::test]
    async fn change_sends_what_it_changes_only() {
        let script = Script::of([ok(json!({ "id": "cus_1" })), ok(json!({ "id": "cus_1" }))]);
        let change = BillingDetailsChange {
            name: Some("Ada & Söhne".to_owned()),
            email: Some(String::new()),
            ..BillingDetailsChange::default()
        };
        done(script.api().change_billing_details(&customer(), &change).await);
        let address = PostalAddress { country: Some("DE".to_owned()), ..PostalAddress::default() };
        let change = BillingDetailsChange { address: Some(address), ..BillingDetailsChange::default() };
        done(script.api().change_billing_details(&customer(), &change).await);
        assert_eq!(
            script.asked(),
            [
                "POST /v1/customers/cus_1 name=Ada & Söhne email=",
                "POST /v1/customers/cus_1 address[line1]= address[line2]= address[city]= address[state]= \
                 address[postal_code]= address[country]=DE",
            ]
        );
    }

    #[tokio::test]
    async fn change_of_nothing_asks_nothing() {
        let script = Script::of([]);
        done(script.api().change_billing_details(&customer(), &BillingDetailsChange::default()).await);
        assert!(script.asked().is_empty());
    }

    #[tokio::test]
    async fn refused_name_changes_no_tax_id() {
        let refusal = json!({ "type": "invalid_request_error", "code": "email_invalid", "param": "email" });
        let script = Script::of([error(400, refusal)]);
        let change = BillingDetailsChange {
            email: Some("ada".to_owned()),
            tax_id: Some(Some(vat("DE1"))),
            ..BillingDetailsChange::default()
        };
        let error = why(script.api().change_billing_details(&customer(), &change).await);
        assert_eq!(error, PaymentError::Invalid("email".to_owned()));
        assert_eq!(script.asked(), ["POST /v1/customers/cus_1 email=ada"]);
    }

    async fn set(script: &Script, tax_id: Option<TaxId>) -> ApiAnswer<()> {
        let change = BillingDetailsChange { tax_id: Some(tax_id), ..BillingDetailsChange::default() };
        script.api().change_billing_details(&customer(), &change).await
    }

    const LISTED: &str = "GET /v1/customers/cus_1/tax_ids limit=100";

    #[tokio::test]
    async fn new_tax_id_is_created_before_others_are_deleted() {
        let script = Script::of([
            list(json!([stored_vat("txi_1", "DE1"), stored_vat("txi_2", "DE2")]), false),
            ok(json!({ "id": "txi_3" })),
            ok(json!({ "id": "txi_1", "deleted": true })),
            missing(),
        ]);
        done(set(&script, Some(vat("DE3"))).await);
        assert_eq!(
            script.asked(),
            [
                LISTED,
                "POST /v1/customers/cus_1/tax_ids type=eu_vat value=DE3",
                "DELETE /v1/customers/cus_1/tax_ids/txi_1",
                "DELETE /v1/customers/cus_1/tax_ids/txi_2",
            ]
        );
    }

    #[tokio::test]
    async fn tax_id_that_is_there_is_not_created_again() {
        let script = Script::of([
            list(json!([stored_vat("txi_1", "DE1"), stored_vat("txi_2", "DE2")]), false),
            ok(json!({ "id": "txi_1", "deleted": true })),
        ]);
        done(set(&script, Some(vat("DE2"))).await);
        assert_eq!(script.asked(), [LISTED, "DELETE /v1/customers/cus_1/tax_ids/txi_1"]);
    }

    #[tokio::test]
    async fn refused_tax_id_leaves_the_old_one() {
        let refusal = json!({ "type": "invalid_request_error", "code": "tax_id_invalid", "param": "value" });
        let script = Script::of([list(json!([stored_vat("txi_1", "DE1")]), false), error(400, refusal)]);
        let error = why(set(&script, Some(vat("DE"))).await);
        assert_eq!(error, PaymentError::Invalid("value".to_owned()));
        assert_eq!(script.asked(), [LISTED, "POST /v1/customers/cus_1/tax_ids type=eu_vat value=DE"]);
    }

    #[tokio::test]
    async fn removed_tax_id_is_deleted() {
        let script = Script::of([
            list(json!([stored_vat("txi_1", "DE1")]), false),
            ok(json!({ "id": "txi_1", "deleted": true })),
        ]);
        done(set(&script, None).await);
        assert_eq!(script.asked(), [LISTED, "DELETE /v1/customers/cus_1/tax_ids/txi_1"]);
    }

    #[tokio::test]
    async fn default_method_is_set_for_invoices() {
        let script = Script::of([ok(json!({ "id": "cus_1" }))]);
        let method = PaymentMethodId::parse("pm_1").unwrap();
        done(script.api().set_default_method(&customer(), &method).await);
        let expected = "POST /v1/customers/cus_1 invoice_settings[default_payment_method]=pm_1";
        assert_eq!(script.asked(), [expected]);
    }

    #[tokio::test]
    async fn customer_can_be_deleted_twice() {
        let script = Script::of([ok(json!({ "id": "cus_1", "deleted": true })), missing()]);
        done(script.api().delete_customer(&customer()).await);
        done(script.api().delete_customer(&customer()).await);
        assert_eq!(script.asked(), ["DELETE /v1/customers/cus_1", "DELETE /v1/customers/cus_1"]);
    }

    #[tokio::test]
    async fn wrong_address_of_stripe_deletes_no_customer() {
        let script = Script::of([Answered::with(404, "<html>")]);
        let error = why(script.api().delete_customer(&customer()).await);
        assert_eq!(error, PaymentError::Refused("404".to_owned()));
    }
}
