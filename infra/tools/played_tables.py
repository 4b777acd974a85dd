"""Stands in for the AWS CLI in restore_region_test.py: plays tables and backups from a story, and records the commands.

It refuses what DynamoDB refuses: changes of a table that is not active, two tables of one name, deletion of a protected table.
"""

import json
import shlex
import sys


def option(words, name):
    return words[words.index(name) + 1] if name in words else ""


class Refused(Exception):
    """An error as the AWS CLI prints it."""


def table(story, name, active=True):
    found = story["tables"].get(name)
    if found is None:
        raise Refused("An error occurred (ResourceNotFoundException): Requested resource not found")
    if active and found["status"] != "ACTIVE":
        raise Refused(f"An error occurred (ResourceInUseException): {name} is {found['status']}")
    return found


def make(story, name, items, words, time):
    if name in story["tables"]:
        raise Refused(f"An error occurred (TableAlreadyExistsException): {name}")
    key = option(words, "--sse-specification-override").rpartition("KMSMasterKeyId=")[2]
    story["tables"][name] = {"status": "CREATING", "items": items, "key": key, "time": time, "looks": story["slow"]}


def describe(story, words):
    found = table(story, option(words, "--table-name"), active=False)
    query = option(words, "--query")
    if query.endswith("KMSMasterKeyArn"):
        return found["key"]
    if query.endswith("RestoreDateTime"):
        return found.get("time", "None")
    # Each look brings an operation nearer to its end.
    answer = found["status"]
    found["looks"] = found.get("looks", 0) - 1
    if found["looks"] <= 0 and answer == "DELETING":
        del story["tables"][option(words, "--table-name")]
    elif found["looks"] <= 0:
        found["status"] = "ACTIVE"
    return answer


def update(story, words):
    found = table(story, option(words, "--table-name"))
    found["status"], found["looks"] = "UPDATING", 1
    if "--no-deletion-protection-enabled" in words:
        found["protected"] = False
    if "--deletion-protection-enabled" in words:
        found["protected"] = True
    if "--stream-specification" in words:
        found["stream"] = True


def answer(story, words):
    """The output of a command."""
    service, operation = words[:2]
    if operation == "get-caller-identity":
        return "123456789012"
    if operation == "export-credentials":
        return "export AWS_ACCESS_KEY_ID=played"
    if operation == "describe-table":
        return describe(story, words)
    if operation == "restore-table-to-point-in-time":
        time = option(words, "--restore-date-time").replace("Z", "+00:00")
        source = table(story, option(words, "--source-table-name"))
        make(story, option(words, "--target-table-name"), f"{source['items']} restored", words, time)
    elif operation == "create-backup":
        source = table(story, option(words, "--table-name"))
        arn = f"arn:aws:dynamodb:us-east-1:1:table/{option(words, '--table-name')}/backup/{len(story['backups']):014}"
        story["backups"][arn] = {"items": source["items"], "looks": 2}
        return arn
    elif operation == "describe-backup":
        found = story["backups"][option(words, "--backup-arn")]
        found["looks"] -= 1
        return "CREATING" if found["looks"] > 0 else story["backup"]
    elif operation == "restore-table-from-backup":
        backup = story["backups"][option(words, "--backup-arn")]
        if backup["looks"] > 0:
            raise Refused("An error occurred (BackupInUseException)")
        make(story, option(words, "--target-table-name"), backup["items"], words, "backup")
    elif operation == "update-table":
        update(story, words)
    elif operation == "delete-table":
        found = table(story, option(words, "--table-name"))
        if found.get("protected"):
            raise Refused("An error occurred (ValidationException): protected against deletion")
        found["status"], found["looks"] = "DELETING", 2
    elif operation == "update-continuous-backups":
        table(story, option(words, "--table-name"))["recoverable"] = True
    elif operation == "update-time-to-live":
        table(story, option(words, "--table-name"))["expires"] = True
    else:
        raise Refused(f"not played: {operation}")
    return ""


def play(folder, words):
    """Plays one command: prints its output and returns its exit status."""
    path = f"{folder}/story.json"
    with open(path) as file:
        story = json.load(file)
    with open(f"{folder}/log", "a") as log:
        log.write(shlex.join(["aws", *words]) + "\n")
    status = 0
    fails = story["fails"].get(words[1], 0)
    if fails:
        # The nth command of this operation fails, and only it.
        story["fails"][words[1]] = fails - 1
    try:
        if fails == 1:
            raise Refused(f"An error occurred (AccessDeniedException) when calling {words[1]}")
        print(answer(story, words))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        status = 254
    with open(path, "w") as file:
        json.dump(story, file)
    return status


sys.exit(play(sys.argv[1], sys.argv[2:]))
