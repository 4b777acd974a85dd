"""Tests infra/restore-region: which tables it makes and deletes, and that each step can be repeated after each failure.

In place of the AWS CLI runs played_tables.py, which plays a story. In place of the command `restore` runs a line that records it.
"""

import sys
import tempfile
from contextlib import contextmanager

from played_scripts import ROOT, Played, tell

LISTED = [line for line in (ROOT / "infra/tables").read_text().splitlines() if not line.startswith("#")]
# Most stories play with two tables only, to be short: one without settings, and one with all.
FEW = [next(line for line in LISTED if " " not in line), max(LISTED, key=len)]
TABLES = [line.split()[0] for line in FEW]
LIVE, COPIES, KEY = "account-platform-us-", "account-platform-us-restored-", "arn:aws:kms:us-east-1:1:key/1"
TIME = "2026-12-01T09:30:00Z"
# Every command of AWS that a story ran. commands.py does not know those that are no operations.
seen = set()


def live(name, **changes):
    return {"status": "ACTIVE", "items": name, "key": KEY, "protected": True} | changes


@contextmanager
def restore(listed=FEW, copied=False, **changes):
    names = [line.split()[0] for line in listed]
    tables = {f"{LIVE}{name}": live(name) for name in [*names, "erasures"]}
    if copied:
        tables |= {f"{COPIES}{name}": live(f"{name} restored", time=TIME.replace("Z", "+00:00"), protected=False) for name in names}
    story = {"tables": tables, "backups": {}, "backup": "AVAILABLE", "slow": 2, "fails": {}}
    with tempfile.TemporaryDirectory() as folder:
        # The credentials must reach `restore`, and only that.
        cargo = f'echo "cargo $AWS_ACCESS_KEY_ID $*" >>"{folder}/log"; exit "$(cat "{folder}/cargo-status" 2>/dev/null || echo 0)"'
        played = Played(folder, "played_tables.py", story | changes, {"cargo": cargo})
        (played.folder / "infra/tables").write_text("\n".join(["# A comment.", *listed, ""]))
        yield played
        seen.update(line for line in played.commands if line.startswith("aws ") and " configure " not in line)


def copies(played):
    return {name.removeprefix(COPIES): it for name, it in played.story["tables"].items() if name.startswith(COPIES)}


def serves(played, listed=FEW):
    """Whether all tables are restored, with all settings; and the ledger is as it was."""
    tables = played.story["tables"]
    for name, *settings in map(str.split, listed):
        found = tables[f"{LIVE}{name}"]
        assert found["items"] == f"{name} restored" and found["key"] == KEY, found
        assert found["protected"] and found["recoverable"], found
        assert ("expires" in found, "stream" in found) == ("expires" in settings, "streamed" in settings), (name, found)
    assert tables[f"{LIVE}erasures"] == live("erasures")


def copy_restores_each_table_with_the_key():
    with restore(LISTED) as played:
        status, said = played.run("infra/restore-region", "copy", "us", TIME)
        found = copies(played)
        assert status == 0 and list(found) == [line.split()[0] for line in LISTED], said
        assert all(it["key"] == KEY and it["status"] == "ACTIVE" for it in found.values()), found


def copy_continues_after_a_failure():
    for operation, nth in (("describe-table", 1), ("restore-table-to-point-in-time", 2), ("describe-table", 5)):
        with restore(fails={operation: nth}) as played:
            status, said = played.run("infra/restore-region", "copy", "us", TIME)
            assert status != 0 and "AccessDenied" in said, said
            status, said = played.run("infra/restore-region", "copy", "us", TIME)
            assert status == 0 and sorted(copies(played)) == sorted(TABLES), said


def copies_of_two_times_are_refused():
    with restore(copied=True) as played:
        status, said = played.run("infra/restore-region", "copy", "us", "2026-12-01T09:30:01Z")
        assert status == 1 and "delete it" in said and not played.of("restore-table-to-point-in-time"), said


def table_without_the_key_stops_the_copy():
    tables = {f"{LIVE}{name}": live(name, key="None") for name in [*TABLES, "erasures"]}
    with restore(tables=tables) as played:
        status, said = played.run("infra/restore-region", "copy", "us", TIME)
        assert status == 1 and "no key of the region" in said and not copies(played), said


def copy_that_does_not_end_is_reported():
    with restore() as played:
        played.story = played.story | {"slow": 10_000}
        status, said = played.run("infra/restore-region", "copy", "us", TIME)
        assert status == 1 and "is CREATING and not ACTIVE" in said, said


def serve_replaces_each_table():
    with restore(LISTED, copied=True) as played:
        status, said = played.run("infra/restore-region", "serve", "us", "--keep-api-keys", typed="us\n")
        assert status == 0, said
        serves(played, LISTED)
        (erased,) = [line for line in played.commands if line.startswith("cargo")]
        assert erased.startswith("cargo played ") and erased.endswith("--bucket account-platform-us-files-123456789012 --keep-api-keys")
        assert played.commands.index(erased) < played.commands.index(played.of("create-backup")[0])


