"""The environment of a function's process on Lambda: a runtime API, and AWS over TLS.

The stand-ins of a local platform serve as AWS, behind a certificate chain like that of AWS's endpoints.
"""

import asyncio
import contextlib
import http.server
import json
import os
import pathlib
import queue
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.request

from local_platform import LocalPlatform

EMAIL, PASSWORD = "budget@people.example", "a plain lamp above the desk"
PARTITIONS = pathlib.Path(__file__).resolve().parents[2] / "infra" / "partitions.json"


class Failed(Exception):
    """The reason for which a process did not run to its end."""


def certificates(folder):
    """A root, an intermediate and a server's certificate, RSA 2048 each, as AWS's endpoints have them."""

    def run(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def issue(name, issuer, extensions):
        (folder / f"{name}.ext").write_text(extensions)
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "2",
        "-subj", "/CN=root", "-addext", "basicConstraints=critical,CA:TRUE")
    issue("intermediate", "root", "basicConstraints=critical,CA:TRUE\n")
    issue("server", "intermediate", "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    chain = folder / "chain.pem"
    chain.write_text((folder / "server.pem").read_text() + (folder / "intermediate.pem").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, folder / "server.key")
    return context, folder / "root.pem"


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


def terminate_tls(context, target):
    """Listens with TLS and forwards the decrypted bytes; returns the port."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def converse(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection(*target)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    listening = asyncio.start_server(converse, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
    return server.sockets[0].getsockname()[1]


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Lambda's runtime API for one process (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)."""

    daemon_threads = True

    def __init__(self, events):
        super().__init__(("127.0.0.1", 0), Invocations)
        self.events = queue.SimpleQueue()
        for event in events:
            self.events.put(event)
        self.answers, self.done = [], threading.Event()


class Invocations(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        try:
            event = self.server.events.get_nowait()
        except queue.Empty:
            self.server.done.set()
            time.sleep(3600)
            return
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", f"00000000-0000-4000-8000-{len(self.server.answers):012}")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 60_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-67891233-abcdef012345678912345678;Sampled=0")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.answers.append((self.path, json.loads(body or b"null")))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()


def run(command, events, environment, patience=120):
    """Runs a function's process on these events, then ends it; its answers, as (path, JSON), and what it printed."""
    api = RuntimeApi(events)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    environment = environment | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_address[1]}"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()), daemon=True)
    reader.start()
    give_up = time.monotonic() + patience
    while not (asked_for_more := api.done.wait(0.05)) and process.poll() is None and time.monotonic() < give_up:
        pass
    process.send_signal(signal.SIGTERM if asked_for_more else signal.SIGKILL)
    process.wait(60)
    reader.join()
    api.shutdown()
    if not asked_for_more or len(api.answers) != len(events):
        raise Failed(f"{command[-1]} did not answer; it said:\n{output[0]}")
    return api.answers, output[0]


def ask(url, body=None, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, headers=headers, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def patiently(what):
    """Repeats a request until it succeeds."""
    for _ in range(200):
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise Failed("the local platform does not answer")


@contextlib.contextmanager
def platform(local, folder):
    """A local platform with one user, and its AWS over TLS."""
    with LocalPlatform(local, folder) as running:
        yield Platform(running.url, folder)


class Platform:
    """A running platform: a user's access token and API key, and the address of its AWS."""

    def __init__(self, url, folder):
        health = ask(f"{url}/_local/health")
        host, port = re.fullmatch(r"http://(.+):(\d+)", health["aws"]["us"]).groups()
        self.url = url
        self.token, self.key = person(url)
        context, self.root = certificates(folder)
        self.tls = terminate_tls(context, (host, int(port)))

    def another_token(self):
        """An access token of another session."""
        return ask(f"{self.url}/api/auth/sign-in", {"email": EMAIL, "password": PASSWORD})["accessToken"]

    def environment(self, function):
        """The variables that Lambda and the template set."""
        endpoints = ",".join(f"{region}=https://{region}.api.example.com" for region in ("us", "eu", "ap"))
        return {
            "PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": f"us-east-1.{function}",
            "AWS_SECRET_ACCESS_KEY": "local-secret", "AWS_ENDPOINT_URL": f"https://localhost:{self.tls}",
            "AWS_CA_BUNDLE": str(self.root), "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "PLATFORM_REGION": "us", "TABLE_PREFIX": "account-us-", "SECRET_PREFIX": "account/us/",
            "SHARED_SECRET_PREFIX": "account/shared/", "KMS_KEY": "alias/account-us", "EVENT_BUS": "account-us",
            "BUCKET": "account-us-files", "DIRECTORY_TABLE": "account-directory", "API_ENDPOINTS": endpoints,
            "MAIL_FROM": "no-reply@account.example", "MAIL_CONFIGURATION_SET": "account-us",
            "FEEDBACK_TO": "feedback@account.example",
            "GLIBC_TUNABLES": "glibc.malloc.tcache_count=127",
            "SMITHY_CLIENT_SDK_CUSTOM_PARTITION": str(PARTITIONS),
        }


def person(url):
    """Signs a user up; returns an access token and an API key."""
    begun = ask(f"{url}/api/auth/sign-up", {"email": EMAIL, "password": PASSWORD, "region": "us"})
    mail = patiently(lambda: ask(f"{url}/_local/mail?to={EMAIL}"))
    code = re.search(r"\b\d{6}\b", mail[0]["text"])[0]
    form = {"email": EMAIL, "code": code, "signUpToken": begun["signUpToken"]}
    token = ask(f"{url}/api/auth/verify", form)["accessToken"]
    ask(f"{url}/api/onboarding", {"username": "budget", "displayName": "Budget"}, token)
    return token, ask(f"{url}/api/api-keys", {"name": "budget"}, token)["key"]


def gateway_event(method, path, token):
    """A request as an HTTP API passes it to a function (payload format 2.0)."""
    headers = {"authorization": f"Bearer {token}", "accept": "*/*", "content-length": "0", "host": "us.api.example.com",
               "user-agent": "budgets/1", "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678",
               "x-forwarded-for": "192.0.2.1", "x-forwarded-port": "443", "x-forwarded-proto": "https"}
    return {
        "version": "2.0", "routeKey": f"{method} {path}", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "us.api.example.com", "domainPrefix": "us",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "budgets/1"},
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": f"{method} {path}", "stage": "$default",
            "time": "10/Mar/2026:05:16:23 +0000", "timeEpoch": 1773119783636,
        },
        "isBase64Encoded": False,
    }


def authorizer_event(token):
    """A request as an HTTP API passes it to its authorizer."""
    return gateway_event("GET", "/work", token) | {"type": "REQUEST"}


def binary(functions, function):
    """The path of a function's binary: cargo-lambda gives each a folder, cargo does not."""
    bootstrap = functions / function / "bootstrap"
    return bootstrap if bootstrap.exists() else functions / function
