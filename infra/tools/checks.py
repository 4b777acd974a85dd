#!/usr/bin/env python3
"""Checks from outside that a region answers. Leaves no data behind.

    checks.py [--patience SECONDS] URL...

Repeats failed checks until the patience is over; without patience each is tried once. infra/deploy runs this during and after
an update.
"""

import argparse
import json
import secrets
import sys
import time
import urllib.error
import urllib.request

# API Gateway ends requests after 30 seconds, functions theirs after 3.
REQUEST_SECONDS = 15


class Failed(Exception):
    """What a check expected, and what it found."""


class KeepsRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(KeepsRedirects)


def send(method, url, body=None, headers=None):
    """The status, headers and body of a response."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with OPENER.open(request, timeout=REQUEST_SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()
    except OSError as error:
        raise Failed(f"{method} {url}: {error}") from error


def ask(method, url, expected, body=None, token=None, headers=None):
    """The body of a JSON response with the expected status; any success if it is 200."""
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    status, _, text = send(method, url, body, headers)
    if status != expected and not (expected == 200 and status in (201, 202)):
        # A problem document names no value of the request, and a response of another kind may.
        code = read(text).get("code", "no problem document")
        raise Failed(f"{method} {url.split('?')[0]}: status {status} ({code}), expected {expected}")
    return read(text)


def read(text):
    try:
        found = json.loads(text or "{}")
        return found if isinstance(found, dict) else {}
    except ValueError:
        return {}


def new_name():
    """A username that nobody has, and nobody can take beforehand."""
    return f"check-{secrets.token_hex(10)}"


def signing_keys(url):
    """The directory is readable, and the region has a signing key: the secret `tokens` has its value."""
    if not ask("GET", f"{url}/.well-known/jwks.json", 200).get("keys"):
        raise Failed(f"{url}: no signing key")


def free_name(url):
    """The authority's directory and the region's replica are readable."""
    ask("GET", f"{url}/api/username/check?username={new_name()}", 200)


def unknown_profile(url):
    """The region's own tables are readable."""
    ask("GET", f"{url}/api/users?username={new_name()}", 404)


def invalid_sign_in(url):
    """The function that signs in starts, and refuses a request without a password."""
    ask("POST", f"{url}/api/auth/sign-in", 400, {"email": "nobody@example.com"})


def forged_refresh(url):
    """The function that refreshes sessions starts, and refuses a token of another form."""
    ask("POST", f"{url}/api/auth/refresh", 400, {"refreshToken": "forged"})


def unknown_session(url):
    """A request with an invalid token is refused."""
    ask("GET", f"{url}/api/settings", 401, token="forged")


def unknown_route(url):
    """The API refuses routes that it does not have."""
    ask("GET", f"{url}/no-such-route", 404)


QUICK = [signing_keys, free_name, unknown_profile, invalid_sign_in, forged_refresh, unknown_session, unknown_route]


def check(one, url, patience=0):
    """Runs a check, again until it succeeds or the patience is over."""
    until = time.monotonic() + patience
    while True:
        try:
            return one(url)
        except Failed:
            if time.monotonic() >= until:
                raise
            time.sleep(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patience", type=int, default=0, metavar="SECONDS")
    parser.add_argument("url", nargs="+")
    options = parser.parse_args()
    failed = 0
    for url in options.url:
        for one in QUICK:
            try:
                check(one, url.rstrip("/"), options.patience)
                print(f"ok      {url} {one.__name__}", flush=True)
            except Failed as reason:
                failed += 1
                print(f"FAILED  {url} {one.__name__}: {reason}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
