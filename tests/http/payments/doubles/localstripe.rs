//! The client against localstripe.

use domain::{
    Timestamp,
    payment::{
        BillingDetailsChange, Cents, CustomerId, PaymentIntent, PaymentIntentId, PaymentMethodId,
        PaymentPurpose, PaymentSubject, SeatChange, StripeEvent, Subscription, SubscriptionId,
        SubscriptionStatus,
    },
    ports::{PaymentError, Payments},
    region::Region,
};
use tests::App;

use super::{
    Double, Doubles, WORKSPACE, code, customers, details, ok, payment, refused, signed_at, step, tag, tax_id,
    text,
};

/// Attaches a card and makes it the default.
async fn saves_card(double: &Double, customer: &CustomerId) -> PaymentMethodId {
    let card = [
        ("type", "card"),
        ("card[number]", "4242424242424242"),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2045"),
        ("card[cvc]", "123"),
    ];
    let method = text(&double.post("/v1/payment_methods", &card).await, "/id");
    let attach = format!("/v1/payment_methods/{method}/attach");
    double.post(&attach, &[("customer", customer.as_str())]).await;
    let method = PaymentMethodId::parse(&method).unwrap();
    ok(double.stripe.set_default_method(customer, &method)).await;
    assert_eq!(ok(double.stripe.billing_details(customer)).await.default_method, Some(method.clone()));
    method
}

async fn changes_details(double: &Double, customer: &CustomerId) {
    let stripe = &double.stripe;
    let found = ok(stripe.billing_details(customer)).await;
    assert_eq!(Some(found.address), details().address);
    let unset = BillingDetailsChange { name: Some(String::new()), ..BillingDetailsChange::default() };
    ok(stripe.change_billing_details(customer, &unset)).await;
    assert_eq!(ok(stripe.billing_details(customer)).await.name, Some(String::new()));
    let refusal = refused(stripe.change_billing_details(customer, &tax_id())).await;
    assert_eq!(refusal, code("invalid_request_error"));
    let path = format!("/v1/customers/{customer}/tax_ids");
    double.post(&path, &[("type", "eu_vat"), ("value", "DE123456789")]).await;
    let wanted = tax_id().tax_id.flatten();
    assert_eq!(ok(stripe.billing_details(customer)).await.tax_ids.first(), wanted.as_ref());
}

/// A payment, refunded in part.
async fn pays(double: &Double, customer: &CustomerId, method: &PaymentMethodId) -> PaymentIntentId {
    let stripe = &double.stripe;
    let refusal = refused(stripe.charge(customer, method, &tag(), &step())).await;
    assert_eq!(refusal, code("invalid_request_error"));
    let form = [
        ("amount", "2000"),
        ("currency", "usd"),
        ("customer", customer.as_str()),
        ("payment_method", method.as_str()),
        ("confirm", "true"),
        ("off_session", "true"),
        ("metadata[purpose]", PaymentPurpose::AutoTopUp.as_str()),
        ("metadata[workspace]", WORKSPACE),
        ("metadata[region]", "eu"),
        ("metadata[amount_cents]", "2000"),
    ];
    let id = PaymentIntentId::parse(&text(&double.post("/v1/payment_intents", &form).await, "/id")).unwrap();
    assert_eq!(ok(stripe.payment(&id)).await, payment(&id, customer));
    assert_eq!(ok(stripe.receipt_url(&id)).await, None);
    double.post("/v1/refunds", &[("payment_intent", id.as_str()), ("amount", "500")]).await;
    let refunded = PaymentIntent { refunded: Cents::new(500), ..payment(&id, customer) };
    assert_eq!(ok(stripe.payment(&id)).await, refunded);
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    assert_eq!(refused(stripe.payments(since, until, None)).await, code("invalid_request_error"));
    id
}

async fn removes_method(double: &Double, customer: &CustomerId, method: &PaymentMethodId) {
    let stripe = &double.stripe;
    assert_eq!(refused(stripe.payment_methods(customer)).await, code("404"));
    for _ in 0..2 {
        ok(stripe.remove_method(method)).await;
    }
    let unknown = PaymentMethodId::parse("pm_unknown").unwrap();
    assert_eq!(refused(stripe.remove_method(&unknown)).await, code("invalid_request_error"));
}

