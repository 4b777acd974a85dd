"""The templates of all stacks, as SAM expands them, because that is what CloudFormation gets."""

import copy
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

# The translator needs a region, but no access to AWS.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

ROOT = Path(__file__).resolve().parents[2]
# The stack that is deployed first, and the parent of the application's stacks.
DATA, APP = "data", "app"
STACKS = "infra/stacks"
PARENT = "template.yaml"

# Sample values: the longest names of a region.
SAMPLES = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "ap-southeast-1",
    "AWS::StackName": "account-platform",
    "AWS::URLSuffix": "amazonaws.com",
    "Platform": "account-platform",
    "Region": "ap",
    "ApiDomain": "api.accounts.example.com",
    "MailDomain": "accounts.example.com",
    "FeedbackTo": "feedback@accounts.example.com",
    "BreachedPasswordsUrl": "https://api.pwnedpasswords.com/range/",
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
    """A template as SAM expands it. Templates without SAM resources stay as they are."""
    template = copy.deepcopy(template)
    if "Transform" not in template:
        return template
    # Loaded late: it takes a second, and is not installed where expanded templates are read.
    from samtranslator.translator.transform import transform

    # It warns that nobody reads its metrics.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # The translator requires an S3 location, which packaging would set.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, ManagedPolicies())


def sources(ref=None):
    """The text of each stack's template by the stack's name, in the working tree or in a commit."""
    if ref is None:
        names = sorted(path.name for path in (ROOT / STACKS).glob("*.yaml"))
        read = lambda path: (ROOT / path).read_text()
    else:
        listed = git("ls-tree", "--name-only", ref, f"{STACKS}/").split()
        names = [Path(path).name for path in listed if path.endswith(".yaml")]
        read = lambda path: git("show", f"{ref}:{path}")
    return {APP: read(PARENT)} | {Path(name).stem: read(f"{STACKS}/{name}") for name in names}


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def load(ref=None):
    """The expanded template of each stack."""
    from samtranslator.yaml_helper import yaml_parse

    return {name: expand(yaml_parse(text)) for name, text in sources(ref).items()}


# The form of ARNs by type: everything after the account.
ARNS = {
    "AWS::ApiGatewayV2::Api": "apigateway:{region}::/apis/{name}",
    "AWS::CloudWatch::Alarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::DynamoDB::GlobalTable": "dynamodb:{region}:{account}:table/{name}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/11111111-2222-3333-4444-555555555555",
    "AWS::Lambda::Alias": "lambda:{region}:{account}:function:{name}:live",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Lambda::Version": "lambda:{region}:{account}:function:{name}:12",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
}
# Types whose `Ref` is their ARN.
REF_IS_ARN = {"AWS::IAM::ManagedPolicy", "AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::SecretsManager::Secret", "AWS::SNS::Topic"}
# The property with a resource's name.
NAMES = ("TableName", "FunctionName", "QueueName", "BucketName", "RoleName", "TopicName", "LogGroupName", "AlarmName",
         "ManagedPolicyName", "Name")


class Values:
    """Replaces the intrinsic functions of expanded templates by sample values, across all stacks."""

    def __init__(self, stacks):
        self.stacks = stacks
        self.exports = {}
        # The parameters that the parent passes to each nested stack.
        self.passed = {}
        for resource in stacks[APP]["Resources"].values():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::CloudFormation::Stack":
                self.passed[Path(properties["TemplateURL"]).stem] = properties.get("Parameters", {})
        for stack, template in stacks.items():
            for output in template.get("Outputs", {}).values():
                if "Export" in output:
                    self.exports[self.of(stack, output["Export"]["Name"])] = (stack, output["Value"])

    def of(self, stack, value):
        """A value of a stack's template."""
        if isinstance(value, list):
            return [self.of(stack, one) for one in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, of),) = value.items()
            method = {"Ref": self.ref, "Fn::GetAtt": self.attribute, "Fn::Sub": self.text, "Fn::ImportValue": self.imported,
                      "Fn::Join": self.joined}.get(name)
            if method:
                return method(stack, of)
            if name == "Fn::FindInMap":
                return SAMPLES["Region"]
            if name == "Fn::If":
                return self.of(stack, of[2])
        return {key: self.of(stack, one) for key, one in value.items()}

    def ref(self, stack, name):
        if name in SAMPLES:
            return SAMPLES[name]
        template = self.stacks[stack]
        if name in self.passed.get(stack, {}):
            return self.of(APP, self.passed[stack][name])
        if name in template.get("Parameters", {}):
            return template["Parameters"][name].get("Default", f"{{{name}}}")
        resource = template["Resources"].get(name)
        if resource and resource["Type"] in REF_IS_ARN:
            return self.arn(stack, name)
        return self.name(stack, name)

    def name(self, stack, id):
        """The name of a resource, or one like those that CloudFormation makes."""
        properties = self.stacks[stack]["Resources"].get(id, {}).get("Properties", {})
        given = next((properties[name] for name in NAMES if isinstance(properties.get(name), (str, dict))), None)
        return self.of(stack, given) if given else f"account-platform-{id}-ABCDEFGHIJKL"

    def arn(self, stack, id):
        kind = self.stacks[stack]["Resources"].get(id, {}).get("Type")
        form = ARNS.get(kind, "service:{region}:{account}:thing/{name}")
        names = {"region": SAMPLES["AWS::Region"], "account": SAMPLES["AWS::AccountId"], "name": self.name(stack, id)}
        return f"arn:aws:{form.format(**names)}"

    def attribute(self, stack, of):
        id, attribute = of.split(".", 1) if isinstance(of, str) else (of[0], ".".join(map(str, of[1:])))
        if attribute.startswith("Outputs."):
            resource = self.stacks[stack]["Resources"][id]
            nested = Path(resource["Properties"]["TemplateURL"]).stem
            return self.of(nested, self.stacks[nested]["Outputs"][attribute[8:]]["Value"])
        if attribute == "StreamArn":
            return f"{self.arn(stack, id)}/stream/2026-01-01T00:00:00.000"
        return self.arn(stack, id) if attribute.endswith("Arn") else f"{{{id}.{attribute}}}"

    def text(self, stack, of):
        text, given = (of, {}) if isinstance(of, str) else of
        given = {key: self.of(stack, one) for key, one in given.items()}

        def found(match):
            name = match[1]
            if name in given:
                return str(given[name])
            return str(self.attribute(stack, name) if "." in name else self.ref(stack, name))

        return re.sub(r"\$\{([^}!]+)\}", found, text)

    def imported(self, _, name):
        name = self.of(DATA, name)
        return self.of(*self.exports[name]) if name in self.exports else f"{{import {name}}}"

    def joined(self, stack, of):
        return of[0].join(str(self.of(stack, one)) for one in of[1]) if isinstance(of[1], list) else self.of(stack, of[1])


def main():
    """Writes each stack's expanded template into a folder."""
    folder = Path(sys.argv[1])
    for name, template in load().items():
        (folder / f"{name}.json").write_text(json.dumps(template, indent=1))


if __name__ == "__main__":
    main()
