"""What schemathesis can't know from the document: which data exists, and which rules span several values.

Only requests that are meant to be accepted are touched; broken ones go out as they were made. Without this, nearly all
of them would end at "no such workspace" and say nothing about the answers behind it.
"""

import json
import os
import time
import unicodedata
import urllib.request
from collections import Counter

import requests.auth
import schemathesis
from schemathesis import GenerationMode

BASE = os.environ["FUZZ_URL"]
HANDLE = os.environ["FUZZ_HANDLE"]
PASSWORD = "a plain lamp above the desk"
# A key may call a hundred times a minute, and guessing is slowed down: the clock moves on after so many requests.
CALLS_A_MINUTE = int(os.environ.get("FUZZ_CALLS_A_MINUTE", "0"))

# The runs as somebody who has things.
OWNERS = ("session", "cookie", "key")
# So many models are made in a run, and used again and again.
MODELS = 20
models = []

counts = Counter()
state = {"calls": 0, "people": 0}


def ask(method, path, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def advance(seconds):
    ask("POST", "/_local/clock", {"advanceSeconds": seconds})


def newcomer():
    """Somebody whose sign-up awaits its code: the address and the code."""
    state["people"] += 1
    email = f"{os.environ['FUZZ_RUN']}-{state['people']}@fuzz.example"
    region = ["us", "eu", "ap"][state["people"] % 3]
    ask("POST", "/api/auth/sign-up", {"email": email, "password": PASSWORD, "region": region})
    mail = mailed(email, "sign-up-code")
    return email, "".join(filter(str.isdigit, mail["subject"] + mail["text"].splitlines()[0]))


def mailed(email, kind):
    """The newest mail of a kind to an address."""
    for _ in range(500):
        for mail in ask("GET", f"/_local/mail?to={email}"):
            if mail["kind"] == kind:
                return mail
        time.sleep(0.02)
    raise RuntimeError(f"no {kind} came for {email}")


def verified():
    email, code = newcomer()
    return ask("POST", "/api/auth/verify", {"email": email, "code": code})


def reset_token():
    """What somebody new got by mail after having forgotten the password."""
    email, code = newcomer()
    ask("POST", "/api/auth/verify", {"email": email, "code": code})
    ask("POST", "/api/auth/password/forgot", {"email": email})
    words = mailed(email, "password-reset")["text"].split()
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
    """Whether this is the nth, 2nth, … request of that name: the others keep what was made up."""
    state[name] = state.get(name, 0) + 1
    return state[name] % nth == 0


def written(text):
    """A text without what the generator takes for a part of \\p{Zs}, or for a character that Unicode knows."""
    kinds = {character: unicodedata.category(character) for character in text}
    return "".join(" " if kinds[it] == "Cc" else "x" if kinds[it] == "Cn" else it for it in text).strip() or "x"


def consistent(case, name):
    """Rules that span several values, and those that a pattern can't tell."""
    body, query = case.body, case.query
    if query:
        # Only a list can make one.
        query.pop("cursor", None)
        if name in ("resources-list-projects", "resources-list-datasets"):
            query.pop("projectId", None)
        if name == "trash-list" and int(query.get("page", 1)) > 5:
            # Pages end after a thousand items.
            query.pop("page")
    if not isinstance(body, dict):
        return
    for member in ("name", "displayName", "company", "bio", "description", "filename"):
        if isinstance(body.get(member), str) and body[member]:
            body[member] = written(body[member])
    if isinstance(body.get("website"), str) and len(body["website"]) > 60:
        # The 200 characters are counted in its stored form, which may be longer: a scheme is added, characters are encoded.
        body["website"] = "https://website.example/"
    if name == "auth-refresh":
        # With cookies, the token comes as one.
        if (query or {}).get("session") == "cookie":
            body.pop("refreshToken", None)
        elif body.get("refreshToken") is None:
            body["refreshToken"] = sign_in()["refreshToken"]
    if name == "gdpr-request" and body.get("action") == "delete" and query:
        # Only an export has a format.
        query.pop("format", None)
    if name == "auth-sign-up":
        # How easily a password is guessed is not a matter of its form.
        body["password"] = PASSWORD
    if name == "auth-step-up":
        # A wrong one is a guess, and guessing is slowed down.
        body["password"] = PASSWORD
    if name in ("resources-create-projects", "resources-create-datasets"):
        # Only models are in projects,
        body.pop("projectId", None)
    if name == "resources-create-models" and body.get("projectId"):
        # and only in those that there are.
        body["projectId"] = thing("projects")
    if name == "upload-url":
        # An id tells what it is of, and projects take no files.
        body["assetId"] = body["assetId"].replace("proj_", "dset_")
        body["assetType"] = "models" if body["assetId"].startswith("model_") else "datasets"
        # A plan has room for so many bytes, and one request for fewer than the schema, which knows no plan.
        body["totalBytes"] = body["totalBytes"] % 1_000 + 1
    if name.startswith("activity-"):
        # Either all or some.
        if body.get("all"):
            body.pop("eventIds", None)
        elif not body.get("eventIds"):
            body["all"] = True


def existing(case, name):
    """Data that exists, in half of the requests."""
    body, query = case.body, case.query
    if query and "owner" in query and every("owner", 2):
        query["owner"] = HANDLE
    if name == "users-public-profile" and query and every(name, 2):
        query["username"] = HANDLE
    if not isinstance(body, dict):
        return
    if name == "auth-sign-in" and every(name, 2):
        body |= {"email": os.environ["FUZZ_EMAIL"], "password": PASSWORD}
    if name == "auth-verify" and every(name, 4):
        body["email"], body["code"] = newcomer()
        body.pop("password", None)
    if name == "auth-password-reset" and every(name, 4):
        body |= {"token": reset_token(), "password": PASSWORD}
    if name == "auth-refresh" and (case.query or {}).get("session") != "cookie" and every(name, 3):
        body["refreshToken"] = sign_in()["refreshToken"]


def owner():
    """A session of the owner's, made anew now and then, as clocks are moved."""
    if every("owner's session", 5) or "token" not in state:
        state["token"] = sign_in()["accessToken"]
    return state["token"]


def thing(kind):
    """Something of a kind: its id. New, but for models, of which the plan has room for so many."""
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


def upload(sent):
    """An upload of a new dataset, whose file was sent or was not."""
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
    """Projects, datasets and models that exist, are in the trash, or wait for a file."""
    if not every(name, 2):
        return
    if name.startswith(("resources-read-", "resources-update-", "resources-trash-")):
        case.path_parameters["id"] = thing(name.split("-")[2])
    if name == "resources-list-models" and case.query and "projectId" in case.query:
        case.query["projectId"] = thing("projects")
    if not isinstance(case.body, dict):
        return
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
    """Requests that use their session up, or need things made with it."""
    token = os.environ.get("FUZZ_TOKEN")
    if name == "api-keys-revoke" and token and case.query and every(name, 3):
        case.query["keyId"] = ask("POST", "/api/api-keys", {"name": "fuzz"}, token)["keyId"]
    if name.startswith("activity-") and token and isinstance(case.body, dict) and case.body.get("eventIds"):
        events = ask("GET", "/api/activity?limit=3", token=token)["events"]
        if events and every(name, 2):
            case.body["eventIds"] = [event["_id"] for event in events]


def leaver():
    """Somebody who may be deleted: the same until that is done."""
    if "leaver" not in state:
        state["leaver"] = verified()
    return state["leaver"]


def job():
    """The job of an export of the leaver's."""
    return ask("POST", "/api/gdpr", {"action": "export"}, leaver()["accessToken"])["jobId"]


@schemathesis.hook
def before_call(context, case, kwargs):
    state["calls"] += 1
    if CALLS_A_MINUTE and state["calls"] % CALLS_A_MINUTE == 0:
        advance(61)
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
        # One can do it once.
        kwargs["auth"] = Bearer(verified())


@schemathesis.hook
def after_call(context, case, response):
    counts[(case.operation.label, response.status_code)] += 1
    if response.status_code == 202 and isinstance(case.body, dict) and case.body.get("action") == "delete":
        state.pop("leaver", None)
    with open(os.environ["FUZZ_COUNTS"], "w") as out:
        for (label, status), count in sorted(counts.items()):
            out.write(f"{label}\t{status}\t{count}\n")
