"""Tests the decisions of infra/deploy: which commands it runs in each state of the stacks, and where it stops.

In place of the AWS CLI runs played_aws.py, which plays a story.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA, APP = "account-platform-data", "account-platform"
SECRETS = [f"account-platform/{name}" for name in ("us/tokens", "us/codes", "shared/addresses", "shared/forwarding")]


class Run:
    """One run of infra/deploy with a story."""

    def __init__(self, *arguments, stacks=None, after=None, empty=(), fails=(), on="", filled=SECRETS, checks=0, settings=()):
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder)
            self.prepare(checks, settings)
            stacks = {f"us-east-1 {name}": states for name, states in (stacks or {}).items()}
            story = {"stacks": stacks, "after": after or {}, "empty": empty, "fails": fails, "on": on, "filled": filled}
            (self.folder / "story.json").write_text(json.dumps(story))
            environment = {**os.environ, "PATH": f"{self.folder / 'tools/sam/bin'}:{os.environ['PATH']}",
                           "ACCOUNT_TOOLS": str(self.folder / "tools"), "ACCOUNT_LOOK_SECONDS": "0.01", "ACCOUNT_LOOKS": "4"}
            done = subprocess.run(["infra/deploy", "--yes", *arguments], cwd=self.folder, env=environment, capture_output=True,
                                  text=True, stdin=subprocess.DEVNULL, timeout=900)
            self.status, self.said = done.returncode, done.stdout + done.stderr
            log = self.folder / "log"
            self.commands = log.read_text().splitlines() if log.exists() else []

    def prepare(self, checks, changed):
        """A copy of the scripts, with programs that only play."""
        folder, tools = self.folder, self.folder / "tools"
        (folder / "infra").mkdir()
        for name in ("deploy", "regions", "tools", "stacks"):
            source = ROOT / "infra" / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / "infra" / name)
        shutil.copy(ROOT / "template.yaml", folder)
        settings = (ROOT / "samconfig.toml").read_text().replace("example.com", "example.org").replace("EXAMPLE", "")
        for old, new in changed:
            settings = settings.replace(old, new)
        (folder / "samconfig.toml").write_text(settings)
        (folder / "infra/tools/checks.py").write_text(f"raise SystemExit({checks})")
        (tools / "sam/bin").mkdir(parents=True)
        shutil.copytree(ROOT / "tests/tools", folder / "tests/tools", ignore=shutil.ignore_patterns("*better-auth*"))
        shutil.copy(ROOT / "infra/tools/sam.txt", tools / "installed-sam")
        for name, text in (("aws", f'exec {sys.executable} -I -S "{ROOT}/infra/tools/played_aws.py" "{folder}" "$@"'), ("sam", "true")):
            program = tools / "sam/bin" / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
        folders = subprocess.run(["bash", "-c", ". infra/tools/common.sh && function_folders"], cwd=folder, text=True,
                                 capture_output=True, check=True).stdout.split()
        for name in folders:
            (folder / name).mkdir(parents=True)
            (folder / name / "bootstrap").touch(0o755)
            (folder / name / "partitions.json").touch()

    def of(self, operation, stack=""):
        """The commands of an operation on a stack."""
        return [line for line in self.commands if f" {operation} " in f" {line} " and f"--stack-name {stack}" in f"{line} "]


def ready(**states):
    return {DATA: ["CREATE_COMPLETE"], APP: ["UPDATE_COMPLETE"]} | {f"account-platform{'' if k == 'app' else '-data'}": v
                                                                  for k, v in states.items()}


def first_deployment_keeps_what_it_made_and_protects_data():
    run = Run("us", filled=[])
    made = run.of("execute-change-set")
    assert run.status == 0, run.said
    assert len(made) == 2 and all("--disable-rollback" in line for line in made)
    assert DATA in made[0] and all("CREATE" in line for line in run.of("create-change-set"))
    assert not any("--rollback-configuration" in line for line in run.commands)
    protected = run.commands.index(run.of("update-termination-protection")[0])
    assert run.commands.index(made[0]) < protected < run.commands.index(made[1]) and run.of("set-stack-policy")
    filled = [line for line in run.commands if " rotate-secret " in line]
    assert any("shared/addresses" in line and "arn:alias" in line for line in filled) and len(filled) == 4, filled
    assert [line for line in run.commands if " cancel-rotate-secret " in line and "shared/addresses" in line]


def failed_first_deployment_stops_before_the_application():
    run = Run("us", fails=[DATA])
    assert run.status == 1 and "it continues" in run.said, run.said
    assert not run.of("create-change-set", f"{APP} ")


def failed_first_deployment_continues():
    run = Run("us", stacks=ready(app=["CREATE_FAILED"]), empty=[DATA])
    assert run.status == 0, run.said
    (change,), (done,) = run.of("create-change-set", f"{APP} "), run.of("execute-change-set", f"{APP} ")
    assert "--change-set-type UPDATE" in change and "--rollback-configuration" not in change
    assert "--disable-rollback" in done


def update_is_guarded_by_the_alarms():
    run = Run("--bake", "7", "us", stacks=ready())
    assert run.status == 0, run.said
    (change,), (done,) = run.of("create-change-set", f"{APP} "), run.of("execute-change-set", f"{APP} ")
    assert '"MonitoringTimeInMinutes":7' in change and change.count("AWS::CloudWatch::Alarm") == 1
    assert change.count("AWS::CloudWatch::CompositeAlarm") == 1
    assert "--disable-rollback" not in done
    assert "--retain-except-on-create" in run.of("execute-change-set", DATA)[0]


def alarm_that_is_on_stops_the_update():
    run = Run("us", stacks=ready(), on="a")
    assert run.status == 1 and "alarms are on" in run.said, run.said
    assert not run.of("create-change-set", f"{APP} ")


def alarms_can_be_ignored():
    run = Run("--ignore-alarms", "us", stacks=ready(), on="a")
    assert run.status == 0 and '"RollbackTriggers":[]' in run.of("create-change-set", f"{APP} ")[0], run.said


def rollback_ends_the_deployment_of_all_regions():
    run = Run(stacks=ready(), after={APP: ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]})
    assert run.status == 1 and "was rolled back" in run.said, run.said
    assert not any("eu-central-1" in line for line in run.commands)


def failed_checks_cancel_the_update():
    after = {APP: ["UPDATE_IN_PROGRESS"] * 5 + ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]}
    run = Run("us", stacks=ready(), after=after, checks=1)
    assert run.status == 1 and len(run.of("cancel-update-stack", APP)) == 1, run.said


def failed_check_after_a_first_deployment_stops_before_the_next_region():
    run = Run("us", "eu", checks=1)
    assert run.status == 1 and "No further region was touched" in run.said, run.said
    assert not any("eu-central-1" in line for line in run.commands)


def nothing_to_change_is_fine():
    run = Run("us", stacks=ready(), empty=[DATA, APP])
    assert run.status == 0 and run.said.count("nothing to change") == 2, run.said
    assert not run.of("execute-change-set") and len(run.of("delete-change-set")) == 2


def stack_that_can_only_be_deleted_is_refused():
    for status in ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "UPDATE_IN_PROGRESS"):
        run = Run("us", stacks=ready(app=[status]), empty=[DATA])
        assert run.status == 1 and status in run.said and not run.of("create-change-set", f"{APP} "), run.said


def update_that_cannot_be_seen_is_left():
    # As with credentials that have ended. A few failed looks are nothing.
    run = Run("us", stacks=ready(), empty=[DATA], after={APP: ["UPDATE_IN_PROGRESS", "DENIED", "DENIED", "UPDATE_COMPLETE"]})
    assert run.status == 0, run.said
    run = Run("us", stacks=ready(), empty=[DATA], after={APP: ["UPDATE_IN_PROGRESS", "DENIED"]})
    assert run.status == 1 and "cannot be seen" in run.said and not run.of("cancel-update-stack", APP), run.said


def wrong_arguments_and_settings_are_refused():
    for arguments in (["--bake"], ["--bake", "08", "us"], ["--bake", "181"], ["--yes=no"], ["us", "--dry-run"], ["u."], [""], ["us eu"]):
        run = Run(*arguments)
        assert run.status == 1 and "error" in run.said and not run.commands, (arguments, run.said)
    name = 'stack_name = "account-platform"'
    for other in ("", 'stack_name = ""', 'stack_name = "a b"', f'{name}\nstack_name = "other"'):
        run = Run("us", settings=[(name, other)])
        assert run.status == 1 and "set stack_name" in run.said and not run.commands, (other, run.said)


def values_of_tags_may_have_spaces():
    run = Run("us", stacks=ready(), settings=[('"project=account-platform"', '"project=account platform", "owner=*"')])
    assert run.status == 0 and all("--tags Key=project,Value=account platform Key=owner,Value=* " in f"{line} "
                                   for line in run.of("create-change-set")), run.said


TESTS = [first_deployment_keeps_what_it_made_and_protects_data, failed_first_deployment_stops_before_the_application,
         failed_first_deployment_continues, update_is_guarded_by_the_alarms, alarm_that_is_on_stops_the_update,
         alarms_can_be_ignored, rollback_ends_the_deployment_of_all_regions, failed_checks_cancel_the_update,
         failed_check_after_a_first_deployment_stops_before_the_next_region, nothing_to_change_is_fine,
         stack_that_can_only_be_deleted_is_refused, update_that_cannot_be_seen_is_left, wrong_arguments_and_settings_are_refused,
         values_of_tags_may_have_spaces]


def main():
    def failure(test):
        try:
            test()
        except (AssertionError, ValueError, IndexError, subprocess.TimeoutExpired) as reason:
            print(f"FAILED {test.__name__}: {reason!r}", file=sys.stderr)
            return 1
        return 0

    with ThreadPoolExecutor(2) as pool:
        failed = sum(pool.map(failure, TESTS))
    print(f"infra/deploy: {len(TESTS) - failed} of {len(TESTS)} stories ended as expected")
    return 1 if failed else 0


sys.exit(main())
