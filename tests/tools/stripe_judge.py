"""Stripe's SDK as the judge of the local platform's stand-in for Stripe: checks each answer and each error that the SDK reads."""

import contextlib
import functools
import http.server
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request

import stripe

import stripe_types

# The platform's key at the stand-in.
KEY = "sk_test_local"
# Only a hang is to end here.
SECONDS = 60
DAY = 24 * 60 * 60
# Where pages send the customer.
RETURN = "http://127.0.0.1/back?session={CHECKOUT_SESSION_ID}"
# The prices of the plan Pro, and cents a seat.
MONTHLY, MONTH = "price_pro_monthly", 2_900
YEARLY, YEAR = "price_pro_yearly", 29_000
# Types of errors, by the class that the SDK makes of them.
STATUSES = {
    stripe.AuthenticationError: {401},
    stripe.CardError: {402},
    stripe.IdempotencyError: {400, 409},
    stripe.InvalidRequestError: {400, 404},
    stripe.RateLimitError: {429},
    stripe.APIError: {409, 500, 502, 503},
}


class Failed(Exception):
    """The stand-in differs from what the SDK or its documentation says."""


def equal(actual, expected, what):
    if actual != expected:
        raise Failed(f"{what}: {actual!r}, expected {expected!r}")


def holds(condition, what):
    if not condition:
        raise Failed(what)


def payment_of(customer, method, amount=2_000, **more):
    """Parameters of a payment that needs nobody."""
    fixed = {"currency": "usd", "confirm": True, "off_session": True, "error_on_requires_action": True}
    return {"amount": amount, "customer": customer, "payment_method": method, **fixed, **more}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Judge:
    """A client of the stand-in of a platform. `api` has the SDK's services; each call is checked."""

    def __init__(self, platform):
        self.platform = platform
        self.base = f"{platform}/_local/stripe"
        self.calls, self.errors, self.objects = 0, 0, 0
        self.events, self.event_types = set(), set()
        self.api = self.client()
        self.last = "nothing"

    def client(self, key=KEY, retries=0):
        client = stripe.StripeClient(key, base_addresses={"api": self.base}, max_network_retries=retries)
        return Checked(self, client.v1, "v1")

    def call(self, function, label, *arguments, **named):
        """Calls the SDK and checks what it returns or raises."""
        self.last = f"{label}({', '.join([*map(repr, arguments), *(f'{name}={value!r}' for name, value in named.items())])})"
        self.calls += 1
        try:
            answer = function(*arguments, **named)
        except stripe.StripeError as error:
            self.check_error(error)
            raise
        self.check(answer)
        holds(re.fullmatch(r"req_\w+", answer.last_response.request_id or ""), "the answer has no Request-Id")
        return answer

    def check(self, answer):
        """Checks an object that the SDK made, for example one of a page or of an event."""
        self.objects += stripe_types.check(answer, type(answer).__name__)

    def check_error(self, error):
        self.errors += 1
        expected = STATUSES.get(type(error))
        if expected is None or error.http_status not in expected:
            raise Failed(f"{type(error).__name__} with status {error.http_status}: {error}") from error
        holds(error.user_message, "the error has no message")
        holds(re.fullmatch(r"req_\w+", error.request_id or ""), "the error has no Request-Id")
        self.objects += stripe_types.check_object(error.error, "error")

    def refuses(self, kind, function, *arguments, **expected):
        """Calls the SDK, which must raise this error with these attributes."""
        options = {name: expected.pop(name) for name in ("params", "options") if name in expected}
        try:
            function(*arguments, **options)
        except stripe.StripeError as error:
            holds(type(error) is kind, f"{type(error).__name__}, expected {kind.__name__}: {error}")
            for name, value in expected.items():
                actual = getattr(error, name) if name in ("code", "param", "http_status") else error.error._data.get(name)
                equal(actual, value, f"{name} of the error")
            return error
        raise Failed(f"no {kind.__name__}")

    def pages(self, answer):
        """All elements of a list, over all its pages, each checked."""
        elements = []
        for element in answer.auto_paging_iter():
            self.check(element)
            elements.append(element)
        return elements

    def customer(self, card=None):
        """Makes a customer, with a test card as the default payment method: the ids of both."""
        customer = self.api.customers.create(params={"name": "Ada", "email": "ada@example.com"}).id
        if card is None:
            return customer, None
        method = self.api.payment_methods.attach(card, params={"customer": customer}).id
        self.set_default(customer, method)
        return customer, method

    def set_default(self, customer, method):
        """Sets the payment method that is charged for subscriptions."""
        self.api.customers.update(customer, params={"invoice_settings": {"default_payment_method": method}})

    def last_event(self):
        return self.api.events.list(params={"limit": 1}).data[0].id

    def types_since(self, event):
        """The types of all events after one, oldest first."""
        return [each["type"] for each in self.control("GET", f"events?after={event}")]

    def check_events(self):
        """Checks the events since the last time, with their objects."""
        for values in self.control("GET", "events"):
            if values["id"] not in self.events:
                event = stripe.Event.construct_from(values, KEY)
                self.last = f"the event {event.type} about {event.data.object.id}"
                self.check(event)
                self.check(event.data.object)
                self.events.add(event.id)
                self.event_types.add(event.type)

    def advance(self, seconds):
        """Moves the platform's clock. Events are kept for 30 days."""
        self.check_events()
        self.send("POST", f"{self.platform}/_local/clock", {"advanceSeconds": seconds})

    def control(self, method, path, body=None):
        """Uses a control of the stand-in."""
        return self.send(method, f"{self.base}/_test/{path}", body)

    def send(self, method, url, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        self.last = f"{method} {url} {body}"
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.loads(answer.read() or b"null")

    def page(self, url, **form):
        """Gets a page, or sends its form. Returns the status, the redirect's target and the page."""
        data = urllib.parse.urlencode(form).encode() if form else None
        self.last = f"{'POST' if form else 'GET'} {url} {form}"
        try:
            answer = urllib.request.build_opener(NoRedirect).open(url, data, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers.get("Location"), answer.read().decode("utf-8", "replace")

    @contextlib.contextmanager
    def listener(self):
        """A webhook endpoint of the test: its URL, and the requests that it gets."""
        received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/webhooks", received
            finally:
                server.shutdown()
                thread.join()


class Checked:
    """A service of the SDK whose calls are checked."""

    def __init__(self, judge, service, label):
        self._judge, self._service, self._label = judge, service, label

    def __getattr__(self, name):
        member, label = getattr(self._service, name), f"{self._label}.{name}"
        if callable(member):
            return functools.partial(self._judge.call, member, label)
        return Checked(self._judge, member, label)
