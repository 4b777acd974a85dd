"""Starts a built local platform for a test, on ports that no other process uses, and stops it."""

import contextlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

# Only a hang is to end here: a start takes a second, and more on a busy machine.
START_SECONDS = 120
STOP_SECONDS = 60
# The local platform takes this port and the next three.
PORTS = 4


def free_ports(count):
    """The first of a number of free ports in a row, below the range that the system gives to clients.

    Another process may take one before the caller does. Prefer to let a program select its ports itself, where its port can be 0.
    """
    while True:
        first = random.randrange(15_000, 32_000)
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first


class LocalPlatform:
    """A running local platform: its URL, its port and its process. Ends the program if it does not start."""

    def __init__(self, binary, folder, port=0):
        """Keeps data and log in a folder. Selects free ports itself unless it gets the first of four in a row."""
        command = [binary, "--port", str(port), "--data", str(Path(folder) / "data")]
        log = Path(folder) / "log"
        with open(log, "a") as out:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True)
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        # The output ends if the platform does.
        ready = re.fullmatch(r"The platform is ready at (http://.+:(\d+))\n", self.process.stdout.readline())
        timer.cancel()
        if not ready:
            self.stop()
            sys.exit(f"error: the platform did not start: {log.read_text()[-2000:]}")
        self.url, self.port = ready[1], int(ready[2])

    def stop(self, by=signal.SIGTERM):
        self.process.send_signal(by)
        self.process.wait(STOP_SECONDS)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
