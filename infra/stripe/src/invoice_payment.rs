//! Pays an open invoice with the form of its page
//! (<https://docs.stripe.com/invoicing/hosted-invoice-page>).

use crate::{
    api_error::ApiError,
    cards::{self, CardOutcome, HiddenCard},
    invoices,
    params::Params,
    payment_methods,
    subscriptions::{
        member::{set, text},
        object::payment_method,
        settle::{store, subscription_of},
    },
    work::Work,
};

/// What the page shows or does after the form.
pub(crate) enum InvoiceOutcome {
    /// The invoice is paid now.
    Paid,
    /// The page shows the form again, with a message.
    Again(String),
    /// The page asks the customer to authenticate.
    Authenticate,
    /// The invoice was not open any more.
    Closed,
}

/// Performs the form of an invoice's page. Its fields are `card` (a number) and `authentication` (`complete`
/// or `fail`). A card that pays is attached to the customer. It becomes the subscription's own payment method
/// only if neither the subscription nor the customer has one.
///
/// # Errors
///
/// 404, if there is no such invoice.
pub(crate) fn submit(work: &mut Work<'_>, id: &str, form: &Params) -> Result<InvoiceOutcome, ApiError> {
    if text(work.get("invoice", id)?, "/status") != "open" {
        return Ok(InvoiceOutcome::Closed);
    }
    let number = form.text("card").unwrap_or_default().replace(' ', "");
    if let Err(problem) = cards::check_number(&number) {
        return Ok(InvoiceOutcome::Again(problem.message));
    }
    let authentication = form.text("authentication");
    let authenticates = authentication == Some("complete");
    let outcome = cards::charge_outcome(&HiddenCard::new(&number), false);
    if outcome == CardOutcome::NeedsAuthentication && !authenticates {
        return Ok(match authentication {
            None => InvoiceOutcome::Authenticate,
            Some(_) => {
                let message = "You did not authenticate the payment. Use another card.";
                InvoiceOutcome::Again(message.to_owned())
            }
        });
    }
    let method = payment_methods::create_card(work, &number, payment_methods::billing_details());
    let method = text(&method, "/id");
    payment_methods::mark_authenticated(work, method, authenticates);
    // The payment intents of invoices save their payment method for later.
    let paid = invoices::pay_on_page(work, id, method);
    payment_methods::mark_authenticated(work, method, false);
    match paid {
        Ok(_) => {
            keep(work, id, method)?;
            Ok(InvoiceOutcome::Paid)
        }
        Err(error) => Ok(InvoiceOutcome::Again(error.message)),
    }
}

/// Makes a payment method that of the invoice's subscription, if it has none to be paid with.
fn keep(work: &mut Work<'_>, invoice: &str, method: &str) -> Result<(), ApiError> {
    let invoice = work.get("invoice", invoice)?;
    let Some(before) = subscription_of(work, invoice) else { return Ok(()) };
    if payment_method(work, &before).is_none() {
        let mut after = before.clone();
        set(&mut after, "default_payment_method", method);
        store(work, &before, after);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        subscriptions::testing::{
            BAD_CARD, FIRST_END, GOOD_CARD, current, latest_invoice, pass_until, replace_card, subscribed,
        },
        testing::{TestBench, id},
    };

    /// A customer and a subscription whose renewal failed, with the id of its open invoice.
    fn past_due(bench: &mut TestBench) -> (String, Value, String) {
        let (customer, subscription) = subscribed(bench, 1);
        replace_card(bench, &customer, BAD_CARD);
        pass_until(bench, FIRST_END);
        let invoice = latest_invoice(bench, &subscription);
        assert_eq!(invoice["status"], "open");
        (customer, subscription, id(&invoice))
    }

    fn post(bench: &mut TestBench, invoice: &str, form: &str) -> InvoiceOutcome {
        submit(&mut bench.work(), invoice, &Params::parse(form).unwrap()).unwrap()
    }

    fn methods(bench: &mut TestBench, customer: &str) -> Vec<Value> {
        let list = bench.get(&format!("/v1/customers/{customer}/payment_methods"));
        list["data"].as_array().unwrap().clone()
    }

    fn is_refused(outcome: &InvoiceOutcome) -> bool {
        matches!(outcome, InvoiceOutcome::Again(message) if !message.is_empty())
    }

    #[test]
    fn card_pays_the_invoice_and_is_attached() {
        let mut bench = TestBench::new();
        let (customer, subscription, invoice) = past_due(&mut bench);
        let paid = post(&mut bench, &invoice, &format!("action=pay&card={GOOD_CARD}"));
        assert!(matches!(paid, InvoiceOutcome::Paid));
        assert_eq!(latest_invoice(&mut bench, &subscription)["status"], "paid");
        let now = current(&mut bench, &subscription);
        // The customer has a default already.
        assert_eq!((&now["status"], &now["default_payment_method"]), (&json!("active"), &Value::Null));
        assert_eq!(methods(&mut bench, &customer).len(), 3);
        let again = post(&mut bench, &invoice, &format!("action=pay&card={GOOD_CARD}"));
        assert!(matches!(again, InvoiceOutcome::Closed));
    }

    #[test]
    fn declined_card_leaves_the_invoice_open() {
        let mut bench = TestBench::new();
        let (customer, subscription, invoice) = past_due(&mut bench);
        for card in ["4000000000000002", BAD_CARD, "4242424242424241", ""] {
            let refused = post(&mut bench, &invoice, &format!("action=pay&card={card}"));
            assert!(is_refused(&refused), "{card}");
        }
        assert_eq!(latest_invoice(&mut bench, &subscription)["status"], "open");
        assert_eq!(current(&mut bench, &subscription)["status"], "past_due");
        assert_eq!(methods(&mut bench, &customer).len(), 2);
    }

    #[test]
    fn card_of_a_careful_bank_pays_after_authentication() {
        let mut bench = TestBench::new();
        let (_, subscription, invoice) = past_due(&mut bench);
        let form = "action=pay&card=4000002500003155";
        assert!(matches!(post(&mut bench, &invoice, form), InvoiceOutcome::Authenticate));
        assert!(is_refused(&post(&mut bench, &invoice, &format!("{form}&authentication=fail"))));
        assert_eq!(latest_invoice(&mut bench, &subscription)["status"], "open");
        let paid = post(&mut bench, &invoice, &format!("{form}&authentication=complete"));
        assert!(matches!(paid, InvoiceOutcome::Paid));
    }

    #[test]
    fn card_becomes_that_of_a_subscription_without_one() {
        let mut bench = TestBench::new();
        let (customer, subscription, invoice) = past_due(&mut bench);
        for method in methods(&mut bench, &customer) {
            bench.post(&format!("/v1/payment_methods/{}/detach", id(&method)), "");
        }
        let paid = post(&mut bench, &invoice, &format!("action=pay&card={GOOD_CARD}"));
        assert!(matches!(paid, InvoiceOutcome::Paid));
        let left = methods(&mut bench, &customer);
        assert_eq!(left.len(), 1);
        assert_eq!(current(&mut bench, &subscription)["default_payment_method"], left[0]["id"]);
    }

    #[test]
    fn unknown_invoice_is_missing() {
        let mut bench = TestBench::new();
        let form = Params::parse("card=4242424242424242").unwrap();
        let error = submit(&mut bench.work(), "in_none", &form).err().unwrap();
        assert_eq!(error.status, 404);
    }
}
