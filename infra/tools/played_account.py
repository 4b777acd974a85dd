"""Stands in for the AWS CLI in teardown_test.py: plays what an account holds in each region, and records the commands.

It deletes what the commands delete, evaluates their queries, and refuses what AWS refuses.
"""

import json
import shlex
import sys

import jmespath


def option(words, name):
    return words[words.index(name) + 1] if name in words else ""


class Refused(Exception):
    """An error as the AWS CLI prints it."""


def stack(here, name):
    """A stack by its name or, also if it is deleted, by its id."""
    for found in here["stacks"]:
        if name == found["StackId"] or (name == found["StackName"] and found["StackStatus"] != "DELETE_COMPLETE"):
            return found
    raise Refused(f"An error occurred (ValidationError): Stack with id {name} does not exist")


def stacks(here, operation, words):
    if operation == "list-stacks":
        wanted = option(words, "--stack-status-filter")
        return {"StackSummaries": [it for it in here["stacks"] if it["StackStatus"] == wanted]}
    if operation == "delete-stack":
        try:
            found = stack(here, option(words, "--stack-name"))
        except Refused:
            return {}
        if found.get("protected"):
            raise Refused("An error occurred (ValidationError): TerminationProtection is enabled")
        found["StackStatus"] = "DELETE_COMPLETE"
        return {}
    found = stack(here, option(words, "--stack-name"))
    if operation == "update-termination-protection":
        found["protected"] = "--enable-termination-protection" in words
    return {"Stacks": [found], "StackResourceSummaries": found["resources"]}


def tables(here, operation, words):
    name = option(words, "--table-name")
    if operation == "list-tables":
        return {"TableNames": list(here["tables"])}
    if name not in here["tables"]:
        raise Refused("An error occurred (ResourceNotFoundException)")
    if operation == "update-table":
        here["tables"][name] = "unprotected"
    elif here["tables"][name] != "unprotected":
        raise Refused("An error occurred (ValidationException): protected against deletion")
    else:
        del here["tables"][name]
    return {}


def secrets(here, operation, words):
    name = option(words, "--secret-id")
    if operation == "list-secrets":
        prefix = option(words, "--filters").partition("Values=")[2]
        return {"SecretList": [{"Name": it} for it in here["secrets"] if it.startswith(prefix)]}
    if operation == "remove-regions-from-replication":
        if not here["secrets"][name]:
            raise Refused("An error occurred (InvalidRequestException): no replicas")
        here["secrets"][name] = []
    elif here["secrets"][name]:
        raise Refused("An error occurred (InvalidRequestException): has replicas")
    else:
        del here["secrets"][name]
    return {}


def keys(here, operation, words):
    name = option(words, "--key-id")
    if name not in here["keys"]:
        raise Refused("An error occurred (NotFoundException)")
    if operation == "schedule-key-deletion":
        if here["keys"][name] == "PendingDeletion":
            raise Refused("An error occurred (KMSInvalidStateException)")
        here["keys"][name] = "PendingDeletion"
    return {"KeyMetadata": {"KeyState": here["keys"][name]}}


def answer(story, words):
    service, operation = words[:2]
    here = story["regions"].get(option(words, "--region"), {})
    if operation == "wait":
        return {}
    if service == "s3api":
        return {"Buckets": [{"Name": name} for name in story["buckets"]]}
    if service == "s3":
        story["buckets"].remove(words[-1].removeprefix("s3://"))
        return {}
    return {"cloudformation": stacks, "dynamodb": tables, "secretsmanager": secrets, "kms": keys}[service](here, operation, words)


def text(found):
    """A result as the AWS CLI prints it as text."""
    return "None" if found is None else "\t".join(found) if isinstance(found, list) else str(found)


def play(folder, words):
    """Plays one command: prints its output and returns its exit status."""
    path = f"{folder}/story.json"
    with open(path) as file:
        story = json.load(file)
    with open(f"{folder}/log", "a") as log:
        log.write(shlex.join(["aws", *words]) + "\n")
    status, name = 0, f"{words[0]} {words[1]}"
    fails = story["fails"].get(name, 0)
    if fails:
        # The nth command of this operation fails, and only it.
        story["fails"][name] = fails - 1
    try:
        if fails == 1:
            raise Refused(f"An error occurred (AccessDenied) when calling {name}")
        found = answer(story, words)
        query = option(words, "--query")
        print(text(jmespath.search(query, found)) if query else json.dumps(found))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        status = 254
    with open(path, "w") as file:
        json.dump(story, file)
    return status


sys.exit(play(sys.argv[1], sys.argv[2:]))
