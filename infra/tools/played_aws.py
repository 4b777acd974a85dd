"""Stands in for the AWS CLI in deploy_test.py: plays a story, and records the commands.

It knows nothing of AWS. Whether the commands are right for AWS is checked by commands.py, and on the first day.
"""

import json
import re
import sys

ALARMS = "arn:aws:cloudwatch:us-east-1:1:alarm:a,arn:aws:cloudwatch:us-east-1:1:alarm:b"
OUTPUTS = {"SourceBucket": "bucket", "RollbackAlarms": ALARMS, "AliasArn": "arn:alias", "VersionId": "v1", "Account": "1"}


def option(words, name):
    return words[words.index(name) + 1] if name in words else ""


def play(folder, words):
    """Plays one command: prints its output and returns its exit status."""
    path = f"{folder}/story.json"
    with open(path) as file:
        story = json.load(file)
    with open(f"{folder}/log", "a") as log:
        log.write(" ".join(words) + "\n")
    stack, query, operation = option(words, "--stack-name"), option(words, "--query"), words[1]
    state = story["stacks"].setdefault(f"{option(words, '--region')} {stack}", [])
    output, status = "", 0
    if "StackStatus" in query:
        # The last status stays.
        output = (state.pop(0) if len(state) > 1 else state[0]) if state else ""
        if output == "DENIED":
            print("An error occurred (AccessDenied)", file=sys.stderr)
            status = 254
        elif not output:
            print(f"Stack with id {stack} does not exist", file=sys.stderr)
            status = 254
    elif operation == "execute-change-set":
        state[:] = story["after"].get(stack, ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"])
    elif words[1:3] == ["wait", "change-set-create-complete"] and stack in story["empty"]:
        status = 255
    elif words[1:3] == ["wait", "stack-create-complete"] and stack in story["fails"]:
        status = 255
    elif query == "StatusReason":
        output = "The submitted information didn't contain changes."
    elif operation == "describe-alarms":
        output = story["on"] if "--state-value" in words else ALARMS.split(",")[1]
    elif query == "LastRotatedDate":
        secret = option(words, "--secret-id")
        output = "2026-01-01" if secret in story["filled"] else "None"
    elif operation == "rotate-secret":
        story["filled"].append(option(words, "--secret-id"))
    elif query == "RotationEnabled":
        output = "True"
    else:
        output = OUTPUTS.get("".join(re.findall("|".join(OUTPUTS), query)), "")
    with open(path, "w") as file:
        json.dump(story, file)
    print(output)
    return status


sys.exit(play(sys.argv[1], sys.argv[2:]))
