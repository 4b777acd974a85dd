"""Tests upgrade.py with made-up changes of today's templates."""

import copy
import sys

from stack_templates import APP, DATA, load
from upgrade import compare, resources

TABLE = {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {"TableName": "made-up"}}


def first(stacks, stack, kind):
    """The first resource of a type in a stack."""
    return next((id, it) for id, it in stacks[stack]["Resources"].items() if it["Type"] == kind)


def somewhere(stacks, kind):
    """The stack, logical id and value of the first resource of a type."""
    return next((stack, id, it) for (stack, id), it in resources(stacks).items() if it["Type"] == kind)


# Each change edits the old and the new templates, and returns what the finding must contain; None if there must be none.


def nothing(old, new):
    return None


def renamed_table(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    table["Properties"]["TableName"] = "renamed"
    return f"{id} (AWS::DynamoDB::Table, stack data) would be replaced: TableName changes"


def other_spelling_of_the_name(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    table["Properties"]["TableName"] = {"Fn::Join": ["", [table["Properties"]["TableName"], ""]]}
    return None


def other_key(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    table["Properties"]["KeySchema"] = [{"AttributeName": "id", "KeyType": "HASH"}]
    return f"{id} (AWS::DynamoDB::Table, stack data) would be replaced: KeySchema changes"


def removed_bucket(old, new):
    id, _ = first(new, DATA, "AWS::S3::Bucket")
    del new[DATA]["Resources"][id]
    return f"{id} (AWS::S3::Bucket, stack data) is removed"


def moved_table(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    new[APP]["Resources"][id] = new[DATA]["Resources"].pop(id)
    old[DATA]["Resources"][id]["Properties"]["TableName"] = "fixed"
    table["Properties"]["TableName"] = "fixed"
    return f"{id} (AWS::DynamoDB::Table, stack data) moves to the stack app"


def moved_key(old, new):
    id, _ = first(new, DATA, "AWS::KMS::Key")
    new[APP]["Resources"][id] = new[DATA]["Resources"].pop(id)
    return f"{id} (AWS::KMS::Key, stack data) moves to the stack app"


def renamed_secret(old, new):
    id, secret = first(new, DATA, "AWS::SecretsManager::Secret")
    secret["Properties"]["Name"] = "renamed"
    return f"{id} (AWS::SecretsManager::Secret, stack data) would be replaced: Name changes"


def other_first_value(old, new):
    id, secret = first(new, DATA, "AWS::SecretsManager::Secret")
    secret["Properties"]["SecretString"] = '{"keys":[]}'
    return f"{id} (AWS::SecretsManager::Secret, stack data) would be replaced: SecretString changes"


def other_logical_id(old, new):
    id, _ = first(new, DATA, "AWS::DynamoDB::Table")
    new[DATA]["Resources"]["Other"] = new[DATA]["Resources"].pop(id)
    return f"{id} (AWS::DynamoDB::Table, stack data) gets the logical id Other"


def key_of_another_kind(old, new):
    id, key = first(new, DATA, "AWS::KMS::Key")
    key["Properties"]["MultiRegion"] = True
    return f"{id} (AWS::KMS::Key, stack data) would be replaced: MultiRegion changes"


def deleted_with_its_stack(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    table["DeletionPolicy"] = "Delete"
    return f"{id} (AWS::DynamoDB::Table, stack data) is less protected: DeletionPolicy is no longer Retain"


def no_deletion_protection(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    table["Properties"]["DeletionProtectionEnabled"] = False
    return f"{id} (AWS::DynamoDB::Table, stack data) is less protected: DeletionProtectionEnabled is no longer on"


def removed_replica(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::GlobalTable")
    region = table["Properties"]["Replicas"].pop()["Region"]
    return f"{id} (AWS::DynamoDB::GlobalTable, stack data) is less protected: Replicas.{region}.DeletionProtectionEnabled"


def conditional_table(old, new):
    id, table = first(new, DATA, "AWS::DynamoDB::Table")
    table["Condition"] = "IsAuthority"
    return f"{id} (AWS::DynamoDB::Table, stack data) may be removed: its condition changes"


def new_table(old, new):
    new[DATA]["Resources"]["Other"] = TABLE
    return None


def removed_function(old, new):
    stack, id, _ = somewhere(new, "AWS::Lambda::Function")
    del new[stack]["Resources"][id]
    return None


def moved_function(old, new):
    stack, id, function = somewhere(new, "AWS::Lambda::Function")
    function["Properties"]["FunctionName"] = old[stack]["Resources"][id]["Properties"]["FunctionName"] = "fixed"
    new[DATA]["Resources"][id] = new[stack]["Resources"].pop(id)
    return f"{id} (AWS::Lambda::Function, stack {stack}) moves to the stack data, but its name fixed is in use"


def replaced_under_its_name(old, new):
    stack, id, function = somewhere(new, "AWS::Lambda::Function")
    function["Properties"]["FunctionName"] = old[stack]["Resources"][id]["Properties"]["FunctionName"] = "fixed"
    function["Properties"]["PackageType"] = "Image"
    return f"{id} (AWS::Lambda::Function, stack {stack}) must be replaced, but its name fixed is in use"


def throttle(stacks, route):
    _, _, stage = somewhere(stacks, "AWS::ApiGatewayV2::Stage")
    stage["Properties"].setdefault("RouteSettings", {})[route] = {"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 1}


def remove_route(stacks, route):
    method, path = route.split()
    for resource in resources(stacks).values():
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            resource["Properties"]["Body"]["paths"][path].pop(method.lower())
    for template in stacks.values():
        template["Resources"] = {id: it for id, it in template["Resources"].items()
                                 if it.get("Properties", {}).get("RouteKey") != route}


ROUTE = "POST /api/auth/sign-in"


def removed_throttled_route(old, new):
    throttle(old, ROUTE)
    remove_route(new, ROUTE)
    return f"the route {ROUTE} is removed, and has RouteSettings"


def removed_route(old, new):
    remove_route(new, "GET /api/settings")
    return None


def no_longer_throttled_route(old, new):
    throttle(old, ROUTE)
    return None


def exported(stacks, value):
    stacks[DATA].setdefault("Outputs", {})["MadeUp"] = {"Value": value, "Export": {"Name": {"Fn::Sub": "${Platform}-made-up"}}}
    stacks[APP].setdefault("Outputs", {})["Uses"] = {"Value": {"Fn::ImportValue": {"Fn::Sub": "${Platform}-made-up"}}}


def changed_export(old, new):
    exported(old, "one")
    exported(new, "two")
    return "the export account-platform-made-up changes, and is imported"


def removed_export(old, new):
    exported(old, "one")
    new[APP].setdefault("Outputs", {})["Uses"] = {"Value": {"Fn::ImportValue": {"Fn::Sub": "${Platform}-made-up"}}}
    return "the export account-platform-made-up is removed, and imported"


CHANGES = [nothing, renamed_table, other_spelling_of_the_name, other_key, removed_bucket, moved_table, moved_key, renamed_secret,
           other_first_value, other_logical_id, key_of_another_kind, deleted_with_its_stack, no_deletion_protection,
           removed_replica, conditional_table, new_table, removed_function, moved_function, replaced_under_its_name,
           removed_throttled_route, removed_route, no_longer_throttled_route, changed_export, removed_export]


def main():
    today, failed = load(), 0
    for change in CHANGES:
        old, new = copy.deepcopy(today), copy.deepcopy(today)
        expected = change(old, new)
        found = compare(old, new)
        ok = not found if expected is None else any(expected in line for line in found)
        if not ok:
            failed += 1
            print(f"FAILED {change.__name__}: expected {expected or 'no finding'}, found {found}", file=sys.stderr)
    print(f"upgrade check: {len(CHANGES) - failed} of {len(CHANGES)} made-up changes judged as expected")
    return 1 if failed else 0


sys.exit(main())
