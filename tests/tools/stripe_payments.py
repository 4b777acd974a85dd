"""Scenarios of customers, payment methods, payments and Checkout, which stripe-sdk runs in this order."""

import stripe

from stripe_judge import DAY, MONTH, MONTHLY, RETURN, equal, holds, payment_of


def _card(number):
    return {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2045, "cvc": "123"}}


def customers(judge):
    api = judge.api.customers
    address = {"line1": "1 Main St", "line2": "", "city": "Berlin", "postal_code": "10115", "state": "", "country": "DE"}
    created = api.create(
        params={
            "name": "Ada",
            "email": "ada@example.com",
            "phone": "+49301234567",
            "address": address,
            "metadata": {"workspace": "ws 1", "a&b": "c=d"},
            "preferred_locales": ["de", "en"],
            "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
        }
    )
    equal(created.metadata.to_dict(), {"workspace": "ws 1", "a&b": "c=d"}, "metadata")
    equal((created.address.city, created.address.line2), ("Berlin", None), "address")
    read = api.retrieve(created.id, params={"expand": ["tax_ids", "subscriptions"]})
    equal([tax_id.value for tax_id in read.tax_ids.data], ["DE123456789"], "tax ids")
    equal(read.subscriptions.data, [], "subscriptions")
    updated = api.update(created.id, params={"name": "", "address": "", "metadata": {"workspace": "", "more": "1"}})
    equal((updated.name, updated.address, updated.email), (None, None, "ada@example.com"), "members after an update")
    equal(updated.metadata.to_dict(), {"a&b": "c=d", "more": "1"}, "metadata after an update")
    refuses = judge.refuses
    invalid = stripe.InvalidRequestError
    refuses(invalid, api.create, params={"email": "ada"}, code="email_invalid", param="email", http_status=400)
    refuses(invalid, api.create, params={"nickname": "a"}, code="parameter_unknown", param="nickname", http_status=400)
    refuses(invalid, api.retrieve, "cus_0", code="resource_missing", param="id", http_status=404)
    refuses(invalid, api.retrieve, created.id, params={"expand": ["nothing"]}, http_status=400)
    emails = f"many-{created.id}@example.com"
    made = [api.create(params={"email": emails}).id for _ in range(7)]
    pages = judge.pages(api.list(params={"email": emails, "limit": 3}))
    equal([customer.id for customer in pages], made[::-1], "customers over all pages, newest first")
    back = judge.pages(api.list(params={"email": emails, "limit": 3, "ending_before": made[0]}))
    equal(sorted(customer.id for customer in back), sorted(made[1:]), "customers over all pages backwards")
    refuses(invalid, api.list, params={"limit": 101}, http_status=400, param="limit")
    deleted = api.delete(created.id)
    equal((deleted.id, deleted.deleted), (created.id, True), "a deletion")
    equal(api.retrieve(created.id).deleted, True, "a deleted customer")
    refuses(invalid, api.update, created.id, params={"name": "x"}, code="resource_missing", http_status=404)


def tax_ids(judge):
    customer, _ = judge.customer()
    api = judge.api.customers.tax_ids
    for kind, value, country in (
        ("eu_vat", "DE123456789", "DE"),
        ("us_ein", "12-3456789", "US"),
        ("gb_vat", "GB123456789", "GB"),
    ):
        made = api.create(customer, params={"type": kind, "value": value})
        equal((made.type, made.value, made.country, made.customer), (kind, value, country, customer), "a tax id")
        equal(api.retrieve(customer, made.id).id, made.id, "a tax id's id")
    for kind, value in (("eu_vat", "XX123456789"), ("us_ein", "12-345678")):
        wrong = {"type": kind, "value": value}
        judge.refuses(stripe.InvalidRequestError, api.create, customer, params=wrong, code="tax_id_invalid", http_status=400)
    listed = judge.pages(api.list(customer, params={"limit": 2}))
    equal([tax_id.type for tax_id in listed], ["gb_vat", "us_ein", "eu_vat"], "types of the tax ids")
    equal(api.delete(customer, listed[0].id).deleted, True, "a deletion")
    judge.refuses(stripe.InvalidRequestError, api.retrieve, customer, listed[0].id, http_status=404)


