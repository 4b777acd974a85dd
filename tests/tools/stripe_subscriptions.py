"""Scenarios of prices, subscriptions and invoices, which stripe-sdk runs in this order. They move the platform's clock."""

import stripe

from stripe_judge import DAY, MONTH, MONTHLY, YEAR, YEARLY, equal, holds


def prices(judge):
    product = judge.api.products.create(params={"name": "Seats", "description": "A seat", "metadata": {"a": "b"}})
    equal(judge.api.products.retrieve(product.id).name, "Seats", "a product")
    recurring = {"interval": "month", "interval_count": 3}
    made = judge.api.prices.create(
        params={"product": product.id, "currency": "usd", "unit_amount": 999, "recurring": recurring, "lookup_key": product.id}
    )
    equal((made.type, made.unit_amount, made.recurring.interval_count, made.active), ("recurring", 999, 3, True), "a price")
    once = judge.api.prices.create(params={"product": product.id, "currency": "usd", "unit_amount": 5})
    equal((once.type, once.recurring), ("one_time", None), "a price without an interval")
    found = judge.api.prices.list(params={"lookup_keys": [product.id], "expand": ["data.product"]})
    equal([(each.id, each.product.name) for each in found.data], [(made.id, "Seats")], "the price of a lookup key")
    equal(
        {each.id for each in judge.pages(judge.api.prices.list(params={"product": product.id, "limit": 1}))},
        {made.id, once.id},
        "prices",
    )
    equal(judge.api.prices.update(made.id, params={"active": False, "nickname": "old"}).active, False, "an inactive price")
    keys = judge.api.prices.list(params={"lookup_keys": ["pro_monthly", "pro_yearly"], "active": True})
    equal({(each.id, each.unit_amount) for each in keys.data}, {(MONTHLY, MONTH), (YEARLY, YEAR)}, "the platform's prices")
    holds(
        product.id in [each.id for each in judge.pages(judge.api.products.list(params={"active": True}))],
        "the product is not listed",
    )
    judge.refuses(stripe.InvalidRequestError, judge.api.prices.retrieve, "price_0", code="resource_missing", http_status=404)


