"""Tests infra/first-day: when it deletes what it deployed, and what an interrupted day leaves behind.

Its AWS CLI, and the scripts that it runs, only write their names into a file.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

from played_scripts import Played, tell

ACCOUNT = "123456789012"
MARKER = "target/lambda/jwks/first-day"
# `versions` has a line for each version of the function that is asked for, the last one for all others.
AWS = r"""echo "aws $*" >>log
case "$*" in
    *get-caller-identity*) echo 123456789012 ;;
    *get-alias*) sed -n 1p versions; [ "$(wc -l <versions)" = 1 ] || sed -i 1d versions ;;
    *RollbackAlarms*) echo arn:aws:cloudwatch:us-east-1:1:alarm:first,arn:aws:cloudwatch:us-east-1:1:alarm:second ;;
esac"""
DEPLOY = r"""echo "infra/deploy $*" >>log
case "$*" in
    *--bake*) echo $$ >deploying; test -f target/lambda/jwks/first-day && echo marked >>log; while test -f hold; do sleep 0.1; done; exit 1 ;;
esac
exit "$(cat deploy-status 2>/dev/null || echo 0)" """
seen = set()


@contextmanager
def first_day(versions="1 2 1", **statuses):
    with tempfile.TemporaryDirectory() as folder:
        played = Played(folder, "", {}, {"aws": AWS})
        (played.folder / "target/lambda/jwks").mkdir(parents=True)
        (played.folder / "versions").write_text("\n".join(versions.split()) + "\n")
        scripts = {"deploy": DEPLOY} | {name: f'echo "infra/{name} $*" >>log; exit {statuses.get(name, 0)}' for name in
                                        ("build", "first-day-checks", "teardown", "tools/checks.py")}
        for name, text in scripts.items():
            (played.folder / "infra" / name).write_text(f"#!/bin/sh\n{text}\n")
        yield played
        seen.update(line for line in played.commands if line.startswith("aws ") and "'" not in line)
        assert not (played.folder / MARKER).exists()


def scripts(played):
    return [line.strip() for line in played.commands if line.startswith("infra/")]


def day_ends_with_the_teardown():
    with first_day() as played:
        status, said = played.run("infra/first-day", ACCOUNT)
        assert status == 0, said
        assert [line.split()[0] for line in scripts(played)] == ["infra/build", "infra/deploy", "infra/first-day-checks", "infra/deploy",
                                                                 "infra/tools/checks.py", "infra/deploy", "infra/first-day-checks",
                                                                 "infra/teardown"], played.commands
        assert scripts(played)[-1] == "infra/teardown account-platform erase-data" and "marked" in played.commands
        assert any("--alarm-name first --state-value ALARM" in line for line in played.of("set-alarm-state"))


def failed_check_or_kept_day_deletes_nothing():
    for arguments, statuses in (([ACCOUNT], {"first-day-checks": 1}), ([ACCOUNT], {"tools/checks.py": 1}), ([ACCOUNT], {"build": 1}),
                                ([ACCOUNT, "--keep"], {})):
        with first_day(**statuses) as played:
            status, said = played.run("infra/first-day", *arguments)
            assert status == (1 if statuses else 0) and not [line for line in scripts(played) if "teardown" in line], said
            assert ("Afterwards: infra/teardown" in said) == bool(statuses and "build" not in statuses), said


def failed_deployment_says_what_is_left():
    with first_day() as played:
        (played.folder / "deploy-status").write_text("3")
        status, said = played.run("infra/first-day", ACCOUNT)
        assert status == 3 and "Afterwards: infra/teardown account-platform erase-data" in said, said


def version_that_does_not_come_or_stays_is_a_failure():
    for versions, reason in (("1 1", "a new version of jwks"), ("1 2 2", "the rollback: version 2 in place of 1")):
        with first_day(versions) as played:
            status, said = played.run("infra/first-day", ACCOUNT)
            assert status == 1 and reason in said and "teardown account" in said, said


def interrupted_day_ends_its_deployment():
    with first_day("1 1") as played:
        (played.folder / "hold").touch()
        environment = {**os.environ, "PATH": f"{played.folder / 'programs'}:{os.environ['PATH']}", "ACCOUNT_LOOK_SECONDS": "0.1"}
        day = subprocess.Popen(["infra/first-day", ACCOUNT], cwd=played.folder, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        begun = time.monotonic()
        while not (played.folder / "deploying").exists() and time.monotonic() - begun < 300:
            time.sleep(0.1)
        day.send_signal(signal.SIGTERM)
        said = day.communicate(timeout=300)[1]
        assert day.returncode != 0 and "Afterwards: infra/teardown" in said, said
        deploying = int((played.folder / "deploying").read_text())
        begun = time.monotonic()
        while os.path.exists(f"/proc/{deploying}") and time.monotonic() - begun < 300:
            time.sleep(0.1)
        assert not os.path.exists(f"/proc/{deploying}")


def wrong_arguments_begin_nothing():
    for arguments in ([], ["1"], [ACCOUNT, "--kepp"], [ACCOUNT, "--keep", "us"], [f"{ACCOUNT} x"], ["--keep", ACCOUNT], [f"{ACCOUNT} --keep"],
                      ["--dry-run", ACCOUNT], ["210987654321"]):
        with first_day() as played:
            status, said = played.run("infra/first-day", *arguments)
            assert status == 1 and "error" in said and not scripts(played), (arguments, said)


TESTS = [day_ends_with_the_teardown, failed_check_or_kept_day_deletes_nothing, failed_deployment_says_what_is_left,
         version_that_does_not_come_or_stays_is_a_failure, interrupted_day_ends_its_deployment, wrong_arguments_begin_nothing]

sys.exit(tell("infra/first-day", TESTS, seen))