def payment_methods(judge):
    api, (customer, _) = judge.api.payment_methods, judge.customer()
    made = api.create(params={**_card("5555555555554444"), "billing_details": {"name": "Ada", "address": {"country": "DE"}}})
    card = made.card
    equal((card.brand, card.last4, card.exp_month, card.exp_year), ("mastercard", "4444", 12, 2045), "a card")
    equal((card.funding, card.country), ("credit", "US"), "a card")
    equal((made.billing_details.name, made.billing_details.address.country), ("Ada", "DE"), "billing details")
    attached = api.attach(made.id, params={"customer": customer})
    equal(attached.customer, customer, "the customer")
    again = api.attach("pm_card_mastercard", params={"customer": customer})
    equal(again.card.fingerprint, card.fingerprint, "the fingerprint of the same number")
    token = api.create(params={"type": "card", "card": {"token": "tok_visa"}})
    equal(token.card.last4, "4242", "the card of a token")
    updated = api.update(again.id, params={"card": {"exp_month": 1, "exp_year": 2046}, "metadata": {"a": "b"}})
    equal((updated.card.exp_month, updated.card.exp_year, updated.metadata["a"]), (1, 2046, "b"), "an updated card")
    ids = [again.id, made.id]
    equal([method.id for method in judge.api.customers.payment_methods.list(customer).data], ids, "the customer's methods")
    equal(
        [method.id for method in judge.pages(api.list(params={"customer": customer, "type": "card", "limit": 1}))], ids, "a list"
    )
    equal(judge.api.customers.payment_methods.retrieve(customer, made.id).id, made.id, "a method of the customer")
    judge.set_default(customer, made.id)
    expanded = judge.api.customers.retrieve(customer, params={"expand": ["invoice_settings.default_payment_method"]})
    equal(expanded.invoice_settings.default_payment_method.card.last4, "4444", "the default payment method")
    equal(api.detach(made.id).customer, None, "the customer of a detached method")
    equal(judge.api.customers.retrieve(customer).invoice_settings.default_payment_method, None, "the default after detaching")
    judge.refuses(stripe.InvalidRequestError, api.detach, made.id, http_status=400)
    judge.refuses(stripe.InvalidRequestError, api.attach, made.id, params={"customer": customer}, http_status=400)
    declined = judge.refuses(stripe.CardError, api.attach, "pm_card_chargeDeclined", params={"customer": customer})
    equal((declined.code, declined.error.decline_code), ("card_declined", "generic_decline"), "codes of a declined card")
    judge.refuses(stripe.CardError, api.create, params=_card("4242424242424241"), code="incorrect_number")


def setup_intents(judge):
    api, (customer, _) = judge.api.setup_intents, judge.customer()
    common = {"customer": customer, "payment_method_types": ["card"]}
    done = api.create(params={**common, "payment_method": "pm_card_visa", "confirm": True, "metadata": {"a": "b"}})
    equal((done.status, done.usage, done.metadata["a"]), ("succeeded", "off_session", "b"), "a setup intent")
    equal(judge.api.payment_methods.retrieve(done.payment_method).customer, customer, "the customer of its method")
    waiting = api.create(
        params={**common, "payment_method": "pm_card_authenticationRequired", "confirm": True, "return_url": RETURN}
    )
    equal((waiting.status, waiting.next_action.type), ("requires_action", "redirect_to_url"), "a setup intent that waits")
    status, target, _ = judge.page(waiting.next_action.redirect_to_url.url, authentication="complete")
    equal((status, "redirect_status=succeeded" in (target or "")), (303, True), "the bank's page")
    equal(api.retrieve(waiting.id).status, "succeeded", "the status after authentication")
    declined = judge.refuses(
        stripe.CardError, api.create, params={**common, "payment_method": "pm_card_chargeDeclined", "confirm": True}
    )
    equal(declined.error.setup_intent.status, "requires_payment_method", "the intent of a declined card")
    equal(declined.error.setup_intent.last_setup_error.decline_code, "generic_decline", "its error")
    opened = api.create(params=common)
    equal(opened.status, "requires_payment_method", "the status without a method")
    equal(api.update(opened.id, params={"metadata": {"a": "c"}}).metadata["a"], "c", "updated metadata")
    confirmed = api.confirm(opened.id, params={"payment_method": "pm_card_mastercard"})
    equal(confirmed.status, "succeeded", "the status after confirmation")
    canceled = api.cancel(api.create(params=common).id, params={"cancellation_reason": "abandoned"})
    equal((canceled.status, canceled.cancellation_reason), ("canceled", "abandoned"), "a canceled intent")
    judge.refuses(stripe.InvalidRequestError, api.confirm, canceled.id, code="setup_intent_unexpected_state", http_status=400)
    listed = judge.pages(api.list(params={"customer": customer, "limit": 2}))
    equal(len(listed), 5, "setup intents of the customer")