async fn subscribes(double: &Double, customer: &CustomerId) {
    let stripe = &double.stripe;
    assert!(ok(stripe.subscriptions(customer)).await.is_empty());
    let plan = [
        ("id", "price_month"),
        ("amount", "2900"),
        ("currency", "usd"),
        ("interval", "month"),
        ("product[name]", "Pro"),
    ];
    double.post("/v1/plans", &plan).await;
    let items =
        [("customer", customer.as_str()), ("items[0][plan]", "price_month"), ("items[0][quantity]", "2")];
    let made = double.post("/v1/subscriptions", &items).await;
    let id = SubscriptionId::parse(&text(&made, "/id")).unwrap();
    assert_eq!(refused(stripe.subscription(&id)).await, code("answer"));
    assert_eq!(refused(stripe.subscriptions(customer)).await, code("answer"));
    let invoices = ok(stripe.invoices(customer, None)).await;
    let [invoice] = invoices.items.as_slice() else { panic!("not one invoice") };
    assert_eq!((invoice.total_cents, invoice.status.as_str()), (5_800, "paid"));
    assert_eq!(
        (&invoice.number, &invoice.url, &invoice.pdf_url, invoices.more),
        (&None, &None, &None, false)
    );
    let subscription = subscription(&id, customer, text(&made, "/items/data/0/id"));
    let refusal = refused(stripe.set_seats(&subscription, 3, SeatChange::PayNow, &step())).await;
    assert_eq!(refusal, PaymentError::Unavailable);
    ok(stripe.set_cancel_at_period_end(&id, true)).await;
    for _ in 0..2 {
        ok(stripe.cancel_now(&id)).await;
    }
}

/// A subscription that the client could not read.
fn subscription(id: &SubscriptionId, customer: &CustomerId, item: String) -> Subscription {
    Subscription {
        id: id.clone(),
        customer: customer.clone(),
        status: SubscriptionStatus::Active,
        tag: None,
        item,
        cycle: None,
        seats: 2,
        started_at: Timestamp::UNIX_EPOCH,
        period_start: Timestamp::UNIX_EPOCH,
        period_end: Timestamp::UNIX_EPOCH,
        cancel_at_period_end: false,
        method: None,
        open_invoice: None,
        payment_failed_at: None,
        paid_after_end: None,
    }
}

/// The event of a payment, in the list and as a webhook.
async fn receives_events(double: &Double, doubles: &mut Doubles, payment: &PaymentIntentId) {
    let stripe = &double.stripe;
    let listed = ok(stripe.events(Timestamp::UNIX_EPOCH, Timestamp::MAX, None)).await;
    assert!(!listed.more);
    assert_eq!(listed.items[0].r#type, "customer.created", "the oldest is the first");
    let is_paid = |event: &&StripeEvent| event.r#type == "payment_intent.succeeded";
    let event = listed.items.iter().find(is_paid).unwrap();
    assert_eq!(event.subject, Some(PaymentSubject::Payment(payment.clone())));
    assert_eq!((event.region, event.live), (Some(Region::Eu), false));
    let delivery = doubles.delivery("localstripe", event.id.as_str()).await;
    let now = signed_at(&delivery);
    let read = ok(stripe.verified_event(&delivery.body, &delivery.signature, now)).await;
    assert_eq!(read.as_ref(), Some(event));
    assert_eq!(ok(stripe.verified_event(b"{}", &delivery.signature, now)).await, None);
}

#[tokio::test]
async fn client_uses_localstripe() {
    let (app, mut doubles) = (App::start().await, Doubles::start().await);
    let double = Double::new(&app, &doubles, "localstripe").await;
    let customer = customers(&double).await;
    changes_details(&double, &customer).await;
    let method = saves_card(&double, &customer).await;
    let payment = pays(&double, &customer, &method).await;
    receives_events(&double, &mut doubles, &payment).await;
    subscribes(&double, &customer).await;
    removes_method(&double, &customer, &method).await;
    ok(double.stripe.delete_customer(&customer)).await;
    // It answers 404 for a customer who is gone, as for a path that it lacks.
    let gone = code("invalid_request_error");
    assert_eq!(refused(double.stripe.delete_customer(&customer)).await, gone);
    assert_eq!(refused(double.stripe.billing_details(&customer)).await, gone);
}
