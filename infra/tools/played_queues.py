"""Stands in for the AWS CLI in redrive_test.py: plays queues, a stream and functions from a story, and records the commands.

It knows nothing of AWS. Whether the commands are right for AWS is checked by commands.py.
"""

import json
import shlex
import sys

URL = "https://sqs.us-east-1.amazonaws.com/1/"


def option(words, name):
    return words[words.index(name) + 1] if name in words else ""


def file_of(text):
    """What the AWS CLI reads from a file in place of a value."""
    _, _, path = text.partition("://")
    with open(path) as file:
        return file.read()


def page(story, start):
    """A page of the stream. An open shard has always a next one."""
    end = start + story["page"]
    following = min(end, len(story["records"]))
    closed = story["closed"] and following == len(story["records"])
    return {"Records": story["records"][start:end]} | ({} if closed else {"NextShardIterator": f"at-{following}"})


def receive(story):
    if not story["messages"]:
        return ""
    message = story["messages"].pop(0)
    story["received"].append(message)
    answer = {"MessageId": message["id"], "ReceiptHandle": f"receipt-{message['id']}", "Body": message["body"]}
    if message.get("target"):
        answer["MessageAttributes"] = {"TARGET_ARN": {"StringValue": message["target"], "DataType": "String"}}
    return json.dumps({"Messages": [answer]})


def invoke(story, words):
    story["invoked"].append(json.loads(file_of(option(words, "--payload"))) | {"function": option(words, "--function-name")})
    with open(words[2], "w") as file:
        json.dump(story["answer"], file)
    return json.dumps({"StatusCode": 200} | ({"FunctionError": "Unhandled"} if story["crashes"] else {}))


def received(story, words):
    """Takes a message out of those that were received."""
    place = [f"receipt-{message['id']}" for message in story["received"]].index(option(words, "--receipt-handle"))
    return story["received"].pop(place)


def answer(story, words):
    """The output of a command."""
    operation = words[1]
    if operation == "get-queue-url":
        return URL + option(words, "--queue-name")
    if operation == "get-queue-attributes":
        return {"QueueArn": "arn:aws:sqs:us-east-1:1:q", "ApproximateNumberOfMessages": story["dead"],
                "ApproximateNumberOfMessagesNotVisible": len(story["received"])}[option(words, "--attribute-names")]
    if operation == "list-message-move-tasks":
        state = story["tasks"].pop(0) if len(story["tasks"]) > 1 else story["tasks"][0] if story["tasks"] else None
        return json.dumps({"Results": [{"Status": state, "ApproximateNumberOfMessagesMoved": 2}] if state else []})
    if operation == "start-message-move-task":
        story["tasks"], story["dead"] = list(story["after"]), 0
        return json.dumps({"TaskHandle": "handle"})
    if operation == "receive-message":
        return receive(story)
    if operation == "delete-message":
        received(story, words)
    if operation == "change-message-visibility":
        # Visible for the next run: a message that this run saw again would be no news to it.
        story["later"].append(received(story, words))
    if operation == "send-message":
        story["sent"].append([option(words, "--queue-url").removeprefix(URL), file_of(option(words, "--message-body"))])
    if operation == "get-shard-iterator":
        numbers = [record["dynamodb"]["SequenceNumber"] for record in story["records"]]
        return f"at-{numbers.index(option(words, '--sequence-number'))}"
    if operation == "get-records":
        return json.dumps(page(story, int(option(words, "--shard-iterator").removeprefix("at-"))))
    if operation == "invoke":
        return invoke(story, words)
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
    if fails == 1:
        print(f"An error occurred (AccessDenied) when calling {words[1]}", file=sys.stderr)
        status = 254
    else:
        print(answer(story, words))
    with open(path, "w") as file:
        json.dump(story, file)
    return status


sys.exit(play(sys.argv[1], sys.argv[2:]))
