"""Scenarios of what all of Stripe's operations have in common: keys, events, webhooks, idempotency and errors."""

import stripe

from stripe_judge import DAY, Failed, equal, holds, payment_of


def authentication(judge):
    for key in ("sk_test_other", "pk_test_local"):
        other = judge.client(key)
        error = judge.refuses(stripe.AuthenticationError, other.customers.list, http_status=401)
        holds(key not in error.user_message, "the error repeats the key")


def events(judge):
    api, (customer, method) = judge.api.events, judge.customer("pm_card_visa")
    before = api.list(params={"limit": 1}).data[0]
    judge.api.payment_intents.create(params=payment_of(customer, method), options={"idempotency_key": f"events-{customer}"})
    judge.api.customers.update(customer, params={"name": "Eve"})
    new = judge.pages(api.list(params={"ending_before": before.id, "limit": 2}))
    equal(
        sorted(each.type for each in new),
        ["charge.succeeded", "customer.updated", "payment_intent.created", "payment_intent.succeeded"],
        "types of the new events",
    )
    updated = next(each for each in new if each.type == "customer.updated")
    equal((updated.data.object.name, updated.data.previous_attributes["name"]), ("Eve", "Ada"), "an event of a change")
    paid = next(each for each in new if each.type == "payment_intent.succeeded")
    equal(
        (paid.request.idempotency_key, paid.api_version), (f"events-{customer}", "2026-10-28.endive"), "the request of an event"
    )
    equal(api.retrieve(paid.id).data.object.id, paid.data.object.id, "an event")
    charges = judge.pages(api.list(params={"types": ["charge.succeeded", "customer.*"], "created": {"gte": before.created}}))
    holds({each.type for each in charges} >= {"charge.succeeded", "customer.updated"}, "the types of a filtered list")
    holds(all(each.type.split(".")[0] in ("charge", "customer") for each in charges), "the types of a filtered list")
    equal(api.list(params={"type": "charge.succeeded", "created": {"gt": paid.created}}).data, [], "events of the future")
    judge.refuses(stripe.InvalidRequestError, api.retrieve, "evt_0", code="resource_missing", http_status=404)


def webhooks(judge):
    secret = "whsec_of_the_sdk"
    customer, method = judge.customer("pm_card_visa")
    judge.api.payment_intents.create(params=payment_of(customer, method))
    listed = judge.api.events.list(params={"limit": 3}).data
    with judge.listener() as (url, received):
        ids = [event.id for event in listed]
        judge.control("POST", "deliver", {"events": ids, "endpoint": {"url": url, "secret": secret}})
        equal(len(received), 3, "deliveries")
    for event, (body, header) in zip(listed, received):
        # The platform's clock may be ahead of this process; the SDK then compares nothing but the signature.
        read = stripe.Webhook.construct_event(body, header, secret)
        judge.check(read)
        judge.check(read.data.object)
        equal((read.id, read.type, read.data.object.id), (event.id, event.type, event.data.object.id), "a delivered event")
        for changed, signature, key in (
            (body.replace(b"evt_", b"evt-", 1), header, secret),
            (body, header, "whsec_other"),
            (body, header.replace("t=", "t=1"), secret),
            (body, header.replace("v1=", "v0="), secret),
        ):
            try:
                stripe.Webhook.construct_event(changed, signature, key)
            except stripe.SignatureVerificationError:
                continue
            raise Failed("a wrong signature was accepted")


def idempotency(judge):
    customer, method = judge.customer("pm_card_visa")
    create = judge.api.payment_intents.create
    options = {"idempotency_key": f"key-{customer}"}
    first = create(params=payment_of(customer, method), options=options)
    again = create(params=payment_of(customer, method), options=options)
    equal((again.id, again.last_response.headers["Idempotent-Replayed"]), (first.id, "true"), "the same request again")
    equal(len(judge.api.payment_intents.list(params={"customer": customer}).data), 1, "payments")
    for other in (
        lambda: create(params=payment_of(customer, method, 1), options=options),
        lambda: judge.api.customers.create(options=options),
    ):
        judge.refuses(stripe.IdempotencyError, other, http_status=400)
    # A decline is answered again, too; a request with wrong parameters is not.
    declined = {"idempotency_key": f"declined-{customer}"}
    errors = [
        judge.refuses(stripe.CardError, create, params=payment_of(customer, "pm_card_chargeDeclined"), options=declined)
        for _ in range(2)
    ]
    equal(errors[0].error.payment_intent.id, errors[1].error.payment_intent.id, "the payment of a decline that was repeated")
    invalid = {"idempotency_key": f"invalid-{customer}"}
    judge.refuses(stripe.InvalidRequestError, create, params={"currency": "usd"}, options=invalid, code="parameter_missing")
    equal(create(params=payment_of(customer, method), options=invalid).status, "succeeded", "a corrected request")
    # After a day, the key is new.
    judge.advance(DAY + 1)
    holds(create(params=payment_of(customer, method), options=options).id != first.id, "a key is kept for a day only")


def faults(judge):
    customer, method = judge.customer("pm_card_visa")
    create, operation = judge.api.payment_intents.create, "POST /v1/payment_intents"

    def payments():
        return len(judge.api.payment_intents.list(params={"customer": customer}).data)

    for kind, error, status in (
        ("rate-limited", stripe.RateLimitError, 429),
        ("refused", stripe.APIError, 503),
        ("error", stripe.APIError, 500),
        ("lost-response", stripe.APIError, 502),
    ):
        before = payments()
        judge.control("POST", "faults", {"operation": operation, "kind": kind})
        judge.refuses(error, create, params=payment_of(customer, method), http_status=status)
        equal(payments() - before, 1 if kind == "lost-response" else 0, f"payments after the fault {kind}")
        judge.control("DELETE", "faults")
    # The SDK repeats requests by itself, with the same key.
    patient = judge.client(retries=2).payment_intents.create
    for kind in ("refused", "lost-response"):
        before = payments()
        judge.control("POST", "faults", {"operation": operation, "kind": kind})
        equal(patient(params=payment_of(customer, method)).status, "succeeded", f"a payment that was repeated after {kind}")
        equal(payments() - before, 1, f"payments of a request that was repeated after {kind}")
        judge.control("DELETE", "faults")
    # The platform makes calls at the same time.
    made = [call for call in judge.control("GET", "calls") if (call["method"], call["path"]) == ("POST", "/v1/payment_intents")]
    equal([call["replayed"] for call in made[-2:]], [False, True], "answers of a request that was repeated")
    equal(made[-2]["idempotency_key"], made[-1]["idempotency_key"], "the key of a request that was repeated")
