"""Tests infra/redrive: which messages it sends again, what it keeps, and that it can be repeated after each failure.

In place of the AWS CLI runs played_queues.py, which plays a story.
"""

import json
import sys
import tempfile
from contextlib import contextmanager

from played_scripts import Played, tell

STREAM = "arn:aws:dynamodb:us-east-1:1:table/account-platform-us-operations/stream/2026-12-01T09:30:00.000"
FUNCTION = "arn:aws:lambda:us-east-1:1:function:account-platform-publish-events:live"
EVENT = json.dumps({"detail-type": "Made up", "detail": {"text": "a 'quote', $(false) and\nanother line "}})
# Every command that a story ran.
seen = set()


def number(place):
    """A sequence number. The first ones are shorter than the others."""
    return str(10**21 - 3 + place)


def record(place, pk="OUT#1", name="INSERT", padding=0):
    return {"eventID": str(place), "eventName": name, "eventSource": "aws:dynamodb",
            "dynamodb": {"SequenceNumber": number(place), "Keys": {"pk": {"S": pk}, "sk": {"S": str(place)}},
                         "NewImage": {"pk": {"S": pk}, "n": {"N": str(place)}, "padding": {"S": "x" * padding}}}}


def batch(id, first, last):
    body = {"requestContext": {"functionArn": FUNCTION, "condition": "RetryAttemptsExhausted"}, "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb", "startSequenceNumber": number(first), "endSequenceNumber": number(last),
        "batchSize": 1, "streamArn": STREAM}}
    return {"id": id, "body": json.dumps(body)}


def event(id, target="arn:aws:sqs:us-east-1:1:account-platform-send-mail", body=EVENT):
    return {"id": id, "body": body, "target": target}


SCHEDULED = {"id": "scheduled", "body": "{}"}


@contextmanager
def redrive(**changes):
    story = {"dead": "0", "tasks": [], "after": ["RUNNING", "RUNNING", "COMPLETED"], "messages": [], "received": [], "later": [],
             "records": [], "page": 1000, "closed": False, "sent": [], "invoked": [], "answer": {"batchItemFailures": []},
             "crashes": False, "fails": {}}
    with tempfile.TemporaryDirectory() as folder:
        played = Played(folder, "played_queues.py", story | changes)
        yield played
        seen.update(played.commands)
        left = [path.name for path in played.folder.iterdir()]
        assert not any(name.startswith("tmp.") for name in left), left


def places(invoked):
    """The records that a function was given, by their numbers."""
    return [int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in invoked["Records"]]


def each_kind_is_sent_again():
    messages = [batch("b", 1, 4), event("e"), SCHEDULED, {"id": "asynchronous", "body": '{"requestPayload": {}}'}]
    with redrive(dead="2", messages=messages, records=[record(n) for n in range(6)]) as played:
        status, said = played.run("infra/redrive", "us")
        story = played.story
        assert status == 0 and "dead letters sent again: 2" in said and "settled: 4, kept: 0" in said, said
        assert len(played.of("start-message-move-task")) == 1 and len(played.of("list-message-move-tasks")) == 4
        assert [places(it) for it in story["invoked"]] == [[1, 2, 3, 4]] and story["invoked"][0]["function"] == FUNCTION, story
        assert story["sent"] == [["account-platform-send-mail", EVENT]], story["sent"]
        assert not story["received"] and len(played.of("delete-message")) == 4


def second_run_finds_nothing():
    with redrive(dead="2", messages=[batch("b", 0, 0), event("e")], records=[record(0)]) as played:
        played.run("infra/redrive", "us")
        before = len(played.commands)
        status, said = played.run("infra/redrive", "us")
        again = " ".join(played.commands[before:])
        assert status == 0 and "no dead letters" in said and "settled: 0, kept: 0" in said, said
        assert not any(word in again for word in ("start-message", "invoke", "send-message", "delete-message")), again


def only_the_outbox_of_the_batch_is_read_over_pages():
    records = [record(n, pk="OUT#1" if n % 2 else "IDEM#1") for n in range(9)] + [record(9, name="REMOVE"), record(10), record(11)]
    with redrive(messages=[batch("b", 2, 10)], records=records, page=3) as played:
        status, said = played.run("infra/redrive", "us")
        assert status == 0 and [places(it) for it in played.story["invoked"]] == [[3, 5, 7, 10]], said
        assert len(played.of("get-records")) == 3, played.commands


def long_batches_are_split_in_order():
    # Longer than an argument may be.
    with redrive(messages=[batch("b", 0, 229)], records=[record(n, padding=2_000) for n in range(230)]) as played:
        status, said = played.run("infra/redrive", "us")
        assert status == 0 and [places(it) for it in played.story["invoked"]] == [
            list(range(100)), list(range(100, 200)), list(range(200, 230))], said


def batch_without_its_records_is_kept():
    # The shard goes on after the last record, it ends before it, and no record is of the outbox.
    for records, closed in (([record(0), record(2)], False), ([record(0)], True), ([record(0, "IDEM#1"), record(1, "IDEM#1")], False)):
        with redrive(messages=[batch("b", 0, 1)], records=records, closed=closed) as played:
            status, said = played.run("infra/redrive", "us")
            assert status == 1 and not played.story["invoked"] and [it["id"] for it in played.story["later"]] == ["b"], said


