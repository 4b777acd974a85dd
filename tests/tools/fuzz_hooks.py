"""Facts that the document does not contain: existing data, and rules that span several values.

Only valid requests are changed; invalid ones are sent as generated. Without this, nearly all valid requests would end with
"not found", and leave the other responses untested.
"""

import base64
import functools
import http.client
import json
import os
import re
import time
import unicodedata
import urllib.parse
import urllib.request
from collections import Counter

import requests.auth
import schemathesis
from schemathesis import GenerationMode

BASE = os.environ["FUZZ_URL"]
HANDLE = os.environ["FUZZ_HANDLE"]
PASSWORD = "a plain lamp above the desk"
# A key may call a hundred times a minute, and guesses are delayed: the clock moves after this number of requests. Network
# limits end after an hour, and sessions end earlier: only the run without a session moves the clock that far.
CALLS_A_MINUTE = int(os.environ.get("FUZZ_CALLS_A_MINUTE", "0"))
SECONDS = 3_601 if os.environ["FUZZ_RUN"] == "nobody" else 61

# The runs of a user with resources.
OWNERS = ("session", "cookie", "key")
# A PNG of one red pixel.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
# The number of models that a run creates and reuses.
MODELS = 20
models = []

counts = Counter()
state = {"calls": 0, "people": 0}


class Network(urllib.request.HTTPHandler):
    """Each new user calls from a separate network, because networks have limits."""

    def http_open(self, request):
        people = state["people"]
        source = (f"127.9.{people // 250 % 250}.{people % 250 + 1}", 0)
        return self.do_open(functools.partial(http.client.HTTPConnection, source_address=source), request)


