"""Finds changes of the templates that an update of deployed stacks would refuse, or that would replace or lose data.

    upgrade.py [REF]      compares the templates of a release with today's

REF is a commit; without it, the newest tag `release-*`. Compares expanded templates with sample values, so that another
spelling of the same name is no change. Fails on

- a resource that holds data, or is kept on deletion, and would be replaced, removed, renamed, moved to another stack, or be less
  protected
- a resource with a fixed name that moves to another stack or to another logical id, or that must be replaced under its name:
  CloudFormation creates the new one before it deletes the old one
- a removed route that has settings of its own: API Gateway refuses settings of a route that does not exist
- a changed export that another stack imports
"""

import json
import sys

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from stack_templates import Values, git, load

REGION = "us-east-1"
HOLDS_DATA = {
    "AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SecretsManager::Secret",
}
# Properties whose change loses data or is refused, although the resource's schema does not say so.
FIXED = {
    # A new value in place of the one that was rotated.
    "AWS::SecretsManager::Secret": ["SecretString", "GenerateSecretString"],
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
    "AWS::KMS::Key": ["KeySpec", "KeyUsage", "MultiRegion", "Origin"],
}
# Switches that protect data. Once on, they stay on.
PROTECTIONS = {"DeletionProtectionEnabled", "PointInTimeRecoveryEnabled", "EnableKeyRotation", "SSEEnabled"}
KEPT = ("Retain", "RetainExceptOnCreate")
# How sample names end that CloudFormation makes.
MADE = "-ABCDEFGHIJKL"


def schema(kind):
    try:
        return PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    except Exception:  # noqa: BLE001  # no schema: a resource of CloudFormation itself
        return {}


def fixed_properties(kind):
    """Properties whose change replaces the resource."""
    found = schema(kind)
    paths = (found.get("createOnlyProperties") or []) + (found.get("conditionalCreateOnlyProperties") or [])
    return sorted({path.split("/")[2] for path in paths} | set(FIXED.get(kind, [])))


def fixed_name(resource):
    """The name that a template gives a resource, if it does: nothing else in the account may have it."""
    if resource["Type"] == "AWS::Lambda::Alias":
        # Each function has names of its own for its aliases.
        return None
    found = schema(resource["Type"])
    identity = {path.split("/")[2] for path in found.get("primaryIdentifier") or []}
    fixed = {path.split("/")[2] for path in found.get("createOnlyProperties") or []}
    properties = resource.get("Properties", {})
    names = sorted((identity | {"Name"}) & fixed & set(properties))
    # References to other resources are no names: CloudFormation makes those.
    return next((properties[name] for name in names if isinstance(properties[name], str) and MADE not in properties[name]), None)


def holds_data(resource):
    return resource["Type"] in HOLDS_DATA or resource.get("DeletionPolicy") in KEPT


def switches(value, path=""):
    """The paths of all protections that are on."""
    if isinstance(value, list):
        # Items are known by their region, if they have one: the replicas of a table.
        pairs = [(str(one.get("Region", place)) if isinstance(one, dict) else str(place), one) for place, one in enumerate(value)]
    elif isinstance(value, dict):
        pairs = value.items()
    else:
        return
    for name, one in pairs:
        if name in PROTECTIONS and one is True:
            yield f"{path}{name}"
        yield from switches(one, f"{path}{name}.")


def changed(old, new):
    """The properties with which an update would replace a resource."""
    before, after = old.get("Properties", {}), new.get("Properties", {})
    return [name for name in fixed_properties(old["Type"]) if text(before.get(name)) != text(after.get(name))]


def text(value):
    return json.dumps(value, sort_keys=True)


def compare_data(name, old, new):
    """Changes of a resource that holds data."""
    if old["Type"] != new["Type"]:
        yield f"{name} would be replaced: it becomes {new['Type']}"
    for of in changed(old, new):
        yield f"{name} would be replaced: {of} changes"
    if old.get("Condition") != new.get("Condition"):
        yield f"{name} may be removed: its condition changes"
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if old.get(policy) in KEPT and new.get(policy) not in KEPT:
            yield f"{name} is less protected: {policy} is no longer {old[policy]}"
    on = set(switches(new.get("Properties", {})))
    for switch in switches(old.get("Properties", {})):
        if switch not in on:
            yield f"{name} is less protected: {switch} is no longer on"


