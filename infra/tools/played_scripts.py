"""Runs scripts of infra/ on a copy of them, with programs that only play."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Only a hang is to end here: a story takes seconds, and minutes on a busy machine.
PATIENCE = 900


class Played:
    """A copy of the scripts, in which a player of this folder stands in for the AWS CLI, and shell commands for other programs."""

    def __init__(self, folder, player, story, programs=None, isolated="-I -S"):
        self.folder = Path(folder)
        shutil.copytree(ROOT / "infra", self.folder / "infra", ignore=shutil.ignore_patterns("src", "tests", "__pycache__"))
        for name in ("template.yaml", "samconfig.toml"):
            shutil.copy(ROOT / name, self.folder)
        (self.folder / "programs").mkdir()
        (self.folder / "log").touch()
        aws = f'exec {sys.executable} {isolated} "{ROOT}/infra/tools/{player}" "{self.folder}" "$@"'
        for name, text in {"aws": aws, **(programs or {})}.items():
            program = self.folder / "programs" / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
        self.story = story

    @property
    def story(self):
        """What the player knows."""
        return json.loads((self.folder / "story.json").read_text())

    @story.setter
    def story(self, story):
        (self.folder / "story.json").write_text(json.dumps(story))

    def run(self, *command, typed=""):
        """The exit status and the output of a script."""
        environment = {**os.environ, "PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}", "TMPDIR": str(self.folder),
                       "ACCOUNT_LOOK_SECONDS": "0.01", "ACCOUNT_LOOKS": "40"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, input=typed,
                              timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    @property
    def commands(self):
        """The commands of all runs."""
        return (self.folder / "log").read_text().splitlines()

    def of(self, operation):
        return [line for line in self.commands if f" {operation} " in line]


def tell(name, tests, seen):
    """Runs all tests, and checks all commands that they ran against the interfaces of AWS. Returns the exit status."""

    def failure(test):
        try:
            test()
        except (AssertionError, ValueError, IndexError, KeyError, subprocess.TimeoutExpired) as reason:
            print(f"FAILED {test.__name__}: {reason!r}", file=sys.stderr)
            return 1
        return 0

    with ThreadPoolExecutor(2) as pool:
        failed = sum(pool.map(failure, tests))
    print(f"{name}: {len(tests) - failed} of {len(tests)} stories ended as expected")
    checked = subprocess.run([sys.executable, ROOT / "infra/tools/commands.py"], input="\n".join(sorted(seen)) + "\n", text=True)
    return 1 if failed or checked.returncode else 0
