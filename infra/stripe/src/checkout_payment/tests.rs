use serde_json::json;

use super::*;
use crate::{
    payment_attempts::settle,
    testing::{TestBench, id},
};

const SESSIONS: &str = "/v1/checkout/sessions";

/// A session that sells credit for $5.00.
const PAYMENT: &str = "mode=payment&success_url=http://localhost/done?session={CHECKOUT_SESSION_ID}\
    &line_items[0][quantity]=1&line_items[0][price_data][currency]=usd\
    &line_items[0][price_data][unit_amount]=500&line_items[0][price_data][product_data][name]=Credit";

const SETUP: &str = "mode=setup&currency=usd&success_url=http://localhost/done";

const SUBSCRIPTION: &str = "mode=subscription&success_url=http://localhost/done\
    &line_items[0][price]=price_pro_monthly&line_items[0][quantity]=3\
    &subscription_data[metadata][workspace]=w1";

/// Posts the form of a session's page, as a new customer who pays, unless the form has another action.
fn post(bench: &mut TestBench, session: &str, form: &str) -> PageOutcome {
    let action = if form.contains("action=") { "" } else { "&action=pay" };
    let form = format!("{form}{action}");
    let form = Params::parse(&format!("{form}&email=eve@example.com&name=Eve&country=DE")).unwrap();
    submit(&mut bench.work(), session, &form).unwrap()
}

fn session(bench: &mut TestBench, id: &str) -> Value {
    bench.get(&format!("{SESSIONS}/{id}"))
}

#[test]
fn card_pays_a_session() {
    let mut bench = TestBench::new();
    let params = format!(
        "{PAYMENT}&payment_intent_data[metadata][workspace]=w1&payment_intent_data[description]=Top-up"
    );
    let open = id(&bench.post(SESSIONS, &params));
    let PageOutcome::Redirect(url) = post(&mut bench, &open, "card=4242+4242+4242+4242") else {
        panic!("no redirect")
    };
    assert_eq!(url, format!("http://localhost/done?session={open}"));
    let paid = session(&mut bench, &open);
    assert_eq!(
        (&paid["status"], &paid["payment_status"], &paid["url"]),
        (&json!("complete"), &json!("paid"), &json!(null))
    );
    assert_eq!(paid["customer_details"]["email"], "eve@example.com");
    assert_eq!(paid["customer"], json!(null));
    let intent = bench.get(&format!("/v1/payment_intents/{}", text(&paid, "/payment_intent")));
    assert_eq!((&intent["amount_received"], &intent["description"]), (&json!(500), &json!("Top-up")));
    assert_eq!(intent["metadata"], json!({ "workspace": "w1" }));
    assert_eq!(bench.event_types().last().unwrap(), "checkout.session.completed");
    assert!(matches!(post(&mut bench, &open, "card=4242424242424242"), PageOutcome::Closed));
}

#[test]
fn declined_card_leaves_the_session_open() {
    let mut bench = TestBench::new();
    let open = id(&bench.post(SESSIONS, PAYMENT));
    let declined = post(&mut bench, &open, "card=4000000000009995");
    assert!(matches!(declined, PageOutcome::Again(message) if message.contains("insufficient funds")));
    let first = session(&mut bench, &open);
    assert_eq!(first["status"], "open");
    post(&mut bench, &open, "card=5555555555554444");
    let paid = session(&mut bench, &open);
    assert_eq!(paid["payment_intent"], first["payment_intent"]);
    assert_eq!(paid["payment_status"], "paid");
    assert_eq!(bench.state.all("charge").len(), 2);
}

#[test]
fn customer_authenticates_on_the_page() {
    let mut bench = TestBench::new();
    let open = id(&bench.post(SESSIONS, PAYMENT));
    let card = "card=4000002760003184";
    assert!(matches!(post(&mut bench, &open, card), PageOutcome::Authenticate));
    let failed = post(&mut bench, &open, &format!("{card}&authentication=fail"));
    assert!(matches!(failed, PageOutcome::Again(_)));
    let done = post(&mut bench, &open, &format!("{card}&authentication=complete"));
    assert!(matches!(done, PageOutcome::Redirect(_)));
    assert_eq!(session(&mut bench, &open)["payment_status"], "paid");
}

