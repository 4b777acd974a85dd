"""Expands the templates as SAM does, and compares every stack with AWS quotas, today and with all planned functions.

    limits                      prints the table of docs/deployment.md
    limits --write              updates the table in docs/deployment.md
    limits --check              fails if the table is outdated, or if the projection uses more than 60 % of a quota

Sizes are computed with sample values: the longest names of a region.
"""

import argparse
import json
import sys

from stack_templates import APP, DATA, ROOT, Values, expand, sources

PAGE = ROOT / "docs" / "deployment.md"
BEGIN, END = "<!-- limits: begin -->\n", "<!-- limits: end -->\n"
REGIONS = 3
# The functions of the whole product, with the areas to come.
PLANNED = 150
# The maximum share of a quota.
MAX_SHARE = 0.6
METRIC_MONTH = 0.10
# Concurrent executions that can be reserved: the quota, without the 100 that AWS keeps for functions without reservation.
RESERVABLE = 900


def compact(value):
    return len(json.dumps(value, separators=(",", ":")))


def rounded(size):
    """Rounds up to two digits, so that the table does not change with every byte."""
    unit = 10 ** max(len(str(size)) - 2, 0)
    return -(-size // unit) * unit


class Platform:
    """The expanded templates of all stacks."""

    def __init__(self):
        from samtranslator.yaml_helper import yaml_parse

        self.texts = sources()
        self.stacks = {name: expand(yaml_parse(text)) for name, text in self.texts.items()}
        self.values = Values(self.stacks)
        self.areas = [name for name in self.stacks if name not in (APP, DATA)]

    def of_type(self, kind):
        """The stack's name and the properties of every resource of a type."""
        every = ((name, it) for name, stack in self.stacks.items() for it in stack["Resources"].values())
        return [(name, it.get("Properties", {})) for name, it in every if it["Type"] == kind]

    def size(self, stack, value):
        return compact(self.values.of(stack, value))

    def largest(self, kind, size):
        return max(size(stack, it) for stack, it in self.of_type(kind))


def counts(platform):
    """Quotas as rows of name, usage today, whether it grows with the number of functions, and maximum."""
    stacks, size = platform.stacks, platform.size
    roles, functions = platform.of_type("AWS::IAM::Role"), platform.of_type("AWS::Lambda::Function")
    ((_, api),) = platform.of_type("AWS::ApiGatewayV2::Api")
    routes = sum(len(methods) for methods in api["Body"]["paths"].values())
    inline = lambda stack, role: sum(size(stack, policy["PolicyDocument"]) for policy in role.get("Policies", []))
    resources = {name: len(stack["Resources"]) for name, stack in stacks.items()}
    area = max(platform.areas, key=resources.get)
    bytes_of = lambda name: len(platform.texts[name].encode())
    largest = max(stacks, key=bytes_of)
    reserved = sum(int(it.get("ReservedConcurrentExecutions", 0)) for _, it in functions)
    return [
        ("resources of the data stack", resources[DATA], False, 500),
        ("resources of the parent", resources[APP], True, 500),
        (f"resources of the largest area, `{area}`", resources[area], True, 500),
        ("resources of the parent and all areas", sum(resources.values()) - resources[DATA], True, 2_500),
        (f"template, bytes, `{largest}`", rounded(bytes_of(largest)), True, 1024 * 1024),
        ("expanded template, bytes", rounded(max(map(compact, stacks.values()))), True, 1024 * 1024),
        ("parameters of a stack", max(len(it.get("Parameters", {})) for it in stacks.values()), False, 200),
        ("outputs of a stack", max(len(it.get("Outputs", {})) for it in stacks.values()), False, 200),
        ("routes of an API", routes, True, 300),
        ("integrations of an API", routes, True, 300),
        ("inline policies of the largest role, characters", rounded(platform.largest("AWS::IAM::Role", inline)), False, 10_240),
        ("permissions boundary, characters", rounded(platform.largest("AWS::IAM::ManagedPolicy", lambda stack, it: size(stack, it["PolicyDocument"]))), False, 6_144),
        ("managed policies of a role", max(len(role.get("ManagedPolicyArns", [])) for _, role in roles), False, 10),
        (f"roles in an account, with all {REGIONS} regions", REGIONS * len(roles), True, 1_000),
        ("reserved concurrent executions", reserved, True, RESERVABLE),
        ("environment variables of a function, bytes", rounded(platform.largest("AWS::Lambda::Function", lambda stack, it: size(stack, it["Environment"]["Variables"]))), False, 4_096),
        ("rules of an event bus", len(platform.of_type("AWS::Events::Rule")), True, 300),
        ("longest event pattern, characters", rounded(platform.largest("AWS::Events::Rule", lambda stack, it: size(stack, it["EventPattern"]))), True, 2_048),
    ]


def metrics(alarm):
    """The number of metrics of an alarm, which determine its price."""
    return sum("MetricStat" in metric for metric in alarm.get("Metrics", [])) or 1


def table(platform):
    functions = len(platform.of_type("AWS::Lambda::Function"))
    rows = [
        (what, now, -(-now * PLANNED // functions) if grows else now, most)
        for what, now, grows, most in counts(platform)
    ]
    lines = [f"| quota | usage with {functions} functions | with {PLANNED} | maximum | then used |", "|---|---|---|---|---|"]
    lines += [f"| {what} | {now:,} | {then:,} | {most:,} | {100 * then / most:.0f} % |" for what, now, then, most in rows]
    alarms = [it for _, it in platform.of_type("AWS::CloudWatch::Alarm")]
    paid = sum(map(metrics, alarms))
    lines += ["", f"{len(alarms)} alarms monitor {paid} metrics at ${METRIC_MONTH:.2f} each: ${paid * METRIC_MONTH:.2f} per month and region."]
    return rows, "\n".join(lines) + "\n"


def parts(page):
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    return before, old, after


def check(rows, text):
    wrong = [f"{what}: {then:,} of {most:,}" for what, _, then, most in rows if then > MAX_SHARE * most]
    if parts(PAGE.read_text())[1] != text:
        wrong.append(f"the table in {PAGE.relative_to(ROOT)} is outdated; run `infra/limits --write`")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    rows, text = table(Platform())
    if options.write:
        before, _, after = parts(PAGE.read_text())
        PAGE.write_text(before + BEGIN + text + END + after)
    if options.check:
        return check(rows, text)
    print(text, end="")
    return 0


sys.exit(main())
