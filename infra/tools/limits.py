"""Expands the template as SAM does, and compares it with AWS quotas.

    limits                      prints the table of docs/deployment.md
    limits --write              updates the table in docs/deployment.md
    limits --check              fails if the table is outdated, or if more than 80 % of a quota is used
    limits --expanded FILE      also writes the expanded template to a file

Sizes are computed with sample values: the longest names of a region.
"""

import argparse
import copy
import json
import os
import re
import sys
from pathlib import Path

# The translator needs a region, but no access to AWS.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE, PAGE = ROOT / "template.yaml", ROOT / "docs" / "deployment.md"
BEGIN, END = "<!-- limits: begin -->\n", "<!-- limits: end -->\n"
REGIONS = 3
# The maximum share of a quota.
MAX_SHARE = 0.8
METRIC_MONTH = 0.10

SAMPLES = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "ap-southeast-1",
    "AWS::StackName": "account-platform",
    "Region": "ap",
    "ApiDomain": "api.accounts.example.com",
    "MailDomain": "accounts.example.com",
    "DirectoryTableName": "account-directory",
}


class ManagedPolicies:
    """Maps names of AWS managed policies to ARNs."""

    class Arns(dict):
        def __missing__(self, name):
            return f"arn:aws:iam::aws:policy/{name}"

    def load(self):
        return self.Arns()


def expand(template):
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # The translator requires an S3 location, which packaging would set.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, ManagedPolicies())


def filled(value):
    """Replaces intrinsic functions by sample values."""
    if isinstance(value, list):
        return [filled(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, of),) = value.items()
        if name == "Ref":
            return SAMPLES.get(of, f"account-platform-{of}-ABCDEFGHIJKL")
        if name == "Fn::If":
            return filled(of[2])
        if name == "Fn::FindInMap":
            return SAMPLES["Region"]
        if name == "Fn::GetAtt":
            thing = of if isinstance(of, str) else of[0]
            return f"arn:aws:service:ap-southeast-1:123456789012:thing/account-platform-ap-{thing}"
        if name == "Fn::Sub":
            text = of if isinstance(of, str) else of[0]
            return re.sub(r"\$\{([^}]+)\}", lambda match: filled({"Ref": match[1]}), text)
    return {key: filled(one) for key, one in value.items()}


def size(value):
    return rounded(len(json.dumps(filled(value), separators=(",", ":"))))


def rounded(size):
    """Rounds up to two digits, so that the table does not change with every byte."""
    unit = 10 ** max(len(str(size)) - 2, 0)
    return -(-size // unit) * unit


def counts(template, expanded):
    """Quotas as rows of name, usage and maximum."""
    resources = expanded["Resources"].values()
    of_type = lambda kind: [it.get("Properties", {}) for it in resources if it["Type"] == kind]
    roles, functions = of_type("AWS::IAM::Role"), of_type("AWS::Lambda::Function")
    (api,) = of_type("AWS::ApiGatewayV2::Api")
    (boundary,) = of_type("AWS::IAM::ManagedPolicy")
    routes = sum(len(methods) for methods in api["Body"]["paths"].values())
    inline = lambda role: sum(size(policy["PolicyDocument"]) for policy in role.get("Policies", []))
    return [
        ("resources in a stack", len(resources), 500),
        ("template, bytes", rounded(TEMPLATE.stat().st_size), 1024 * 1024),
        ("expanded template, bytes", rounded(len(json.dumps(expanded, separators=(",", ":")))), 1024 * 1024),
        ("parameters", len(template["Parameters"]), 200),
        ("outputs", len(template["Outputs"]), 200),
        ("routes of an API", routes, 300),
        ("integrations of an API", routes, 300),
        ("inline policies of the largest role, characters", max(map(inline, roles)), 10_240),
        ("permissions boundary, characters", size(boundary["PolicyDocument"]), 6_144),
        ("managed policies of a role", max(len(role.get("ManagedPolicyArns", [])) for role in roles), 10),
        (f"roles in an account, with all {REGIONS} regions", REGIONS * len(roles), 1_000),
        ("environment variables of a function, bytes", max(size(it["Environment"]["Variables"]) for it in functions), 4_096),
        ("rules of an event bus", len(of_type("AWS::Events::Rule")), 300),
        ("longest event pattern, characters", max(size(it["EventPattern"]) for it in of_type("AWS::Events::Rule")), 2_048),
    ]


def watched(expanded):
    """The number of alarms and of their metrics, which determine the price."""
    alarms = [it["Properties"] for it in expanded["Resources"].values() if it["Type"] == "AWS::CloudWatch::Alarm"]
    metrics = [sum("MetricStat" in metric for metric in alarm.get("Metrics", [])) or 1 for alarm in alarms]
    return len(alarms), sum(metrics)


def table(template, expanded):
    rows = counts(template, expanded)
    lines = ["| quota | usage | maximum | used |", "|---|---|---|---|"]
    lines += [f"| {what} | {now:,} | {most:,} | {100 * now / most:.0f} % |" for what, now, most in rows]
    alarms, metrics = watched(expanded)
    each = 4
    room = (int(500 * MAX_SHARE) - rows[0][1]) // each
    lines += [
        "",
        f"An endpoint needs {each} resources (function, role, permission, log group): {room} more fit before the stack reaches"
        f" {100 * MAX_SHARE:.0f} % of the first quota.",
        f"{alarms} alarms monitor {metrics} metrics at ${METRIC_MONTH:.2f} each: ${metrics * METRIC_MONTH:.2f} per month and region.",
    ]
    return rows, "\n".join(lines) + "\n"


def parts(page):
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    return before, old, after


def check(rows, text):
    wrong = [f"{what}: {now:,} of {most:,}" for what, now, most in rows if now > MAX_SHARE * most]
    if parts(PAGE.read_text())[1] != text:
        wrong.append(f"the table in {PAGE.relative_to(ROOT)} is outdated; run `infra/limits --write`")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--expanded", type=Path)
    options = parser.parse_args()
    template = yaml_parse(TEMPLATE.read_text())
    expanded = expand(template)
    if options.expanded:
        options.expanded.write_text(json.dumps(expanded, indent=1))
    rows, text = table(template, expanded)
    if options.write:
        before, _, after = parts(PAGE.read_text())
        PAGE.write_text(before + BEGIN + text + END + after)
    if options.check:
        return check(rows, text)
    print(text, end="")
    return 0


sys.exit(main())
