"""Serves localstripe on a free port of this machine. Prints its URL as a line, and ends when its standard input does.

Its own command has a fixed port, and keeps its data in one file for all processes.
"""

import logging
import os
import socket
import sys
import threading

from aiohttp import web
from localstripe import resources, server


def end_with_input():
    sys.stdin.read()
    os._exit(0)


resources.store.dump_to_disk = lambda: None
# It has tracebacks of its answers 500, some of which are expected.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=end_with_input, daemon=True).start()
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
web.run_app(server.app, sock=listener, print=None, access_log=None)