def ask(method, path, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    with urllib.request.build_opener(Network).open(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def advance(seconds):
    ask("POST", "/_local/clock", {"advanceSeconds": seconds})


def newcomer():
    """The body that verifies a pending sign-up."""
    state["people"] += 1
    email = f"{os.environ['FUZZ_RUN']}-{state['people']}@fuzz.example"
    region = ["us", "eu", "ap"][state["people"] % 3]
    begun = ask("POST", "/api/auth/sign-up", {"email": email, "password": PASSWORD, "region": region})
    mail = mailed(email, "sign-up-code")
    code = "".join(filter(str.isdigit, mail["subject"] + mail["text"].splitlines()[0]))
    return {"email": email, "code": code, "signUpToken": begun["signUpToken"]}


def mailed(email, kind):
    """The newest mail of a kind to an address."""
    for _ in range(500):
        for mail in ask("GET", f"/_local/mail?to={email}"):
            if mail["kind"] == kind:
                return mail
        time.sleep(0.02)
    raise RuntimeError(f"no {kind} came for {email}")


def verified():
    return ask("POST", "/api/auth/verify", newcomer())


def reset_token():
    """A reset token, mailed to a new user."""
    form = newcomer()
    ask("POST", "/api/auth/verify", form)
    ask("POST", "/api/auth/password/forgot", {"email": form["email"]})
    words = mailed(form["email"], "password-reset")["text"].split()
    return next(word for word in words if word.startswith("pr_"))


def sign_in():
    return ask("POST", "/api/auth/sign-in", {"email": os.environ["FUZZ_EMAIL"], "password": PASSWORD})


class Bearer(requests.auth.AuthBase):
    """A session for one request."""

    def __init__(self, tokens):
        self.token = tokens["accessToken"]

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def every(name, nth):
    """Whether this is the nth, 2nth, … request of that name: the others keep their generated values."""
    state[name] = state.get(name, 0) + 1
    return state[name] % nth == 0


def written(text):
    """A text without characters that the generator counts as \\p{Zs}, or as assigned in Unicode, and without invisible marks."""
    text = re.sub("[\u034f\u17b4\u17b5]", "x", text)
    kinds = {character: unicodedata.category(character) for character in text}
    return "".join(" " if kinds[it] == "Cc" else "x" if kinds[it] == "Cn" else it for it in text).strip() or "x"


def consistent(case, name):
    """Rules that span several values, and rules that a pattern cannot express."""
    body, query = case.body, case.query
    if query:
        # Only a list can issue a cursor.
        query.pop("cursor", None)
        if name in ("resources-list-projects", "resources-list-datasets"):
            query.pop("projectId", None)
        if name == "trash-list" and int(query.get("page", 1)) > 5:
            # Pages end after a thousand items.
            query.pop("page")
        if name in ("activity-list", "billing-transactions"):
            # Each end of a range has two parameters, and accepts one of them.
            for end, alias in (("from", "start"), ("to", "end")):
                if end in query:
                    query.pop(alias, None)
            first, last = query.get("from", query.get("start")), query.get("to", query.get("end"))
            if first and last and str(first)[:10] >= str(last)[:10]:
                # A range that ends before it begins.
                query.pop("to", None)
                query.pop("end", None)
        if name == "billing-usage" and "from" in query:
            # A range has at most 366 days.
            query["to"] = query["from"]
    if not isinstance(body, dict):
        return
    for member in ("name", "displayName", "fullName", "company", "bio", "description", "filename", "text"):
        if isinstance(body.get(member), str) and body[member]:
            body[member] = written(body[member])
    for member in ("github", "linkedin", "twitter", "youtube", "scholar", "discord", "website"):
        if isinstance(body.get(member), str) and "%" in body[member]:
            # Encoded text must be UTF-8 without hidden characters.
            body.pop(member)
    if isinstance(body.get("website"), str) and len(body["website"]) > 60:
        # The 200 characters are counted in its stored form, which may be longer: a scheme is added, characters are encoded.
        body["website"] = "https://website.example/"
    if name == "auth-refresh":
        # With cookies, the token is a cookie, too.
        if (query or {}).get("session") == "cookie":
            body.pop("refreshToken", None)
        elif body.get("refreshToken") is None:
            body["refreshToken"] = sign_in()["refreshToken"]
    if name == "gdpr-request" and body.get("action") == "delete" and query:
        # Only an export has a format.
        query.pop("format", None)
    if name == "auth-sign-up":
        # The form of a password does not tell its strength.
        body["password"] = PASSWORD
    if name == "auth-step-up":
        # A wrong password counts as a guess, and guesses are delayed.
        body["password"] = PASSWORD
    if name in ("resources-create-projects", "resources-create-datasets"):
        # Only models have projects,
        body.pop("projectId", None)
    if name == "resources-create-models" and body.get("projectId"):
        # and only existing ones.
        body["projectId"] = thing("projects")
    if name == "upload-url":
        # An id contains its kind, and projects have no files.
        body["assetId"] = body["assetId"].replace("proj_", "dset_")
        body["assetType"] = "models" if body["assetId"].startswith("model_") else "datasets"
        # The plan limits the bytes, and one request is limited below the schema, which does not know the plan.
        body["totalBytes"] = body["totalBytes"] % 1_000 + 1
    if name.startswith("billing-"):
        billing(body, name)
    if name.startswith("activity-"):
        # Either all or specific ones.
        if body.get("all"):
            body.pop("eventIds", None)
        elif not body.get("eventIds"):
            body["all"] = True


def billing(body, name):
    """Rules about payments."""
    if name == "billing-auto-topup-update" and body.get("enabled"):
        # Only with consent, and the month has room for a payment. Absent amounts are $100 and $500.
        body["agreed"] = True
        amount = body.get("amountCents") or 10_000
        if (body.get("monthlyCapCents") or 50_000) < amount:
            body["monthlyCapCents"] = amount
    if name == "billing-subscribe":
        # A personal workspace has one seat.
        body.pop("seats", None)
    if name == "billing-info-update":
        # Stripe knows the types of tax ids and the form of each,
        if body.get("taxId"):
            body["taxId"] = {"type": "eu_vat", "value": "DE123456789"}
        # and a pattern cannot express which characters are visible.
        address = body.get("address")
        for member in ("line1", "line2", "city", "state", "postalCode"):
            if isinstance(address, dict) and isinstance(address.get(member), str) and address[member]:
                address[member] = written(address[member])


def existing(case, name):
    """Data that exists, in half of the requests."""
    body, query = case.body, case.query
    if query and "owner" in query and every("owner", 2):
        query["owner"] = HANDLE
    if name == "users-public-profile" and query and every(name, 2):
        query["username"] = HANDLE
    if not isinstance(body, dict):
        return
    if name == "users-follow" and every(name, 2):
        body["username"] = os.environ["FUZZ_OTHER"]
    if name == "auth-sign-in" and every(name, 2):
        body |= {"email": os.environ["FUZZ_EMAIL"], "password": PASSWORD}
    if name == "auth-verify" and every(name, 4):
        body |= newcomer()
        body.pop("password", None)
    if name == "auth-password-reset" and every(name, 4):
        body |= {"token": reset_token(), "password": PASSWORD}
    if name == "auth-refresh" and (case.query or {}).get("session") != "cookie" and every(name, 3):
        body["refreshToken"] = sign_in()["refreshToken"]


def owner():
    """A session of the owner, created again at intervals, because the clock moves."""
    if every("owner's session", 5) or "token" not in state:
        state["token"] = sign_in()["accessToken"]
    return state["token"]


def address():
    """The id of an address of the owner: the newest one that waits, or the first."""
    return ask("GET", "/api/settings/emails", None, owner())["emails"][-1]["id"]


def thing(kind):
    """The id of a resource of a kind. New, except for models, whose number the plan limits."""
    if kind == "models" and len(models) >= MODELS:
        return models[state["things"] % MODELS]
    state["things"] = state.get("things", 0) + 1
    form = {"slug": f"{os.environ['FUZZ_RUN']}-{state['things']}", "name": "Fuzz"}
    made = ask("POST", f"/api/{kind}", form, owner())["_id"]
    if kind == "models":
        models.append(made)
    return made


def type_of(thing):
    return {"proj": "project", "dset": "dataset"}.get(thing.split("_")[0], "model")


def card():
    """A payment method of the owner at the stand-in for Stripe."""
    form = urllib.parse.urlencode({"customer": os.environ["FUZZ_CUSTOMER"]}).encode()
    url = BASE + "/_local/stripe/v1/payment_methods/pm_card_visa/attach"
    request = urllib.request.Request(url, form, {"authorization": "Bearer sk_test_local"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())["id"]


def upload(sent):
    """An upload of a new dataset, with or without its file."""
    form = {
        "assetType": "datasets",
        "assetId": thing("datasets"),
        "filename": "a.zip",
        "contentType": "application/zip",
        "totalBytes": 5,
    }
    place = ask("POST", "/api/upload/signed-url", form, owner())
    if sent:
        request = urllib.request.Request(place["uploadUrl"], b"12345", place["headers"], method="PUT")
        urllib.request.urlopen(request).close()
    return place["sessionId"]


def with_things(case, name):
    """Projects, datasets and models that exist, are trashed, or have an incomplete upload."""
    if not every(name, 2):
        return
    if name.startswith(("resources-read-", "resources-update-", "resources-trash-")):
        case.path_parameters["id"] = thing(name.split("-")[2])
    if name == "resources-list-models" and case.query and "projectId" in case.query:
        case.query["projectId"] = thing("projects")
    if name == "payment-methods-remove":
        case.path_parameters["id"] = card()
    if name == "payment-methods-default" and isinstance(case.body, dict):
        case.body["paymentMethodId"] = card()
    if not isinstance(case.body, dict):
        return
    if name == "icon-upload" and "image" in case.body:
        # The document cannot say which bytes are a picture.
        case.body["image"] = PIXEL
    if name == "upload-url":
        case.body["assetId"] = thing(case.body["assetType"])
    if name == "upload-complete":
        case.body["sessionId"] = upload(sent=every("sent", 2))
    if name in ("trash-restore", "trash-purge") and "id" in case.body:
        kind = ["projects", "datasets"][state.get("things", 0) % 2]
        gone = thing(kind)
        ask("DELETE", f"/api/{kind}/{gone}", token=owner())
        case.body |= {"id": gone, "type": type_of(gone)}


def with_session(case, name):
    """Requests that end their session, or need resources created with it."""
    token = os.environ.get("FUZZ_TOKEN")
    if name == "api-keys-revoke" and token and case.query and every(name, 3):
        case.query["keyId"] = ask("POST", "/api/api-keys", {"name": "fuzz"}, token)["keyId"]
    if name == "api-keys-budget" and token and isinstance(case.body, dict) and every(name, 3):
        case.body["id"] = ask("POST", "/api/api-keys", {"name": "fuzz"}, token)["keyId"]
    if name.startswith("emails-") and "id" in (case.path_parameters or {}) and every(name, 2):
        case.path_parameters["id"] = address()
    if name == "sessions-revoke" and every(name, 2):
        case.path_parameters["id"] = "others"
    if name.startswith("activity-") and token and isinstance(case.body, dict) and case.body.get("eventIds"):
        events = ask("GET", "/api/activity?limit=3", token=token)["events"]
        if events and every(name, 2):
            case.body["eventIds"] = [event["_id"] for event in events]


def leaver():
    """A user whose account may be deleted: the same one until it is."""
    if "leaver" not in state:
        state["leaver"] = verified()
    return state["leaver"]


def job():
    """The job of an export of that user."""
    return ask("POST", "/api/gdpr", {"action": "export"}, leaver()["accessToken"])["jobId"]


@schemathesis.hook
def before_call(context, case, kwargs):
    state["calls"] += 1
    if CALLS_A_MINUTE and state["calls"] % CALLS_A_MINUTE == 0:
        advance(SECONDS)
    name = case.operation.definition.raw["operationId"]
    if os.environ["FUZZ_RUN"] == "sign-out":
        kwargs["auth"] = Bearer(sign_in())
    if os.environ["FUZZ_RUN"] == "leaver":
        kwargs["auth"] = Bearer(leaver())
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    consistent(case, name)
    existing(case, name)
    if os.environ["FUZZ_RUN"] in OWNERS:
        with_things(case, name)
    with_session(case, name)
    if os.environ["FUZZ_RUN"] == "leaver" and name == "gdpr-status" and case.query and every(name, 2):
        case.query["jobId"] = job()
    if os.environ["FUZZ_RUN"] == "newcomer" and name == "onboarding" and isinstance(case.body, dict):
        # A user is onboarded once.
        kwargs["auth"] = Bearer(verified())


@schemathesis.hook
def after_call(context, case, response):
    counts[(case.operation.label, response.status_code)] += 1
    if response.status_code == 202 and isinstance(case.body, dict) and case.body.get("action") == "delete":
        state.pop("leaver", None)
    with open(os.environ["FUZZ_COUNTS"], "w") as out:
        for (label, status), count in sorted(counts.items()):
            out.write(f"{label}\t{status}\t{count}\n")