def resources(stacks):
    """Every resource by stack and logical id."""
    return {(stack, id): resource for stack, template in stacks.items() for id, resource in template["Resources"].items()}


def compare_resources(old, new):
    before, after = resources(old), resources(new)
    by_name = {(it["Type"], fixed_name(it)): place for place, it in after.items() if fixed_name(it)}
    by_id = {(it["Type"], id): stack for (stack, id), it in after.items()}
    for (stack, id), resource in before.items():
        name, own = f"{id} ({resource['Type']}, stack {stack})", fixed_name(resource)
        now = after.get((stack, id))
        if now is not None and holds_data(resource):
            yield from compare_data(name, resource, now)
        elif now is not None:
            of = changed(resource, now)
            if own and of and own == fixed_name(now):
                yield f"{name} must be replaced, but its name {own} is in use until then: {', '.join(of)} changes"
        elif (place := by_name.get((resource["Type"], own))) and place[0] != stack:
            yield f"{name} moves to the stack {place[0]}, but its name {own} is in use until then"
        elif place:
            yield f"{name} gets the logical id {place[1]}, but its name {own} is in use until then"
        elif holds_data(resource) and (other := by_id.get((resource["Type"], id))):
            yield f"{name} moves to the stack {other}: another one would be created there"
        elif holds_data(resource):
            yield f"{name} is removed, and holds data"


def routes(stacks):
    """The keys of all routes, such as `GET /api/settings`."""
    found = {"$default"}
    for resource in resources(stacks).values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::ApiGatewayV2::Route":
            found.add(properties.get("RouteKey"))
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            for path, methods in (properties.get("Body") or {}).get("paths", {}).items():
                found |= {f"{method.upper()} {path}" for method in methods}
    return found


def throttled(stacks):
    """The keys of the routes with settings of their own."""
    stages = [it for it in resources(stacks).values() if it["Type"] == "AWS::ApiGatewayV2::Stage"]
    return {key for stage in stages for key in stage.get("Properties", {}).get("RouteSettings") or {}}


def compare_routes(old, new):
    now = routes(new)
    for key in sorted((throttled(old) & routes(old) | throttled(new)) - now):
        yield (f"the route {key} is removed, and has RouteSettings: release once without its RouteSettings, and then without "
               "the route")


def imports(value):
    """The expressions of all imported exports."""
    if isinstance(value, list):
        for one in value:
            yield from imports(one)
    elif isinstance(value, dict):
        if "Fn::ImportValue" in value:
            yield value["Fn::ImportValue"]
        for one in value.values():
            yield from imports(one)


def compare_exports(old, new):
    before, after = Values(old), Values(new)
    imported = {values.of(stack, name) for values in (before, after) for stack, template in values.stacks.items()
                for name in imports(template)}
    for name in sorted(imported & set(before.exports)):
        if name not in after.exports:
            yield f"the export {name} is removed, and imported"
        elif before.of(*before.exports[name]) != after.of(*after.exports[name]):
            yield f"the export {name} changes, and is imported"


def with_values(stacks):
    """The stacks with sample values in their resources."""
    values = Values(stacks)
    return {stack: template | {"Resources": {id: resource | {"Properties": values.of(stack, resource.get("Properties", {}))}
                                             for id, resource in template["Resources"].items()}}
            for stack, template in stacks.items()}


def compare(old, new):
    """All reasons for which an update from old to new is refused."""
    before, after = with_values(old), with_values(new)
    return [*compare_resources(before, after), *compare_routes(before, after), *compare_exports(old, new)]


def main():
    tags = git("tag", "--list", "release-*", "--sort=-version:refname").split()
    ref = sys.argv[1] if len(sys.argv) > 1 else next(iter(tags), None)
    if ref is None:
        print("no release to compare with: no tag release-* exists")
        return 0
    wrong = compare(load(ref), load())
    for line in wrong:
        print(f"error: since {ref}: {line}", file=sys.stderr)
    if not wrong:
        print(f"an update from {ref} keeps what holds data")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