#[test]
fn saved_card_can_be_charged_later() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    let open = id(&bench.post(SESSIONS, &format!("{SETUP}&customer={customer}")));
    let card = "card=4000002500003155";
    assert!(matches!(post(&mut bench, &open, card), PageOutcome::Authenticate));
    post(&mut bench, &open, &format!("{card}&authentication=complete"));
    let complete = session(&mut bench, &open);
    assert_eq!(
        (&complete["status"], &complete["payment_status"]),
        (&json!("complete"), &json!("no_payment_required"))
    );
    let methods = bench.get(&format!("/v1/customers/{customer}/payment_methods"));
    let method = id(&methods["data"][0]);
    let params = format!(
        "amount=500&currency=usd&customer={customer}&payment_method={method}&confirm=true&off_session=true"
    );
    assert_eq!(bench.post("/v1/payment_intents", &params)["status"], "succeeded");
}

#[test]
fn future_usage_makes_a_customer_and_saves_the_card() {
    let mut bench = TestBench::new();
    let params = format!("{PAYMENT}&payment_intent_data[setup_future_usage]=off_session");
    let open = id(&bench.post(SESSIONS, &params));
    post(&mut bench, &open, "card=4242424242424242");
    let paid = session(&mut bench, &open);
    let customer = bench.get(&format!("/v1/customers/{}", text(&paid, "/customer")));
    assert_eq!(
        (&customer["email"], &customer["address"]["country"]),
        (&json!("eve@example.com"), &json!("DE"))
    );
    let methods = bench.get(&format!("/v1/customers/{}/payment_methods", id(&customer)));
    assert_eq!(methods["data"].as_array().unwrap().len(), 1);
}

#[test]
fn bank_debit_completes_unpaid_and_settles_later() {
    let mut bench = TestBench::new();
    for (succeeds, event, status) in [
        (true, "checkout.session.async_payment_succeeded", "paid"),
        (false, "checkout.session.async_payment_failed", "unpaid"),
    ] {
        let open = id(&bench.post(SESSIONS, PAYMENT));
        post(&mut bench, &open, "card=bank_debit");
        let complete = session(&mut bench, &open);
        assert_eq!(
            (&complete["status"], &complete["payment_status"]),
            (&json!("complete"), &json!("unpaid"))
        );
        settle(&mut bench.work(), text(&complete, "/payment_intent"), succeeds).unwrap();
        assert_eq!(session(&mut bench, &open)["payment_status"], status);
        assert_eq!(bench.event_types().last().unwrap(), event);
    }
    let cards_only = id(&bench.post(SESSIONS, &format!("{PAYMENT}&payment_method_types[]=card")));
    assert!(matches!(post(&mut bench, &cards_only, "card=bank_debit"), PageOutcome::Again(_)));
}

#[test]
fn subscription_starts_with_its_first_payment() {
    let mut bench = TestBench::new();
    let open = id(&bench.post(SESSIONS, SUBSCRIPTION));
    post(&mut bench, &open, "card=4242424242424242");
    let complete = session(&mut bench, &open);
    assert_eq!((&complete["status"], &complete["payment_status"]), (&json!("complete"), &json!("paid")));
    let subscription = bench.get(&format!("/v1/subscriptions/{}", text(&complete, "/subscription")));
    assert_eq!(
        (&subscription["status"], &subscription["metadata"]),
        (&json!("active"), &json!({ "workspace": "w1" }))
    );
    assert_eq!(subscription["items"]["data"][0]["quantity"], 3);
    assert_eq!(complete["invoice"], subscription["latest_invoice"]);
    assert_eq!(complete["customer"], subscription["customer"]);
}