def subscriptions(judge):
    api, (customer, _) = judge.api.subscriptions, judge.customer("pm_card_visa")
    made = api.create(
        params={
            "customer": customer,
            "items": [{"price": MONTHLY, "quantity": 2}],
            "metadata": {"workspace": "1"},
            "expand": ["latest_invoice.payments", "default_payment_method"],
        }
    )
    item = made.items.data[0]
    equal((made.status, item.quantity, made.latest_invoice.status), ("active", 2, "paid"), "a subscription")
    equal(
        (made.latest_invoice.billing_reason, made.latest_invoice.amount_paid), ("subscription_create", 2 * MONTH), "its invoice"
    )
    payment = made.latest_invoice.payments.data[0]
    equal((payment.status, payment.amount_paid, payment.payment.type), ("paid", 2 * MONTH, "payment_intent"), "its payment")
    equal(item.current_period_start, made.start_date, "the start of its period")
    holds(28 * DAY <= item.current_period_end - item.current_period_start <= 31 * DAY, "a period is a month")
    # More seats, at once: the preview says what it costs.
    judge.advance(10 * DAY)
    at = item.current_period_start + 10 * DAY
    seats = {"items": [{"id": item.id, "quantity": 4}], "proration_behavior": "always_invoice", "proration_date": at}
    preview = judge.api.invoices.create_preview(params={"subscription": made.id, "subscription_details": seats})
    more = api.update(made.id, params={**seats, "payment_behavior": "error_if_incomplete", "expand": ["latest_invoice"]})
    equal((more.items.data[0].quantity, more.latest_invoice.billing_reason), (4, "subscription_update"), "more seats")
    equal((more.latest_invoice.amount_paid, more.latest_invoice.total), (preview.amount_due, preview.amount_due), "their price")
    left = item.current_period_end - at
    expected = round(2 * MONTH * left / (item.current_period_end - item.current_period_start))
    holds(abs(preview.amount_due - expected) <= 1, f"two seats for {left} s cost {preview.amount_due}, expected {expected}")
    equal([line.parent.subscription_item_details.proration for line in preview.lines.data], [True, True], "lines of the preview")
    # Fewer seats, from the next period on.
    fewer = api.update(made.id, params={"items": [{"id": item.id, "quantity": 1}], "proration_behavior": "none"})
    equal((fewer.items.data[0].quantity, fewer.latest_invoice), (1, more.latest_invoice.id), "fewer seats")
    equal(
        judge.api.invoices.create_preview(params={"customer": customer, "subscription": made.id}).amount_due,
        MONTH,
        "the next invoice",
    )
    # A declined card changes nothing.
    bad = judge.api.payment_methods.attach("pm_card_chargeCustomerFail", params={"customer": customer}).id
    good = judge.api.customers.retrieve(customer).invoice_settings.default_payment_method
    judge.set_default(customer, bad)
    five = {
        "items": [{"id": item.id, "quantity": 5}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "error_if_incomplete",
    }
    error = judge.refuses(stripe.CardError, api.update, made.id, params=five, http_status=402)
    equal((error.code, api.retrieve(made.id).items.data[0].quantity), ("card_declined", 1), "seats after a decline")
    judge.set_default(customer, good)
    # The end of the period, and back.
    ending = api.update(made.id, params={"cancel_at_period_end": True})
    equal((ending.cancel_at_period_end, ending.cancel_at, ending.status), (True, item.current_period_end, "active"), "an end")
    resumed = api.update(made.id, params={"cancel_at_period_end": False})
    equal((resumed.cancel_at_period_end, resumed.cancel_at, resumed.canceled_at), (False, None, None), "no end")
    equal([each.id for each in judge.pages(api.list(params={"customer": customer, "limit": 1}))], [made.id], "subscriptions")
    canceled = api.cancel(made.id, params={"invoice_now": False, "prorate": False})
    equal((canceled.status, canceled.cancellation_details.reason), ("canceled", "cancellation_requested"), "an end at once")
    equal(api.list(params={"customer": customer}).data, [], "subscriptions that are not canceled")
    equal(
        len(api.list(params={"customer": customer, "status": "all", "expand": ["data.latest_invoice"]}).data),
        1,
        "all subscriptions",
    )
    judge.refuses(stripe.InvalidRequestError, api.cancel, made.id, code="resource_missing", http_status=404)
    judge.refuses(stripe.InvalidRequestError, api.retrieve, "sub_0", code="resource_missing", http_status=404)


def incomplete_subscriptions(judge):
    api, (customer, _) = judge.api.subscriptions, judge.customer()
    params = {"customer": customer, "items": [{"price": YEARLY}], "payment_behavior": "default_incomplete"}
    made = api.create(
        params={**params, "expand": ["latest_invoice.confirmation_secret", "latest_invoice.payments.data.payment.payment_intent"]}
    )
    invoice = made.latest_invoice
    equal((made.status, invoice.status, invoice.amount_due), ("incomplete", "open", YEAR), "a subscription that waits")
    intent = invoice.payments.data[0].payment.payment_intent
    equal(invoice.confirmation_secret.client_secret, intent.client_secret, "the secret of its payment")
    judge.api.payment_intents.confirm(intent.id, params={"payment_method": "pm_card_visa"})
    paid = api.retrieve(made.id, params={"expand": ["latest_invoice"]})
    equal((paid.status, paid.latest_invoice.status), ("active", "paid"), "a subscription that was paid")
    # Without a card, or with one that declines.
    other, _ = judge.customer()
    judge.refuses(
        stripe.InvalidRequestError, api.create, params={"customer": other, "items": [{"price": YEARLY}]}, http_status=400
    )
    bad, _ = judge.customer("pm_card_chargeCustomerFail")
    declined = {"customer": bad, "items": [{"price": YEARLY}]}
    judge.refuses(stripe.CardError, api.create, params={**declined, "payment_behavior": "error_if_incomplete"}, http_status=402)
    waiting = api.create(params={**declined, "payment_behavior": "allow_incomplete"})
    equal(waiting.status, "incomplete", "a subscription whose payment failed")
    judge.advance(DAY)
    equal(api.retrieve(waiting.id).status, "incomplete_expired", "the same a day later")


def renewals(judge):
    api, (customer, good) = judge.api.subscriptions, judge.customer("pm_card_visa")
    made = api.create(params={"customer": customer, "items": [{"price": MONTHLY}]})
    invoices = judge.api.invoices
    judge.advance(31 * DAY + 60)
    renewed = api.retrieve(made.id, params={"expand": ["latest_invoice"]})
    first, second = made.items.data[0], renewed.items.data[0]
    equal((renewed.status, second.current_period_start), ("active", first.current_period_end), "a renewed subscription")
    equal((renewed.latest_invoice.billing_reason, renewed.latest_invoice.status), ("subscription_cycle", "paid"), "its invoice")
    equal(
        (renewed.latest_invoice.period_start, renewed.latest_invoice.period_end),
        (made.start_date, first.current_period_end),
        "its period",
    )
    # A renewal that fails, and is paid in the end.
    bad = judge.api.payment_methods.attach("pm_card_chargeCustomerFail", params={"customer": customer}).id
    judge.set_default(customer, bad)
    judge.advance(31 * DAY)
    late = api.retrieve(made.id, params={"expand": ["latest_invoice"]})
    invoice = late.latest_invoice
    equal(
        (late.status, invoice.status, invoice.attempt_count, invoice.attempted), ("past_due", "open", 1, True), "a failed renewal"
    )
    holds(invoice.next_payment_attempt > invoice.created, "another attempt is planned")
    judge.refuses(stripe.CardError, invoices.pay, invoice.id, http_status=402, code="card_declined")
    equal(invoices.pay(invoice.id, params={"payment_method": good}).status, "paid", "the invoice with another card")
    equal(api.retrieve(made.id).status, "active", "the subscription after it")
    judge.refuses(stripe.InvalidRequestError, invoices.pay, invoice.id, http_status=400)
    # One that is never paid.
    judge.advance(31 * DAY)
    equal(api.retrieve(made.id).status, "past_due", "a failed renewal")
    judge.advance(20 * DAY)
    ended = api.retrieve(made.id)
    equal((ended.status, ended.cancellation_details.reason), ("canceled", "payment_failed"), "the end of a subscription")
    holds(ended.ended_at, "a subscription that ended has a time of it")
    # One that ends with its period.
    judge.set_default(customer, good)
    ending = api.create(params={"customer": customer, "items": [{"price": MONTHLY}]})
    api.update(ending.id, params={"cancel_at_period_end": True})
    judge.advance(32 * DAY)
    over = api.retrieve(ending.id)
    equal((over.status, over.ended_at), ("canceled", ending.items.data[0].current_period_end), "a subscription after its period")


def invoices(judge):
    api, (customer, _) = judge.api.invoices, judge.customer("pm_card_visa")
    params = {"customer": customer, "items": [{"price": MONTHLY}]}
    made = judge.api.subscriptions.create(params=params)
    item = made.items.data[0].id
    for quantity in range(2, 14):
        judge.api.subscriptions.update(
            made.id, params={"items": [{"id": item, "quantity": quantity}], "proration_behavior": "create_prorations"}
        )
    preview = api.create_preview(params={"subscription": made.id})
    equal((len(preview.lines.data), preview.lines.has_more), (10, True), "lines of the preview")
    lines = judge.pages(api.line_items.list(preview.id))
    equal(
        (len(lines), sum(line.amount for line in lines)), (preview.lines.total_count, preview.total), "all lines of the preview"
    )
    judge.advance(32 * DAY)
    cycle = judge.api.subscriptions.retrieve(
        made.id, params={"expand": ["latest_invoice.payments.data.payment.payment_intent"]}
    ).latest_invoice
    equal(
        (cycle.status, cycle.amount_remaining, cycle.amount_paid, cycle.total),
        ("paid", 0, preview.total, preview.total),
        "the invoice",
    )
    payment = cycle.payments.data[0]
    equal(payment.payment.payment_intent.amount, cycle.total, "its payment")
    payments = judge.api.invoice_payments.list(params={"invoice": cycle.id, "status": "paid"})
    equal([(each.id, each.invoice) for each in judge.pages(payments)], [(payment.id, cycle.id)], "payments of the invoice")
    judge.refuses(stripe.InvalidRequestError, api.finalize_invoice, cycle.id, http_status=400)
    lines = judge.pages(api.line_items.list(cycle.id, params={"limit": 4}))
    equal(sum(line.amount for line in lines), cycle.subtotal, "the sum of its lines")
    for url in (cycle.hosted_invoice_url, cycle.invoice_pdf):
        equal(judge.page(url)[0], 200, f"the page {url}")
    holds(cycle.number and cycle.status_transitions.paid_at, "a paid invoice has a number and the time of its payment")
    listed = judge.pages(api.list(params={"customer": customer, "limit": 1}))
    equal([each.billing_reason for each in listed], ["subscription_cycle", "subscription_create"], "invoices of the customer")
    equal(listed[0].parent.subscription_details.subscription, made.id, "the subscription of an invoice")
    equal(len(api.list(params={"subscription": made.id, "status": "paid"}).data), 2, "paid invoices")
    equal(api.list(params={"subscription": made.id, "status": "open"}).data, [], "open invoices")
    equal(api.retrieve(cycle.id).id, cycle.id, "an invoice")
    new = api.create_preview(params={"customer": customer, "subscription_details": {"items": [{"price": YEARLY, "quantity": 2}]}})
    equal((new.amount_due, new.subtotal), (2 * YEAR, 2 * YEAR), "the preview of a new subscription")
    incomplete = judge.api.subscriptions.create(
        params={**params, "payment_behavior": "default_incomplete", "expand": ["latest_invoice"]}
    )
    equal(api.void_invoice(incomplete.latest_invoice.id).status, "void", "a void invoice")
    judge.refuses(stripe.InvalidRequestError, api.retrieve, "in_0", code="resource_missing", http_status=404)
    nobody, _ = judge.customer()
    judge.refuses(
        stripe.InvalidRequestError, api.create_preview, params={"customer": nobody}, http_status=404, code="invoice_upcoming_none"
    )