def payments(judge):
    api, (customer, method) = judge.api.payment_intents, judge.customer("pm_card_visa")
    before = judge.last_event()
    paid = api.create(
        params=payment_of(
            customer, method, 1_234, metadata={"purpose": "top-up"}, description="Top-up", expand=["latest_charge", "customer"]
        )
    )
    equal((paid.status, paid.amount, paid.amount_received, paid.currency), ("succeeded", 1_234, 1_234, "usd"), "a payment")
    equal((paid.customer.id, paid.payment_method, paid.description), (customer, method, "Top-up"), "a payment")
    charge = paid.latest_charge
    equal(
        (charge.amount, charge.paid, charge.captured, charge.refunded, charge.disputed),
        (1_234, True, True, False, False),
        "a charge",
    )
    equal((charge.payment_method_details.card.last4, charge.metadata["purpose"]), ("4242", "top-up"), "a charge")
    equal((charge.outcome.type, charge.failure_code, charge.status), ("authorized", None, "succeeded"), "a charge")
    status, _, page = judge.page(charge.receipt_url)
    equal((status, "$12.34" in page), (200, True), "the page of the receipt")
    kinds = judge.types_since(before)
    equal(kinds, ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"], "events of a payment")
    # Without a customer, and confirmed later.
    created = api.create(params={"amount": 500, "currency": "usd", "payment_method_types": ["card"]})
    equal((created.status, created.customer, created.latest_charge), ("requires_payment_method", None, None), "an intent")
    equal(api.update(created.id, params={"amount": 600, "metadata": {"a": "b"}}).amount, 600, "an updated amount")
    equal(api.confirm(created.id, params={"payment_method": "pm_card_visa"}).status, "succeeded", "a confirmed intent")
    judge.refuses(stripe.InvalidRequestError, api.confirm, created.id, code="payment_intent_unexpected_state", http_status=400)
    judge.refuses(stripe.InvalidRequestError, api.cancel, created.id, code="payment_intent_unexpected_state", http_status=400)
    automatic = api.create(
        params={"amount": 700, "currency": "eur", "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )
    equal(automatic.automatic_payment_methods.allow_redirects, "never", "automatic payment methods")
    canceled = api.cancel(automatic.id, params={"cancellation_reason": "requested_by_customer"})
    equal((canceled.status, canceled.cancellation_reason), ("canceled", "requested_by_customer"), "a canceled intent")
    for amount, code in ((49, "amount_too_small"), (100_000_000, "amount_too_large")):
        judge.refuses(
            stripe.InvalidRequestError,
            api.create,
            params=payment_of(customer, method, amount),
            code=code,
            param="amount",
            http_status=400,
        )
    judge.refuses(
        stripe.InvalidRequestError,
        api.create,
        params={"currency": "usd"},
        code="parameter_missing",
        param="amount",
        http_status=400,
    )
    judge.refuses(
        stripe.InvalidRequestError,
        api.create,
        params=payment_of(customer, "pm_0"),
        code="resource_missing",
        param="payment_method",
    )
    created_at = paid.created
    within = api.list(
        params={"customer": customer, "created": {"gte": created_at, "lt": created_at + 1}, "expand": ["data.latest_charge"]}
    )
    equal([each.latest_charge.id for each in within.data], [charge.id], "the list of a second")
    equal(api.list(params={"customer": customer, "created": {"lt": created_at}}).data, [], "the list of the time before")
    charges = judge.api.charges
    equal(charges.retrieve(charge.id).payment_intent, paid.id, "the intent of a charge")
    equal(charges.update(charge.id, params={"description": "Credit"}).description, "Credit", "an updated charge")
    equal(
        [each.id for each in judge.pages(charges.list(params={"payment_intent": paid.id}))], [charge.id], "charges of an intent"
    )


def declines(judge):
    api, (customer, _) = judge.api.payment_intents, judge.customer()
    for card, code, decline_code in (
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ):
        error = judge.refuses(stripe.CardError, api.create, params=payment_of(customer, card), code=code, http_status=402)
        equal(error.error._data.get("decline_code"), decline_code, f"decline_code of {card}")
        failed = error.error.payment_intent
        equal((failed.status, failed.last_payment_error.code), ("requires_payment_method", code), "the declined intent")
        read = api.retrieve(failed.id, params={"expand": ["latest_charge"]})
        equal((read.latest_charge.status, read.latest_charge.failure_code), ("failed", code), "its charge")
        equal(read.latest_charge.id, error.error.charge, "the charge of the error")
    attaches = judge.api.payment_methods.attach("pm_card_chargeCustomerFail", params={"customer": customer})
    judge.refuses(stripe.CardError, api.create, params=payment_of(customer, attaches.id), code="card_declined")


def authentications(judge):
    api = judge.api.payment_intents
    customer, method = judge.customer("pm_card_authenticationRequired")
    error = judge.refuses(
        stripe.CardError, api.create, params=payment_of(customer, method), code="authentication_required", http_status=402
    )
    failed = error.error.payment_intent
    equal(failed.status, "requires_payment_method", "the status of a payment without the customer")
    equal(failed.last_payment_error.payment_method.id, method, "the method of its error")
    present = {
        "amount": 900,
        "currency": "usd",
        "customer": customer,
        "payment_method": method,
        "confirm": True,
        "return_url": RETURN,
    }
    for succeeds, status in ((True, "succeeded"), (False, "requires_payment_method")):
        waiting = api.create(params={**present, "payment_method_types": ["card"]})
        equal((waiting.status, waiting.next_action.type), ("requires_action", "redirect_to_url"), "a payment that waits")
        code, target, _ = judge.page(waiting.next_action.redirect_to_url.url, authentication="complete" if succeeds else "fail")
        equal((code, (target or "").startswith("http://127.0.0.1/back")), (303, True), "the bank's page")
        equal(api.retrieve(waiting.id).status, status, "the status after the bank's page")
    # A card that was set up may be charged later.
    intent = judge.api.setup_intents.create(
        params={
            "customer": customer,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
            "return_url": RETURN,
        }
    )
    judge.control("POST", "authenticate", {"setup_intent": intent.id, "succeeds": True})
    equal(
        api.create(params=payment_of(customer, intent.payment_method)).status, "succeeded", "a payment of a card that was set up"
    )


def refunds(judge):
    api, (customer, method) = judge.api.refunds, judge.customer("pm_card_visa")
    paid = judge.api.payment_intents.create(params=payment_of(customer, method, 2_000))
    part = api.create(
        params={"payment_intent": paid.id, "amount": 500, "reason": "requested_by_customer", "metadata": {"a": "b"}}
    )
    equal(
        (part.amount, part.status, part.reason, part.payment_intent),
        (500, "succeeded", "requested_by_customer", paid.id),
        "a refund",
    )
    charge = judge.api.charges.retrieve(paid.latest_charge, params={"expand": ["refunds"]})
    equal(
        (charge.amount_refunded, charge.refunded, charge.refunds.data[0].id),
        (500, False, part.id),
        "a charge that is refunded in part",
    )
    error = judge.refuses(
        stripe.InvalidRequestError, api.create, params={"payment_intent": paid.id, "amount": 1_501}, param="amount"
    )
    equal(error.http_status, 400, "status")
    rest = api.create(params={"charge": paid.latest_charge})
    equal((rest.amount, judge.api.charges.retrieve(paid.latest_charge).refunded), (1_500, True), "the rest")
    judge.refuses(stripe.InvalidRequestError, api.create, params={"charge": paid.latest_charge}, code="charge_already_refunded")
    equal(api.update(part.id, params={"metadata": {"a": "c"}}).metadata["a"], "c", "updated metadata")
    equal(
        [each.id for each in judge.pages(api.list(params={"payment_intent": paid.id, "limit": 1}))], [rest.id, part.id], "refunds"
    )
    judge.control("POST", f"refunds/{rest.id}", {"status": "failed"})
    failed = api.retrieve(rest.id, params={"expand": ["charge", "payment_intent"]})
    equal((failed.status, failed.charge.amount_refunded, failed.charge.refunded), ("failed", 500, False), "a failed refund")
    holds(failed.failure_reason and failed.failure_balance_transaction, "a failed refund has a reason")


def disputes(judge):
    api, (customer, method) = judge.api.disputes, judge.customer("pm_card_visa")
    for opened, closed, back in (
        ("needs_response", "won", 2),
        ("needs_response", "lost", 1),
        ("warning_needs_response", "warning_closed", 0),
    ):
        paid = judge.api.payment_intents.create(params=payment_of(customer, method, 2_000))
        made = judge.control("POST", "disputes", {"payment_intent": paid.id, "amount": 1_500, "status": opened})
        dispute = api.retrieve(made["id"], params={"expand": ["charge", "payment_intent"]})
        equal((dispute.status, dispute.amount, dispute.reason), (opened, 1_500, "fraudulent"), "a dispute")
        equal((dispute.charge.disputed, dispute.payment_intent.id), (True, paid.id), "the charge of a dispute")
        sent = api.update(dispute.id, params={"evidence": {"customer_name": "Ada"}, "submit": True, "metadata": {"a": "b"}})
        holds(sent.status.endswith("under_review"), f"the status of a dispute with evidence is {sent.status}")
        judge.control("POST", f"disputes/{dispute.id}", {"status": closed})
        ended = judge.pages(api.list(params={"payment_intent": paid.id}))
        equal([(each.id, each.status) for each in ended], [(dispute.id, closed)], "disputes of a payment")
        equal(len(ended[0].balance_transactions), back, f"balance transactions of a dispute that is {closed}")
    # A test card that is disputed at once.
    paid = judge.api.payment_intents.create(params=payment_of(customer, "pm_card_createDispute", expand=["latest_charge"]))
    equal(len(api.list(params={"charge": paid.latest_charge.id}).data), 1, "disputes of the card that is disputed")
    equal(api.close(api.list(params={"charge": paid.latest_charge.id}).data[0].id).status, "lost", "a dispute that was accepted")


def checkout_payment(judge):
    api, (customer, _) = judge.api.checkout.sessions, judge.customer()
    line = {"price_data": {"currency": "usd", "unit_amount": 2_000, "product_data": {"name": "Credit"}}, "quantity": 1}
    params = {
        "mode": "payment",
        "customer": customer,
        "line_items": [line],
        "payment_intent_data": {"metadata": {"purpose": "top-up"}, "description": "Top-up"},
        "metadata": {"workspace": "1"},
        "client_reference_id": "1",
        "customer_update": {"address": "auto", "name": "auto"},
        "success_url": RETURN,
        "cancel_url": "http://127.0.0.1/canceled",
    }
    opened = api.create(params=params)
    equal(
        (opened.status, opened.payment_status, opened.mode, opened.payment_intent),
        ("open", "unpaid", "payment", None),
        "a session",
    )
    equal((opened.amount_total, opened.currency, opened.expires_at), (2_000, "usd", opened.created + DAY), "a session")
    equal(api.update(opened.id, params={"metadata": {"workspace": "2"}}).metadata["workspace"], "2", "updated metadata")
    lines = judge.pages(api.line_items.list(opened.id))
    equal([(each.description, each.quantity, each.amount_total) for each in lines], [("Credit", 1, 2_000)], "its lines")
    status, _, page = judge.page(opened.url)
    equal((status, "$20.00" in page, "Credit" in page), (200, True, True), "the page")
    who = {"email": "ada@example.com", "name": "Ada", "country": "DE"}
    equal(judge.page(opened.url, action="cancel")[:2], (303, "http://127.0.0.1/canceled"), "the cancel button")
    status, _, page = judge.page(opened.url, action="pay", card="4000000000000002", **who)
    equal((status, 'role="alert"' in page), (200, True), "a declined card on the page")
    equal(api.retrieve(opened.id).status, "open", "the session after a decline")
    target = RETURN.replace("{CHECKOUT_SESSION_ID}", opened.id)
    equal(judge.page(opened.url, action="pay", card="4242424242424242", **who)[:2], (303, target), "a payment on the page")
    done = api.retrieve(opened.id, params={"expand": ["payment_intent.latest_charge", "customer", "line_items"]})
    equal((done.status, done.payment_status, done.url), ("complete", "paid", None), "a paid session")
    equal((done.payment_intent.status, done.payment_intent.latest_charge.paid), ("succeeded", True), "its payment")
    equal((done.payment_intent.metadata["purpose"], done.payment_intent.amount), ("top-up", 2_000), "its payment")
    equal((done.customer.name, done.customer.address.country, done.customer_details.name), ("Ada", "DE", "Ada"), "its customer")
    equal(done.line_items.data[0].amount_total, 2_000, "its lines")
    judge.refuses(stripe.InvalidRequestError, api.expire, opened.id, http_status=400)
    equal(
        [each.id for each in judge.pages(api.list(params={"payment_intent": done.payment_intent.id}))], [opened.id], "its intent"
    )
    # A card that authenticates on the page.
    second = api.create(params=params)
    form = {"action": "pay", "card": "4000002760003184", **who}
    status, _, page = judge.page(second.url, **form)
    equal((status, "Authenticate" in page), (200, True), "the step of the bank")
    equal(judge.page(second.url, authentication="complete", **form)[0], 303, "the step of the bank")
    equal(api.retrieve(second.id).payment_status, "paid", "a payment that was authenticated")
    # Bank debits take days.
    for succeeds, expected in ((True, "paid"), (False, "unpaid")):
        delayed = api.create(params=params)
        equal(judge.page(delayed.url, action="pay", card="bank_debit", **who)[0], 303, "a bank debit")
        waiting = api.retrieve(delayed.id, params={"expand": ["payment_intent"]})
        equal((waiting.status, waiting.payment_status), ("complete", "unpaid"), "a session with a bank debit")
        equal(waiting.payment_intent.status, "processing", "a bank debit")
        judge.control("POST", "settle", {"payment_intent": waiting.payment_intent.id, "succeeds": succeeds})
        equal(api.retrieve(delayed.id).payment_status, expected, "a settled bank debit")
    expired = api.expire(api.create(params=params).id)
    equal((expired.status, expired.url), ("expired", None), "an expired session")
    invalid = stripe.InvalidRequestError
    judge.refuses(invalid, api.create, params={**params, "mode": "setup"}, http_status=400)
    judge.refuses(invalid, api.create, params={**params, "success_url": "nowhere"}, code="url_invalid", param="success_url")
    judge.refuses(invalid, api.create, params={**params, "customer": "cus_0"}, code="resource_missing", param="customer")


def checkout_setup(judge):
    api, (customer, _) = judge.api.checkout.sessions, judge.customer()
    params = {
        "mode": "setup",
        "customer": customer,
        "currency": "usd",
        "payment_method_types": ["card"],
        "setup_intent_data": {"metadata": {"purpose": "save-method"}},
        "success_url": RETURN,
    }
    opened = api.create(params=params)
    equal((opened.payment_status, opened.amount_total), ("no_payment_required", None), "a session")
    who = {"action": "pay", "email": "ada@example.com", "name": "Ada", "country": "DE"}
    equal(judge.page(opened.url, card="4242424242424242", **who)[0], 303, "the page")
    done = api.retrieve(opened.id, params={"expand": ["setup_intent.payment_method"]})
    equal(
        (done.status, done.setup_intent.status, done.setup_intent.metadata["purpose"]),
        ("complete", "succeeded", "save-method"),
        "a session",
    )
    method = done.setup_intent.payment_method
    equal((method.customer, method.card.last4, method.billing_details.name), (customer, "4242", "Ada"), "the saved card")
    equal(judge.api.payment_intents.create(params=payment_of(customer, method.id)).status, "succeeded", "a payment with it")
    declined = api.create(params=params)
    equal(judge.page(declined.url, card="4000000000000002", **who)[0], 200, "a declined card")
    equal(api.expire(declined.id).status, "expired", "the session")
    equal(judge.api.setup_intents.retrieve(declined.setup_intent).status, "canceled", "its setup intent")


def checkout_subscription(judge):
    api, (customer, _) = judge.api.checkout.sessions, judge.customer()
    params = {
        "mode": "subscription",
        "customer": customer,
        "line_items": [{"price": MONTHLY, "quantity": 3}],
        "subscription_data": {"metadata": {"workspace": "1"}},
        "billing_address_collection": "auto",
        "success_url": RETURN,
        "cancel_url": RETURN,
    }
    opened = api.create(params=params)
    equal((opened.amount_total, opened.subscription), (3 * MONTH, None), "a session")
    who = {"action": "pay", "email": "ada@example.com", "name": "Ada", "country": "DE"}
    equal(judge.page(opened.url, card="4000000000000002", **who)[0], 200, "a declined card")
    equal(judge.api.subscriptions.list(params={"customer": customer, "status": "all"}).data, [], "subscriptions after a decline")
    equal(judge.page(opened.url, card="4242424242424242", **who)[0], 303, "a payment")
    done = api.retrieve(opened.id, params={"expand": ["subscription.latest_invoice", "invoice"]})
    subscription = done.subscription
    equal(
        (done.payment_status, subscription.status, subscription.metadata["workspace"]), ("paid", "active", "1"), "a subscription"
    )
    item = subscription.items.data[0]
    equal((item.quantity, item.price.id, item.price.recurring.interval), (3, MONTHLY, "month"), "its item")
    equal((subscription.latest_invoice.id, subscription.latest_invoice.amount_paid), (done.invoice.id, 3 * MONTH), "its invoice")
    equal([each.id for each in judge.pages(api.list(params={"subscription": subscription.id}))], [opened.id], "sessions")
