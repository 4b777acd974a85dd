"""Checks the commands of dry runs against the interfaces of AWS: `aws` commands in standard input, one a line.

Checks that each operation exists, that it has these options and its required ones, that structures and query expressions are
valid. Other commands are only counted. Values such as names of stacks are not checked.
"""

import collections
import json
import shlex
import sys

import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
GLOBAL = {"region", "output", "query", "max-items"}
# Commands of the AWS CLI that are no operations, and their options.
CUSTOM = {("s3", "cp"): {"only-show-errors"}, ("s3", "rb"): {"force"}}


def options(words):
    """The options of a command, each with its values."""
    found, name = {}, None
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            found[name] = []
        elif name is not None:
            found[name].append(word)
    return found


def shorthand(text):
    """A structure in the CLI's short form: `Key=a,Value=b`."""
    return dict(part.split("=", 1) for part in text.split(","))


def value(shape, words):
    """A parameter's value, as the CLI reads it."""
    if shape.type_name in ("list", "map", "structure") and words[0][:1] in ("{", "["):
        return json.loads(words[0])
    if shape.type_name == "list":
        return [value(shape.member, [word]) for word in words]
    if shape.type_name == "structure":
        # Every member of the structures here is text or a number.
        return {name: value(shape.members[name], [text]) for name, text in shorthand(words[0]).items()}
    if shape.type_name == "boolean":
        return True
    (word,) = words
    return int(word) if shape.type_name in ("integer", "long") and word.isdigit() else word


def problems(words):
    """The mistakes in an `aws` command."""
    service, operation, *rest = words
    api = "s3" if service == "s3api" else service
    if service != "s3" and operation == "wait":
        waiter = SESSION.get_waiter_model(api)
        (name,) = [name for name in waiter.waiter_names if xform_name(name, "-") == rest[0]] or [None]
        if name is None:
            return [f"no waiter {rest[0]}"]
        operation, rest = xform_name(waiter.get_waiter(name).operation, "-"), rest[1:]
    given = options(rest)
    wrong = []
    if query := given.get("query"):
        jmespath.compile(query[0])
    if (service, operation) in CUSTOM:
        return [f"no option --{name}" for name in set(given) - GLOBAL - CUSTOM[service, operation]]
    model = SESSION.get_service_model(api)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return [f"no operation {operation}"]
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    parameters = {}
    for name, text in given.items():
        member = members.get(name) or members.get(name.removeprefix("no-"))
        if member:
            parameters[member] = value(shape.members[member], text)
        elif name not in GLOBAL:
            wrong.append(f"no option --{name}")
    if shape and (report := ParamValidator().validate(parameters, shape)).has_errors():
        # Times may be placeholders.
        wrong += [line for line in report.generate_report().splitlines() if "Time" not in line]
    return wrong


def main():
    counted, failed = collections.Counter(), 0
    for line in sys.stdin:
        if line.startswith(("#", " ", "\n")):
            continue
        try:
            split = shlex.split(line)
        except ValueError as error:
            sys.exit(f"error: {error}: {line}")
        words = [word for word in split if not word.startswith("AWS_ACCESS_KEY_ID=")]
        counted[words[0]] += 1
        if words[0] != "aws":
            continue
        try:
            wrong = problems(words[1:])
        except (BotoCoreError, ValueError, KeyError, jmespath.exceptions.JMESPathError) as error:
            wrong = [repr(error)]
        for reason in wrong:
            failed += 1
            print(f"error: {reason}: {line.strip()}", file=sys.stderr)
    print("commands of dry runs:", ", ".join(f"{count} {name}" for name, count in counted.most_common()))
    return 1 if failed or not counted["aws"] else 0


sys.exit(main())
