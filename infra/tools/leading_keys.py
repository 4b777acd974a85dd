"""Finds out whether AWS judges `dynamodb:LeadingKeys` of a batch or a transaction per table, or over all its keys.

AWS does not document it: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import json

from checks import Failed
from platforms import AWS_REGIONS


class Role:
    """A role that may touch, in each of two tables, only keys that begin with the table's own letters."""

    name = "account-first-day-leading-keys"

    def __init__(self, at):
        self.at = at
        self.tables = {f"{at.stack}-us-identity": "FIRSTDAYA#1", f"{at.stack}-us-activity": "FIRSTDAYB#1"}
        self.environment = {}

    def __enter__(self):
        # An interrupted run may have left the role.
        self.remove()
        try:
            self.make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for command in (["delete-role-policy", "--policy-name", "keys"], ["delete-role"]):
            try:
                self.at.aws("us", "iam", *command, "--role-name", self.name)
            except Failed as refused:
                if "NoSuchEntity" not in str(refused):
                    raise

    def make(self):
        at = self.at
        owner = at.aws("us", "sts", "get-caller-identity")["Account"]
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{owner}:root"}}]}
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
             "Resource": f"arn:aws:dynamodb:{AWS_REGIONS['us']}:{owner}:table/{table}",
             "Condition": {"Null": {"dynamodb:LeadingKeys": "false"},
                           "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{key.split('#')[0]}#*"]}}}
            for table, key in self.tables.items()]}
        role = ["--role-name", self.name]
        made = at.aws("us", "iam", "create-role", *role, "--assume-role-policy-document", json.dumps(trust))
        at.aws("us", "iam", "put-role-policy", *role, "--policy-name", "keys", "--policy-document", json.dumps(policy))
        arn = f"arn:aws:iam::{owner}:role/{self.name}" if made else "ROLE"

        def assumed():
            try:
                return at.aws("us", "sts", "assume-role", "--role-arn", arn, "--role-session-name", "first-day")
            except Failed:
                return None

        # A new role is known everywhere within seconds.
        given = at.until(assumed)["Credentials"]
        self.environment = {"AWS_ACCESS_KEY_ID": given["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
                            "AWS_SESSION_TOKEN": given["SessionToken"]}

    def may(self, *command):
        """Whether IAM allows a command of this role."""
        try:
            self.at.aws("us", "dynamodb", *command, environment=self.environment)
            return True
        except Failed as refused:
            if "AccessDenied" in str(refused):
                return False
            raise

    def get(self, keys):
        items = {table: {"Keys": [{"pk": {"S": key}, "sk": {"S": "x"}}]} for table, key in keys.items()}
        return self.may("batch-get-item", "--request-items", json.dumps(items))

    def write(self, kind):
        key = lambda key: {"pk": {"S": key}, "sk": {"S": "x"}}
        items = [{kind: {"TableName": table, "Item" if kind == "Put" else "Key": key(of)}} for table, of in self.tables.items()]
        return self.may("transact-write-items", "--transact-items", json.dumps(items))


def leading_keys(at):
    """Tells whether `dynamodb:LeadingKeys` is judged per table or over all keys of a request."""
    with Role(at) as role:
        (first, key), (_, other) = role.tables.items()
        at.until(lambda: role.get({first: key}))
        if role.get({first: other}) and not at.dry:
            raise Failed("the condition refuses nothing, so that this check says nothing")
        readings = {"a batch": role.get(role.tables), "a transaction": role.write("Put")}
        if readings["a transaction"]:
            role.write("Delete")
    for what, per_table in readings.items():
        print(f"        LeadingKeys of {what} is judged {'per table' if per_table else 'over all keys'}", flush=True)
