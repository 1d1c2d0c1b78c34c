"""docs/aws.md against what is made: its Terraform example holds the same documents, its commands exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.cli import cli
from generator.render import data_text
from tests.generator.aws_parts import REGION, account, root_model

PAGE = (Path(__file__).parents[2] / "docs/aws.md").read_text()
VALUES = {
    "var.owner_id": "123",
    "var.owner": "acme",
    "var.repository_id": "456",
    "var.repository": "churn",
}


def documents(account_number: str, provider: str) -> list[Any]:
    """What the example encodes as JSON, its references filled in."""
    arn = f"arn:aws:ecr:{REGION}:{account_number}:repository/churn"
    known = {
        **VALUES,
        "data.aws_iam_openid_connect_provider.github.arn": provider,
        "aws_ecr_repository.images.arn": arn,
    }
    (example,) = re.findall(r"```hcl\n(.*?)```", PAGE, re.DOTALL)
    for name, value in known.items():
        example = example.replace(f"${{{name}}}", value)
    return [json.loads(text) for text in re.findall(r"jsonencode\((\{.*?\n  \})\)", example, re.DOTALL)]


def test_the_terraform_example_makes_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    aws = account(monkeypatch)
    aws.apply(root_model(tmp_path, aws.number))
    lifecycle, trust, rights = documents(aws.number, aws.provider)
    assert trust == aws.trust("churn-release")
    assert rights == aws.rights("churn-release")
    properties = yaml.safe_load(data_text("templates/bootstrap/aws.yaml"))["Resources"]["ImageRepositoryResource"]
    assert lifecycle == json.loads(properties["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"])


def test_its_commands_exist() -> None:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    ours = [shlex.split(line.split(" >")[0])[1:] for line in lines if line.startswith("generator ")]
    assert len(ours) == 6
    for line in ours:
        command: Any = cli
        while line and not line[0].startswith("-"):
            command = command.get_command(None, line.pop(0))
            assert command, line
        command.make_context("generator", line, resilient_parsing=True)


def test_it_names_every_right_of_the_role() -> None:
    role = yaml.safe_load(data_text("templates/bootstrap/aws.yaml"))["Resources"]["ReleaseRole"]["Properties"]
    (policy,) = role["Policies"]
    actions = [item["Action"] for item in policy["PolicyDocument"]["Statement"]]
    prose = PAGE.split("**What it may do.**")[1].split("##")[0]
    for action in (actions[0], *actions[1]):
        assert action.removeprefix("ecr:") in prose