def serve_needs_the_name_of_the_region():
    for typed in ("", "y\n", "eu\n", "us eu\n"):
        with restore(copied=True) as played:
            status, said = played.run("infra/restore-region", "serve", "us", typed=typed)
            assert status == 1 and "stopped" in said and not played.of("create-backup") and not played.of("delete-table"), said


def serve_stops_if_erasing_fails():
    with restore(copied=True) as played:
        (played.folder / "cargo-status").write_text("1")
        status, said = played.run("infra/restore-region", "serve", "us", typed="us\n")
        assert status == 1 and not played.of("create-backup"), said


def serve_without_permission_to_look_deletes_nothing():
    # It must not take a table that it cannot see for one that an interrupted run deleted.
    for operation in ("describe-table", "get-caller-identity", "export-credentials", "create-backup"):
        for nth in (1, 2) if operation == "describe-table" else (1,):
            with restore(copied=True, fails={operation: nth}) as played:
                status, said = played.run("infra/restore-region", "serve", "us", typed="us\n")
                assert status != 0 and "AccessDenied" in said and not played.of("delete-table"), (operation, said)


def serve_continues_after_each_failure():
    # The looks at a table are: two before everything, one at its state, and those while it changes, is deleted and is restored.
    failures = [("create-backup", 2), ("describe-backup", 3), ("update-table", 1), ("delete-table", 2), ("describe-table", 8),
                ("describe-table", 12), ("restore-table-from-backup", 2), ("update-continuous-backups", 1), ("update-time-to-live", 1),
                ("update-table", 5)]
    for operation, nth in failures:
        with restore(copied=True, slow=3, fails={operation: nth}) as played:
            status, said = played.run("infra/restore-region", "serve", "us", typed="us\n")
            assert status != 0 and "AccessDenied" in said, (operation, nth, said)
            status, said = played.run("infra/restore-region", "serve", "us", typed="us\n")
            assert status == 0, (operation, nth, said)
            serves(played)


def serve_restores_from_its_own_backup():
    # An older backup holds what was erased since, and is complete sooner.
    with restore(copied=True) as played:
        story = played.story
        arn = f"arn:aws:dynamodb:us-east-1:1:table/{COPIES}{TABLES[0]}/backup/99999999999999"
        played.story = story | {"backups": {arn: {"items": "not erased", "looks": 0}}}
        assert played.run("infra/restore-region", "serve", "us", typed="us\n")[0] == 0
        serves(played)


def failed_backup_deletes_nothing():
    with restore(copied=True, backup="DELETED") as played:
        status, said = played.run("infra/restore-region", "serve", "us", typed="us\n")
        assert status == 1 and "is DELETED" in said and not played.of("delete-table"), said


def wrong_arguments_are_refused():
    for arguments in ([], ["copy"], ["copy", "us"], ["copy", "us", "yesterday"], ["copy", "us", "2026-12-01T09:30:00"], ["copy", "us", TIME, "x"],
                      ["copy", "u.", TIME], ["copy", "", TIME], ["serve", "us", "--keep-keys"], ["serve", "us", "--keep-api-keys", "x"],
                      ["erase", "us", "eu"], ["names", "us", "x"], ["drop", "us"], ["serve", "all"]):
        with restore(copied=True) as played:
            status, said = played.run("infra/restore-region", *arguments, typed="us\n")
            assert status == 1 and "error" in said and not played.commands, (arguments, said)


def erase_and_names_get_their_arguments():
    with restore(copied=True) as played:
        assert played.run("infra/restore-region", "erase", "us")[0] == 0 and played.run("infra/restore-region", "names", "us")[0] == 0
        erased, named = [line.partition(" -- ")[2] for line in played.commands if line.startswith("cargo")]
        assert erased == f"erase --region us --copies {COPIES} --live {LIVE} --bucket account-platform-us-files-123456789012", erased
        assert named == f"names --region us --tables {LIVE} --directory account-directory", named


TESTS = [copy_restores_each_table_with_the_key, copy_continues_after_a_failure, copies_of_two_times_are_refused,
         table_without_the_key_stops_the_copy, copy_that_does_not_end_is_reported, serve_replaces_each_table,
         serve_needs_the_name_of_the_region, serve_stops_if_erasing_fails, serve_without_permission_to_look_deletes_nothing,
         serve_continues_after_each_failure, serve_restores_from_its_own_backup, failed_backup_deletes_nothing,
         wrong_arguments_are_refused, erase_and_names_get_their_arguments]

sys.exit(tell("infra/restore-region", TESTS, seen))
