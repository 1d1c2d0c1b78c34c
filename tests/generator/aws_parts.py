"""AWS accounts to test in: the test bed's API has one for whoever asks, so that no test meets another."""

from __future__ import annotations

import ast
import json
import random
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from generator.adapters.aws import Aws
from generator.adapters.cloudformation import ChangeSet
from generator.bootstrap.aws import Applying, apply, look
from generator.bootstrap.aws_facts import Found, Wanted
from generator.bootstrap.aws_plan import Plan, plan_aws
from generator.bootstrap.identity import identity_of
from generator.config.model import Model
from tests import parts
from tests.generator.workspaces import write

REGION = "eu-north-1"
REPOSITORY = "repository: {url: https://github.com/acme/churn, id: 456, owner_id: 123}\n"


def root_model(folder: Path, account: str, *, more: str = REPOSITORY, image: str = "") -> Model:
    """A repository with the model churn, which publishes to `account`."""
    text = (
        "version: 1\nname: churn\ntrain: {script: train.py}\n"
        f"image: {{registry: {account}.dkr.ecr.{REGION}.amazonaws.com{image}}}\n{more}"
    )
    return write(folder, text).model(None)


class Account:
    """What tests do in one account."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.aws = Aws(REGION, needs="a test", allow="in the test")
        self.said: list[str] = []
        self.shown: list[ChangeSet] = []

    @property
    def provider(self) -> str:
        return f"arn:aws:iam::{self.number}:oidc-provider/token.actions.githubusercontent.com"

    def __getattr__(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)

    def plan(self, model: Model, **asked: Any) -> tuple[Plan, Found]:
        """`asked` is what Wanted takes: puller, cluster, boundary."""
        wanted = Wanted(model, identity_of(model, repository_id=None, owner_id=None), **asked)
        found = look(model, self.aws, wanted.cluster)
        return plan_aws(wanted, found), found

    def apply(self, model: Model, *, yes: bool = True, **asked: Any) -> Any:
        plan, found = self.plan(model, **asked)

        def approve(change_set: ChangeSet) -> bool:
            self.shown.append(change_set)
            return yes

        return apply(plan, self.aws, found, Applying(approve, self.said.append, pause=0.05))

    def resources(self, stack: str) -> dict[str, str]:
        listed = self.cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        found = {item["ResourceType"]: item["PhysicalResourceId"] for item in listed}
        return {kind: name for kind, name in found.items() if kind}

    def stack(self, name: str) -> Any:
        return self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]

    def change_sets(self, stack: str) -> list[str]:
        """How far each one got."""
        listed = self.cloudformation.list_change_sets(StackName=stack)["Summaries"]
        return [item["ExecutionStatus"] for item in listed if item["StackName"] == stack]

    def make_provider(self, *audiences: str) -> str:
        url = "https://token.actions.githubusercontent.com"
        made = self.iam.create_open_id_connect_provider(Url=url, ClientIDList=list(audiences))
        return str(made["OpenIDConnectProviderArn"])

    def trust(self, role: str) -> Any:
        return self.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]

    def rights(self, role: str) -> Any:
        found = self.iam.get_role_policy(RoleName=role, PolicyName="push")["PolicyDocument"]
        return ast.literal_eval(found) if isinstance(found, str) else found  # the stand-in shows Python

    def push(self, repository: str, *tags: str) -> str:
        """Stores an image under each tag; the digest."""
        blob = {"mediaType": "application/octet-stream", "digest": f"sha256:{uuid.uuid4().hex * 2}", "size": 2}
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": blob, "layers": [blob]})
        digest = ""
        for tag in tags:
            put = self.ecr.put_image(
                repositoryName=repository, imageManifest=manifest, imageManifestMediaType=kind, imageTag=tag
            )
            digest = put["image"]["imageId"]["imageDigest"]
        return digest


def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """A new account, which the environment's credentials are of."""
    parts.need_aws()
    for name, value in parts.started_with().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    number = str(random.randrange(10**11, 10**12))
    assumed = (
        boto3.Session()
        .client("sts", region_name=REGION)
        .assume_role(RoleArn=f"arn:aws:iam::{number}:role/test", RoleSessionName="test")["Credentials"]
    )
    for name, key in (("ACCESS_KEY_ID", "AccessKeyId"), ("SECRET_ACCESS_KEY", "SecretAccessKey")):
        monkeypatch.setenv(f"AWS_{name}", assumed[key])
    monkeypatch.setenv("AWS_SESSION_TOKEN", assumed["SessionToken"])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the first credentials that it met
    return Account(number)
