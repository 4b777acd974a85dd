"""Checks every IAM policy of the expanded templates with parliament.

    policies.py FOLDER      a folder of expanded templates

Fails on findings of medium and higher severity, and on unknown actions and services, which parliament rates low. Exceptions
have reasons.
"""

import json
import sys
from pathlib import Path

import parliament

from stack_templates import Values

FAILS = {"MEDIUM", "HIGH", "CRITICAL"}
FAILS_ALWAYS = {"UNKNOWN_ACTION", "UNKNOWN_PREFIX"}
# The finding, a part of its place or detail, and why it is no mistake.
LOGS = ("AWS documents this statement for keys of log groups: "
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html")
EXCEPTIONS = [
    ("MISMATCHED_TYPE", "Key/KeyPolicy", LOGS),
    ("UNKNOWN_CONDITION_FOR_ACTION", "kms:EncryptionContext:aws:logs:arn for action kms:DescribeKey", LOGS),
]
# A policy whose mistakes must be found: else these checks say nothing.
WRONG = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "dynamodb:GetItems", "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/t"},
    {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:s3:::bucket"}]}


def documents(stacks):
    """Every policy document, with its place."""
    values = Values(stacks)
    for stack, template in stacks.items():
        for id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            found = [(policy["PolicyName"], policy["PolicyDocument"]) for policy in properties.get("Policies", [])
                     if resource["Type"] == "AWS::IAM::Role"]
            for name in ("KeyPolicy", "PolicyDocument", "ResourcePolicy"):
                found += [(name, properties[name])] if name in properties else []
            for name, document in found:
                yield f"{stack}/{id}/{values.of(stack, name)}", values.of(stack, document)


def findings(place, document):
    policy = parliament.analyze_policy_string(json.dumps(document), ignore_private_auditors=True)
    for found in map(parliament.enhance_finding, policy.findings):
        detail = f"{found.issue}: {found.title} {found.detail}"
        if found.severity in FAILS or found.issue in FAILS_ALWAYS:
            yield found.issue, f"{place}: {detail}"


def main():
    stacks = {path.stem: json.loads(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*.json"))}
    checked, wrong, used = 0, [], set()
    for place, document in documents(stacks):
        checked += 1
        for issue, line in findings(place, document):
            excepted = [it for it in EXCEPTIONS if it[0] == issue and it[1] in line]
            used |= {it[:2] for it in excepted}
            wrong += [] if excepted else [line]
    if {issue for issue, _ in findings("", WRONG)} != {"UNKNOWN_ACTION", "RESOURCE_MISMATCH"}:
        wrong.append("parliament does not find planted mistakes")
    wrong += [f"the exception {it[0]} of {it[1]} is not needed" for it in EXCEPTIONS if it[:2] not in used]
    for line in sorted(set(wrong)):
        print(f"error: {line}", file=sys.stderr)
    print(f"{checked} policies checked, {len(EXCEPTIONS)} exceptions")
    return 1 if wrong or not checked else 0


sys.exit(main())