#[test]
fn declined_card_starts_no_subscription() {
    let mut bench = TestBench::new();
    let open = id(&bench.post(SESSIONS, SUBSCRIPTION));
    for card in ["4000000000000002", "4000000000000341"] {
        assert!(matches!(post(&mut bench, &open, &format!("card={card}")), PageOutcome::Again(_)), "{card}");
        assert_eq!(session(&mut bench, &open)["status"], "open");
    }
    assert!(bench.state.all("subscription").is_empty());
    let authenticated = post(&mut bench, &open, "card=4000002760003184&authentication=complete");
    assert!(matches!(authenticated, PageOutcome::Redirect(_)));
}

#[test]
fn form_is_checked() {
    let mut bench = TestBench::new();
    let params = format!("{PAYMENT}&consent_collection[terms_of_service]=required");
    let open = id(&bench.post(SESSIONS, &params));
    for form in ["card=", "card=4242424242424241", "card=4242424242424242"] {
        assert!(matches!(post(&mut bench, &open, form), PageOutcome::Again(_)), "{form}");
    }
    let empty = submit(
        &mut bench.work(),
        &open,
        &Params::parse("action=pay&card=4242424242424242&terms=on").unwrap(),
    )
    .unwrap();
    assert!(matches!(empty, PageOutcome::Again(message) if message.contains("email")));
    assert!(matches!(post(&mut bench, &open, "card=4242424242424242&terms=on"), PageOutcome::Redirect(_)));
    assert_eq!(session(&mut bench, &open)["consent"]["terms_of_service"], "accepted");
    assert!(submit(&mut bench.work(), "cs_none", &Params::parse("").unwrap()).is_err());
}

#[test]
fn tax_id_and_name_go_to_the_customer() {
    let mut bench = TestBench::new();
    let customer = bench.customer();
    let params =
        format!("{PAYMENT}&customer={customer}&tax_id_collection[enabled]=true&customer_update[name]=auto");
    let open = id(&bench.post(SESSIONS, &params));
    let card = "card=4242424242424242&tax_id_type=eu_vat&tax_id";
    assert!(matches!(post(&mut bench, &open, &format!("{card}=DE")), PageOutcome::Again(_)));
    post(&mut bench, &open, &format!("{card}=DE123456789"));
    assert_eq!(bench.get(&format!("/v1/customers/{customer}"))["name"], "Eve");
    let tax_ids = bench.get(&format!("/v1/customers/{customer}/tax_ids"));
    assert_eq!(tax_ids["data"][0]["value"], "DE123456789");
}

#[test]
fn canceled_page_keeps_the_session_open() {
    let mut bench = TestBench::new();
    let open = id(&bench.post(SESSIONS, &format!("{PAYMENT}&cancel_url=http://localhost/back")));
    let canceled = post(&mut bench, &open, "action=cancel");
    assert!(matches!(canceled, PageOutcome::Redirect(url) if url == "http://localhost/back"));
    let without_url = id(&bench.post(SESSIONS, PAYMENT));
    assert!(matches!(post(&mut bench, &without_url, "action=cancel"), PageOutcome::Canceled));
    assert_eq!(session(&mut bench, &open)["status"], "open");
}

#[test]
fn unknown_action_pays_nothing() {
    let mut bench = TestBench::new();
    let open = id(&bench.post(SESSIONS, PAYMENT));
    for form in ["action=zzz&card=4242424242424242", "action=&card=4242424242424242"] {
        assert!(matches!(post(&mut bench, &open, form), PageOutcome::Again(_)), "{form}");
    }
    let without = "card=4242424242424242&email=eve@example.com&name=Eve&country=DE";
    let answered = submit(&mut bench.work(), &open, &Params::parse(without).unwrap()).unwrap();
    assert!(matches!(answered, PageOutcome::Again(_)));
    assert_eq!(session(&mut bench, &open)["payment_status"], "unpaid");
}