def failed_batch_is_kept_and_sent_by_the_next_run():
    failures = [{"crashes": True}, {"answer": {"batchItemFailures": [{"itemIdentifier": "1"}]}}, {"fails": {"get-shard-iterator": 1}},
                {"fails": {"get-records": 2}}]
    for failure in failures:
        with redrive(messages=[batch("b", 0, 1), event("e")], records=[record(0), record(1)], page=1, **failure) as played:
            status, said = played.run("infra/redrive", "us")
            assert status == 1 and "not sent again: message b" in said and "settled: 1, kept: 1" in said, said
            story = played.story
            assert [it["id"] for it in story["later"]] == ["b"] and not story["received"], story
            played.story = story | {"messages": story["later"], "later": [], "crashes": False, "answer": None, "invoked": [], "fails": {}}
            status, said = played.run("infra/redrive", "us")
            assert status == 0 and [places(it) for it in played.story["invoked"]] == [[0, 1]], said


def messages_of_unknown_kinds_are_kept():
    messages = [event("foreign", target="arn:aws:sqs:us-east-1:1:others-send-mail"), event("lambda", target=FUNCTION), event("none", target=""),
                {"id": "text", "body": "not JSON"}, {"id": "number", "body": "7"}, {"id": "list", "body": "[]"},
                {"id": "payload", "body": '{"requestPayload": {"some": "payload"}}'}, {"id": "empty", "body": ""},
                {"id": "batch", "body": '{"DDBStreamBatchInfo": {}}'}, SCHEDULED]
    with redrive(messages=messages) as played:
        status, said = played.run("infra/redrive", "us")
        assert status == 1 and "settled: 1, kept: 9" in said, said
        assert {it["id"] for it in played.story["later"]} == {it["id"] for it in messages} - {"scheduled"}
        assert not played.story["sent"] and not played.story["invoked"]


def message_that_comes_again_is_tried_once():
    with redrive(messages=[event("e", target=""), event("e", target=""), SCHEDULED]) as played:
        status, said = played.run("infra/redrive", "us")
        assert status == 1 and "settled: 1, kept: 1" in said and said.count("message e") == 1, said


def failure_in_the_middle_loses_nothing():
    for operation, nth in (("list-message-move-tasks", 2), ("start-message-move-task", 1), ("get-queue-attributes", 3), ("receive-message", 2),
                           ("delete-message", 1)):
        with redrive(dead="2", messages=[event("e"), SCHEDULED], fails={operation: nth}) as played:
            status, said = played.run("infra/redrive", "us")
            story = played.story
            assert status != 0 and "AccessDenied" in said and story["fails"] == {operation: 0}, (operation, nth, said)
            assert len(story["messages"] + story["received"]) == 2 - len(played.of("delete-message")) + (operation == "delete-message")
            # Later they are visible again.
            played.story = story | {"messages": story["received"] + story["messages"], "received": []}
            status, said = played.run("infra/redrive", "us")
            story = played.story
            assert status == 0 and not story["messages"] and not story["received"] and story["dead"] in (0, "0"), (operation, nth, said)
            assert ["account-platform-send-mail", EVENT] in story["sent"] and len(played.of("start-message-move-task")) >= 1


def messages_that_an_interrupted_run_received_are_reported():
    with redrive(received=[event("e")]) as played:
        status, said = played.run("infra/redrive", "us")
        assert status == 1 and "1 failed invocations in us, which another run has received" in said, said


def task_of_an_interrupted_run_is_awaited():
    with redrive(dead="0", tasks=["RUNNING", "RUNNING", "COMPLETED"]) as played:
        status, said = played.run("infra/redrive", "us")
        assert status == 0 and "dead letters sent again: 2" in said and not played.of("start-message-move-task"), said


def failed_task_does_not_stop_the_rest():
    with redrive(dead="2", after=["FAILED"], messages=[SCHEDULED]) as played:
        status, said = played.run("infra/redrive")
        assert status == 1 and "the task ended with FAILED" in said and "settled: 1, kept: 0" in said, said
        assert any("ap-southeast-1" in line for line in played.commands)


def only_named_regions_are_touched():
    with redrive() as played:
        assert played.run("infra/redrive", "eu")[0] == 0
        assert played.commands and all("--region eu-central-1" in line for line in played.commands)


def unknown_arguments_are_refused():
    for arguments in (["u."], [""], ["us eu"], ["us", "--dry-run"], ["--help"]):
        with redrive() as played:
            status, said = played.run("infra/redrive", *arguments)
            assert status == 1 and "unknown region" in said and not played.commands, said


def dry_run_runs_nothing():
    with redrive(dead="2", messages=[batch("b", 0, 0)], records=[record(0)]) as played:
        status, said = played.run("infra/redrive", "--dry-run", "us")
        printed = {line.split()[2] for line in said.splitlines() if line.startswith("aws ")}
        assert status == 0 and not played.commands, said
        played.run("infra/redrive", "us")
        assert {line.split()[2] for line in played.commands} <= printed, said


TESTS = [each_kind_is_sent_again, second_run_finds_nothing, only_the_outbox_of_the_batch_is_read_over_pages,
         long_batches_are_split_in_order, batch_without_its_records_is_kept, failed_batch_is_kept_and_sent_by_the_next_run,
         messages_of_unknown_kinds_are_kept, message_that_comes_again_is_tried_once, failure_in_the_middle_loses_nothing,
         messages_that_an_interrupted_run_received_are_reported, task_of_an_interrupted_run_is_awaited,
         failed_task_does_not_stop_the_rest, only_named_regions_are_touched, unknown_arguments_are_refused, dry_run_runs_nothing]

sys.exit(tell("infra/redrive", TESTS, seen))
