"""The platforms on which infra/first-day-checks can run: a deployment on AWS, a dry run of it, and the local platform."""

import base64
import hashlib
import hmac
import json
import os
import re
import shlex
import subprocess
import time
import urllib.parse
from pathlib import Path

from checks import Failed, ask, send

ROOT = Path(__file__).resolve().parents[2]
# The regions in the order in which codes number them.
REGIONS = ["us", "eu", "ap"]
AWS_REGIONS = dict(line.split() for line in (ROOT / "infra" / "regions").read_text().splitlines() if line[0] != "#")
# How long mails, jobs and rotations may take, in seconds.
PATIENCE = 300


class Skipped(Exception):
    """Why a check cannot run here."""


class Shown(dict):
    """An answer in a dry run: each member is its own name."""

    def __missing__(self, name):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).upper().strip("_")


def until(what, patience=PATIENCE):
    """Repeats a function until it returns something."""
    end = time.monotonic() + patience
    while True:
        if found := what():
            return found
        if time.monotonic() >= end:
            raise Failed(f"{what.__name__}: nothing after {patience} seconds")
        time.sleep(1)


class Deployment:
    """A deployment on AWS."""

    dry = False

    def __init__(self, stack, urls):
        self.stack, self.urls = stack, urls

    def aws(self, region, *arguments, environment=None):
        """The output of an AWS CLI command."""
        command = ["aws", *arguments, "--region", AWS_REGIONS[region], "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
        if done.returncode:
            raise Failed(f"{shlex.join(command[:3])}: {done.stderr.strip()}")
        return json.loads(done.stdout or "{}")

    def ask(self, region, method, path, expected=200, body=None, token=None, headers=None):
        return ask(method, self.urls[region] + path, expected, body, token, headers)

    def send(self, method, url, body=None, headers=None):
        return send(method, url, body, headers)

    def until(self, what, patience=PATIENCE):
        return until(what, patience)

    def secret(self, region, name):
        """The current document of a secret."""
        found = self.aws(region, "secretsmanager", "get-secret-value", "--secret-id", f"{self.stack}/{region}/{name}")
        return json.loads(found["SecretString"])

    def code(self, region, email, token):
        """The code that was mailed: derived like the platform derives it, because the simulator's mailbox cannot be read."""
        return derived_code(self.secret(region, "codes"), region, token)

    def mailed(self, emails):
        """Waits until mails are sent, where one can look. On AWS the metrics of SES say so later."""

    def rotate(self, region, whose, name):
        """Rotates a secret, and waits for its new version."""
        secret = ["--secret-id", f"{self.stack}/{whose}/{name}"]
        before = self.aws(region, "secretsmanager", "describe-secret", *secret).get("LastRotatedDate")
        self.aws(region, "secretsmanager", "rotate-secret", *secret)

        def rotated():
            now = self.aws(region, "secretsmanager", "describe-secret", *secret).get("LastRotatedDate")
            return self.dry or now != before

        self.until(rotated)


class DryRun(Deployment):
    """Prints requests and commands, and sends nothing."""

    dry = True

    def aws(self, region, *arguments, environment=None):
        role = "AWS_ACCESS_KEY_ID=ROLE " if environment else ""
        print(role + shlex.join(["aws", *arguments, "--region", AWS_REGIONS[region], "--output", "json"]))
        return Shown(Credentials=Shown(), Responses={}, Datapoints=[])

    def ask(self, region, method, path, expected=200, body=None, token=None, headers=None):
        shown = ["curl", "-X", method, self.urls[region] + path]
        shown += ["-H", "Authorization: Bearer TOKEN"] if token else []
        print(shlex.join(shown + (["--json", json.dumps(body)] if body else [])))
        return Shown()

    def send(self, method, url, body=None, headers=None):
        shown = ["curl", "-X", method, url]
        for name, value in (headers or {}).items():
            shown += ["-H", f"{name}: {value}"]
        print(shlex.join(shown + (["--data-binary", body.decode()] if body else [])))
        return None, {}, b""

    def until(self, what, patience=PATIENCE):
        return what() or Shown()

    def code(self, region, email, token):
        self.aws(region, "secretsmanager", "get-secret-value", "--secret-id", f"{self.stack}/{region}/codes")
        return "CODE"


class Local(Deployment):
    """The local platform. Its stand-ins accept any credentials of a caller that is no function."""

    def __init__(self, url):
        host, port = url.rsplit(":", 1)
        super().__init__("account", {region: f"{host}:{int(port) + place}" for place, region in enumerate(REGIONS, 1)})
        self.entry = url
        self.endpoints = ask("GET", f"{url}/_local/health", 200)["aws"]

    def aws(self, region, *arguments, environment=None):
        raise Skipped("the local platform has no such service")

    def secret(self, region, name):
        body = json.dumps({"SecretId": f"account/{region}/{name}"}).encode()
        endpoint = self.endpoints[region]
        headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Host": endpoint.split("//")[1]}
        status, _, text = send("POST", endpoint, body, signed(headers, body, AWS_REGIONS[region], "secretsmanager"))
        if status != 200:
            raise Failed(f"secret {name} in {region}: status {status}")
        return json.loads(json.loads(text)["SecretString"])

    def code(self, region, email, token):
        """The code in the mail. It must be the one that a deployment would derive."""
        text = until(lambda: self.mail(email))["text"]
        code = re.search(r"\b\d{6}\b", text)[0]
        if code != derived_code(self.secret(region, "codes"), region, token):
            raise Failed(f"the code in the mail of {region} is not the derived one")
        return code

    def mail(self, email):
        """The mail with a code to this address, if it was sent."""
        mails = json.loads(send("GET", f"{self.entry}/_local/mail?to={urllib.parse.quote(email)}")[2])
        return next((mail for mail in mails if mail["kind"] == "sign-up-code"), None)

    def mailed(self, emails):
        for email in emails:
            until(lambda: self.mail(email))

    def rotate(self, region, whose, name):
        ask("POST", f"{self.entry}/_local/rotate/{name}?region={region}", 200)


def signed(headers, body, region, service):
    """Headers with a signature, of a caller that the local platform allows everything
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = [now[:8], region, service, "aws4_request"]
    headers = headers | {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Date": now}
    lines = sorted(f"{name.lower()}:{value}" for name, value in headers.items())
    names = ";".join(line.split(":")[0] for line in lines)
    request = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4local-secret"
    for part in [*scope, text]:
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"Credential=checks/{'/'.join(scope)}, SignedHeaders={names}, Signature={key.hex()}"
    return headers | {"Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def derived_code(document, region, token):
    """The code of a sign-up token: `VerificationCode::from_bytes` in shared/domain."""
    attempt = token.split("_")[2]
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    millis = 0
    for letter in attempt[:10]:
        millis = millis * 32 + letters.index(letter)
    made_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis / 1000))
    used = [dated["key"] for dated in document["keys"] if dated["from"][:19] <= made_at] or [document["keys"][0]["key"]]
    mac = hmac.new(base64.b64decode(used[-1]), digestmod=hashlib.sha256)
    for part in (b"sign-up", f"att_{attempt}".encode()):
        mac.update(len(part).to_bytes(8, "big") + part)
    number = int.from_bytes(mac.digest()[:8], "big")
    return f"{number % (1_000_000 // 3) * 3 + REGIONS.index(region):06}"
