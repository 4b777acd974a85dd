"""Tests infra/teardown: what it deletes, what it keeps, and that it can be repeated after each failure.

In place of the AWS CLI runs played_account.py, which plays an account.
"""

import sys
import tempfile
from contextlib import contextmanager

from played_scripts import Played, tell

REGIONS = {"us": "us-east-1", "eu": "eu-central-1", "ap": "ap-southeast-1"}
STACK = "account-platform"
# Names that are like those of the stack, of another one.
OTHERS = {"tables": ["other-us-identity", "account-platform2-us-identity", "account-platform-u"], "secrets": ["account-platform2/us/tokens"]}
# Every command that a story ran.
seen = set()


def of_region(region, status="CREATE_COMPLETE"):
    secrets = {f"{STACK}/{region}/{name}": [] for name in ("tokens", "codes")}
    if region == "us":
        secrets |= {f"{STACK}/shared/{name}": ["eu-central-1", "ap-southeast-1"] for name in ("addresses", "forwarding")}
    resources = [{"ResourceType": "AWS::KMS::Key", "PhysicalResourceId": f"key-{region}"},
                 {"ResourceType": "AWS::S3::Bucket", "PhysicalResourceId": "bucket"}]
    stacks = [{"StackName": STACK, "StackId": f"arn:{STACK}/1", "StackStatus": "UPDATE_COMPLETE", "resources": []},
              {"StackName": f"{STACK}-data", "StackId": f"arn:{STACK}-data/1", "StackStatus": status, "protected": True,
               "resources": resources},
              {"StackName": f"{STACK}2-data", "StackId": f"arn:{STACK}2-data/1", "StackStatus": "DELETE_COMPLETE",
               "resources": [{"ResourceType": "AWS::KMS::Key", "PhysicalResourceId": "key-of-others"}]}]
    tables = [f"{STACK}-{region}-identity", f"{STACK}-{region}-operations", "account-directory", *OTHERS["tables"]]
    return {"stacks": stacks, "tables": {name: "protected" for name in tables},
            "secrets": secrets | {name: [] for name in OTHERS["secrets"]},
            "keys": {f"key-{region}": "Enabled", "key-of-others": "Enabled"}}


@contextmanager
def account(**changes):
    story = {"regions": {aws: of_region(region) for region, aws in REGIONS.items()}, "fails": {},
             "buckets": [f"{STACK}-{region}-files-1" for region in REGIONS] + [f"{STACK}2-us-files-1"]}
    with tempfile.TemporaryDirectory() as folder:
        played = Played(folder, "played_account.py", story | changes, isolated="-I")
        yield played
        seen.update(played.commands)


def is_erased(played, *regions):
    """Nothing is left in the regions but what belongs to others."""
    for region in regions:
        here = played.story["regions"][REGIONS[region]]
        assert all(it["StackStatus"] == "DELETE_COMPLETE" for it in here["stacks"]), here["stacks"]
        assert list(here["tables"]) == OTHERS["tables"] and list(here["secrets"]) == OTHERS["secrets"], here
        assert here["keys"] == {f"key-{region}": "PendingDeletion", "key-of-others": "Enabled"}, here["keys"]
        assert f"{STACK}-{region}-files-1" not in played.story["buckets"]
    assert f"{STACK}2-us-files-1" in played.story["buckets"]


def data_stays_without_the_word():
    with account() as played:
        status, said = played.run("infra/teardown", STACK)
        assert status == 0 and "kept" in said, said
        for region, aws in REGIONS.items():
            here, before = played.story["regions"][aws], of_region(region)
            before["stacks"][0]["StackStatus"] = "DELETE_COMPLETE"
            assert here == before, here
        # The authority is last.
        assert "us-east-1" in played.of("delete-stack")[-1]


def everything_is_erased_with_the_word_and_twice():
    with account() as played:
        assert played.run("infra/teardown", STACK, "erase-data")[0] == 0
        is_erased(played, *REGIONS)
        before = played.story
        status, said = played.run("infra/teardown", STACK, "erase-data")
        assert status == 0 and played.story == before, said


def other_regions_are_not_touched():
    with account() as played:
        assert played.run("infra/teardown", STACK, "erase-data", "eu")[0] == 0
        is_erased(played, "eu")
        for region in ("us", "ap"):
            assert played.story["regions"][REGIONS[region]] == of_region(region)


def half_created_stack_is_erased():
    for status in ("CREATE_FAILED", "DELETE_FAILED"):
        with account(regions={"us-east-1": of_region("us", status)}) as played:
            assert played.run("infra/teardown", STACK, "erase-data", "us")[0] == 0
            is_erased(played, "us")


def failure_is_reported_and_the_next_run_erases_the_rest():
    for operation, nth in (("cloudformation describe-stacks", 1), ("cloudformation delete-stack", 2), ("dynamodb list-tables", 1),
                           ("dynamodb update-table", 3), ("dynamodb delete-table", 1), ("s3api list-buckets", 1),
                           ("secretsmanager list-secrets", 2), ("cloudformation list-stacks", 1), ("kms schedule-key-deletion", 1)):
        with account(fails={operation: nth}) as played:
            status, said = played.run("infra/teardown", STACK, "erase-data", "us")
            assert status != 0 and "AccessDenied" in said, (operation, nth, said)
            status, said = played.run("infra/teardown", STACK, "erase-data", "us")
            assert status == 0, (operation, nth, said)
            is_erased(played, "us")


def directory_that_dynamodb_keeps_for_a_day_is_left():
    with account(fails={"dynamodb delete-table": 3}) as played:
        status, said = played.run("infra/teardown", STACK, "erase-data", "us")
        assert status == 0 and "repeat this command 24 hours" in said, said
        assert played.run("infra/teardown", STACK, "erase-data", "us")[0] == 0
        is_erased(played, "us")


def wrong_arguments_delete_nothing():
    for arguments in ([], [""], ["account"], ["erase-data"], [STACK, "erase"], [STACK, "us", "erase-data"], [STACK, "erase-data", "u."],
                      [STACK, "erase-data", ""], [STACK, "--dry-run"], ["us"]):
        with account() as played:
            status, said = played.run("infra/teardown", *arguments)
            assert status == 1 and "error" in said and not played.commands, (arguments, said)


def missing_name_of_the_stack_deletes_nothing():
    with account() as played:
        (played.folder / "samconfig.toml").write_text("version = 0.1\n")
        for arguments in ([], [""], ["", "erase-data"]):
            status, said = played.run("infra/teardown", *arguments)
            assert status == 1 and "set stack_name" in said and not played.commands, said


TESTS = [data_stays_without_the_word, everything_is_erased_with_the_word_and_twice, other_regions_are_not_touched,
         half_created_stack_is_erased, failure_is_reported_and_the_next_run_erases_the_rest,
         directory_that_dynamodb_keeps_for_a_day_is_left, wrong_arguments_delete_nothing, missing_name_of_the_stack_deletes_nothing]

sys.exit(tell("infra/teardown", TESTS, seen))
