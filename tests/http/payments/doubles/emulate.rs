//! The client against the Stripe of emulate.

use domain::{
    Timestamp,
    payment::{
        BillingCycle, Cents, CheckoutId, CustomerId, IntentStatus, PaymentIntent, PaymentIntentId,
        PaymentMethodId, PostalAddress,
    },
    ports::{CheckoutKind, CheckoutRequest, PaymentError, Payments},
    region::Region,
};
use tests::App;

use super::{
    Double, Doubles, code, customers, ok, payment, readable, refused, signed_at, step, tag, tax_id, workspace,
};

async fn changes_details(double: &Double, customer: &CustomerId) {
    let stripe = &double.stripe;
    let method = PaymentMethodId::parse("pm_card_visa").unwrap();
    ok(stripe.set_default_method(customer, &method)).await;
    let found = ok(stripe.billing_details(customer)).await;
    assert_eq!((found.address, found.default_method), (PostalAddress::default(), None));
    assert_eq!(refused(stripe.change_billing_details(customer, &tax_id())).await, code("404"));
    assert_eq!(refused(stripe.payment_methods(customer)).await, code("404"));
    assert_eq!(refused(stripe.remove_method(&method)).await, code("404"));
    assert_eq!(refused(stripe.subscriptions(customer)).await, code("404"));
    assert_eq!(refused(stripe.invoices(customer, None)).await, code("404"));
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    assert_eq!(refused(stripe.events(since, until, None)).await, code("404"));
}

async fn pays(double: &Double, customer: &CustomerId) -> PaymentIntentId {
    let (stripe, tag, step) = (&double.stripe, tag(), step());
    let method = PaymentMethodId::parse("pm_card_visa").unwrap();
    let made = readable(|| stripe.charge(customer, &method, &tag, &step)).await;
    let again = readable(|| stripe.charge(customer, &method, &tag, &step)).await;
    assert_ne!(made.id, again.id, "the step key counts");
    let waiting = PaymentIntent { status: IntentStatus::RequiresConfirmation, ..payment(&made.id, customer) };
    assert_eq!(made, waiting);
    double.post(&format!("/v1/payment_intents/{}/confirm", made.id), &[]).await;
    assert_eq!(ok(stripe.payment(&made.id)).await, payment(&made.id, customer));
    assert_eq!(ok(stripe.receipt_url(&made.id)).await, None);
    made.id
}

async fn opens_pages(double: &Double, customer: &CustomerId) {
    let stripe = &double.stripe;
    let request = |kind| CheckoutRequest {
        customer: customer.clone(),
        workspace: workspace(),
        region: Region::Eu,
        kind,
        success_url: "http://127.0.0.1/done?session={CHECKOUT_SESSION_ID}".to_owned(),
        cancel_url: "http://127.0.0.1/canceled".to_owned(),
    };
    let (top_up, step) = (request(CheckoutKind::TopUp(Cents::new(2_000))), step());
    assert_eq!(refused(stripe.open_checkout(&top_up, &step)).await, code("invalid_request_error"));
    let subscribe = CheckoutKind::Subscribe { cycle: BillingCycle::Yearly, seats: 3 };
    for kind in [CheckoutKind::SaveMethod, subscribe] {
        let request = request(kind);
        let opened = readable(|| stripe.open_checkout(&request, &step)).await;
        assert_eq!(opened.customer.as_ref(), Some(customer));
        assert_eq!((opened.workspace, opened.region), (Some(workspace()), Some(Region::Eu)));
        let page = opened.url.clone().unwrap();
        assert!(page.ends_with(opened.id.as_str()), "{page}");
        let paid = double.send(&format!("/checkout/{}/complete", opened.id), &[]).await.expect(302);
        let target = format!("http://127.0.0.1/done?session={}", opened.id);
        assert_eq!(paid.header("location"), Some(target.as_str()));
        let completed = ok(stripe.checkout(&opened.id)).await;
        assert_eq!((completed.url, completed.saved_method), (None, None));
        // Nothing to close any more.
        ok(stripe.expire_checkout(&opened.id)).await;
        let second = readable(|| stripe.open_checkout(&request, &step)).await;
        for _ in 0..2 {
            ok(stripe.expire_checkout(&second.id)).await;
        }
    }
    let unknown = CheckoutId::parse("cs_unknown").unwrap();
    assert_eq!(refused(stripe.checkout(&unknown)).await, PaymentError::NotFound);
}

async fn receives_webhooks(double: &Double, doubles: &mut Doubles, payment: &PaymentIntentId) {
    let delivery = doubles.delivery("emulate", payment.as_str()).await;
    let (body, signature, now) = (&delivery.body, &delivery.signature, signed_at(&delivery));
    let stripe = &double.stripe;
    // The signature is right, and the event lacks its id.
    assert_eq!(refused(stripe.verified_event(body, signature, now)).await, code("event"));
    assert_eq!(ok(stripe.verified_event(b"{}", signature, now)).await, None);
}

#[tokio::test]
async fn client_uses_emulate() {
    let (app, mut doubles) = (App::start().await, Doubles::start().await);
    let double = Double::new(&app, &doubles, "emulate").await;
    let customer = customers(&double).await;
    changes_details(&double, &customer).await;
    let payment = pays(&double, &customer).await;
    receives_webhooks(&double, &mut doubles, &payment).await;
    opens_pages(&double, &customer).await;
    for _ in 0..2 {
        ok(double.stripe.delete_customer(&customer)).await;
    }
    assert_eq!(refused(double.stripe.billing_details(&customer)).await, PaymentError::NotFound);
}
