"""Who may become the release role, and what it may do: its policies as IAM has them, decided by tests/policies.py.

Each condition is also taken away, and then somebody gets in: so each is needed, and each is tested.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.adapters.ecr import EcrRegistry
from generator.config.ecr import Ecr
from generator.config.workspace import load
from generator.plan.workflows import PUBLISH_ENVIRONMENT, TRAIN_ENVIRONMENT
from tests.generator.aws_parts import REGION, REPOSITORY, Account, account, root_model
from tests.generator.workspaces import write
from tests.policies import NotUnderstood, admits, allowed, without

PUSH = (
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
)  # fmt: skip


def token(
    where: str = f"environment:{PUBLISH_ENVIRONMENT}", *, owner: str = "acme", owner_id: int = 123, name: str = "churn",
    repository_id: int = 456, ref: str = "refs/tags/v1.2.3", audience: str = "sts.amazonaws.com", numbered: bool = True,
) -> dict[str, str]:  # fmt: skip
    """The claims of a job's token, in the form that GitHub gives newer repositories or, not `numbered`, older ones."""
    repository = f"{owner}@{owner_id}/{name}@{repository_id}" if numbered else f"{owner}/{name}"
    claims = {
        "aud": audience,
        "sub": f"repo:{repository}:{where}",
        "repository": f"{owner}/{name}",
        "repository_id": str(repository_id),
        "ref": ref,
    }
    if where.startswith("environment:"):
        claims["environment"] = where.removeprefix("environment:")
    return claims


OURS = {f"numbered={numbered}": token(numbered=numbered) for numbered in (True, False)}
THEIRS = {
    f"{what}, numbered={numbered}": token(**changes, numbered=numbered)  # type: ignore[arg-type]
    for numbered in (True, False)
    for what, changes in {
        "a fork": {"owner": "mallory", "owner_id": 666, "repository_id": 777},
        "a fork that keeps the numbers in nothing but its subject": {"owner": "mallory", "repository_id": 777},
        "a branch": {"ref": "refs/heads/main"},
        "a branch called like a tag": {"ref": "refs/heads/v1.2.3"},
        "another tag": {"ref": "refs/tags/nightly"},
        "a model's tag in a monorepo": {"ref": "refs/tags/demand/v1.0.0"},
        "another environment": {"where": "environment:production"},
        "an environment that begins like ours": {"where": "environment:tagship-publish-2"},
        "the training job": {"where": f"environment:{TRAIN_ENVIRONMENT}"},
        "a job without an environment": {"where": "ref:refs/tags/v1.2.3"},
        "another owner": {"owner": "umbrella", "owner_id": 999, "repository_id": 1},
        "another repository of the owner": {"name": "demand", "repository_id": 1},
        "a repository that got the name later": {"repository_id": 1},
        "a renamed repository with another number": {"name": "churn-2", "repository_id": 1},
        "this repository under a new name": {"name": "renamed"},
        "a pull request": {"where": "pull_request", "ref": "refs/pull/7/merge"},
        "a pull request in the environment": {"ref": "refs/pull/7/merge"},
        "another audience": {"audience": "https://github.com/acme"},
    }.items()
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The role's documents, read back from IAM after `bootstrap aws --apply`."""
    with pytest.MonkeyPatch.context() as patch:
        aws = account(patch)
        aws.apply(root_model(tmp_path_factory.mktemp("role"), aws.number))
        yield _documents(aws, "churn-release")


def _documents(aws: Account, role: str) -> dict[str, Any]:
    return {"trust": aws.trust(role), "rights": aws.rights(role), "provider": aws.provider, "account": aws.number}


@pytest.mark.parametrize("claims", OURS.values(), ids=OURS)
def test_the_release_job_gets_in(made: dict[str, Any], claims: dict[str, str]) -> None:
    assert admits(made["trust"], made["provider"], claims)


@pytest.mark.parametrize("claims", THEIRS.values(), ids=THEIRS)
def test_nobody_else_gets_in(made: dict[str, Any], claims: dict[str, str]) -> None:
    assert not admits(made["trust"], made["provider"], claims)


@pytest.mark.parametrize("claim", ["aud", "sub", "repository_id", "ref"])
def test_a_token_that_lacks_a_claim_does_not_get_in(made: dict[str, Any], claim: str) -> None:
    claims = {name: value for name, value in OURS["numbered=True"].items() if name != claim}
    assert not admits(made["trust"], made["provider"], claims)


def test_another_issuer_s_token_does_not_get_in(made: dict[str, Any]) -> None:
    other = made["provider"].replace("token.actions.githubusercontent.com", "gitlab.com")
    assert not admits(made["trust"], other, OURS["numbered=True"])


KEYS = {
    "aud": ("StringEquals", "another audience"),
    "sub": ("StringEquals", "the training job"),
    "repository_id": ("StringEquals", "a repository that got the name later"),
    "ref": ("StringLike", "a branch"),
}


@pytest.mark.parametrize("claim", KEYS)
def test_without_a_condition_somebody_gets_in(made: dict[str, Any], claim: str) -> None:
    operator, who = KEYS[claim]
    where = ("Statement", 0, "Condition", operator, f"token.actions.githubusercontent.com:{claim}")
    weaker = without(made["trust"], [where])
    inside = [name for name, claims in THEIRS.items() if admits(weaker, made["provider"], claims)]
    assert any(name.startswith(who) for name in inside), inside


def _set(operator: str, claim: str, value: Any) -> Any:
    def change(condition: dict[str, Any]) -> None:
        key = f"token.actions.githubusercontent.com:{claim}"
        condition["StringEquals"].pop(key, None)
        condition.setdefault(operator, {})[key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("StringLike", "ref", "refs/*"),
        _set("StringLike", "ref", "refs/tags/*"),
        _set("StringLike", "sub", "repo:acme/churn:*"),
        _set("StringLike", "sub", "repo:*:environment:tagship-publish"),
        _set("StringLike", "sub", "repo:acme/churn:environment:tagship-*"),
        _set("StringLike", "sub", "repo:acme*/churn*:environment:tagship-publish*"),
        _set("StringLike", "repository_id", "*"),
        _set("StringLike", "aud", "*"),
    ],
)  # fmt: skip
def test_a_wider_condition_lets_somebody_in(made: dict[str, Any], change: Any) -> None:
    weaker = copy.deepcopy(made["trust"])
    change(weaker["Statement"][0]["Condition"])
    assert any(admits(weaker, made["provider"], claims) for claims in THEIRS.values())


@pytest.mark.parametrize(
    "document",
    [
        {"StringEqualsIfExists": {"token.actions.githubusercontent.com:sub": "x"}},
        {"ForAllValues:StringEquals": {"token.actions.githubusercontent.com:sub": ["x"]}},
        {"StringEquals": {"token.actions.githubusercontent.com:made_up": "x"}},
        {"StringLike": {"sub": "x"}},
    ],
)
def test_what_is_not_understood_is_an_error(made: dict[str, Any], document: Any) -> None:
    other = copy.deepcopy(made["trust"])
    other["Statement"][0]["Condition"] = document
    with pytest.raises(NotUnderstood):
        admits(other, made["provider"], OURS["numbered=True"])


def test_a_deny_wins() -> None:
    statement = {"Action": "ecr:*", "Resource": "*"}
    both = [{**statement, "Effect": "Allow"}, {**statement, "Effect": "Deny"}]
    document = {"Version": "2012-10-17", "Statement": both}
    assert not allowed(document, "ecr:PutImage", resource="arn:x")


def test_it_pushes_to_this_repository_and_no_other(made: dict[str, Any]) -> None:
    ours = f"arn:aws:ecr:{REGION}:{made['account']}:repository/churn"
    others = (f"{ours}-2", ours.replace("churn", "demand"), ours.replace(REGION, "eu-west-1"), "*")
    for action in (*PUSH, "ecr:DescribeRepositories"):
        assert allowed(made["rights"], action, resource=ours), action
        for other in others:
            assert not allowed(made["rights"], action, resource=other), f"{action} on {other}"
    assert allowed(made["rights"], "ecr:GetAuthorizationToken", resource="*")


@pytest.mark.parametrize(
    "action",
    [
        "ecr:BatchDeleteImage", "ecr:DeleteRepository", "ecr:CreateRepository", "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "iam:PassRole", "sts:AssumeRole", "s3:GetObject",
    ],
)  # fmt: skip
def test_it_may_do_nothing_else(made: dict[str, Any], action: str) -> None:
    for resource in (f"arn:aws:ecr:{REGION}:{made['account']}:repository/churn", "*"):
        assert not allowed(made["rights"], action, resource=resource)


def test_it_may_what_the_publish_stage_asks_of_the_api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The calls are recorded on their way out, so a new one needs a right in the template."""
    aws = account(monkeypatch)
    aws.apply(root_model(tmp_path, aws.number))
    client, asked = aws.ecr, []
    client.meta.events.register("before-call.ecr.*", lambda model, **_: asked.append(model.name))
    place = Ecr(aws.number, REGION)
    registry = EcrRegistry(f"{aws.number}.dkr.ecr.{REGION}.amazonaws.com", "churn", place, client=client)
    registry.ensure()
    assert registry._login
    assert set(asked) == {"DescribeRepositories", "GetAuthorizationToken"}
    for name in asked:
        on = "*" if name == "GetAuthorizationToken" else f"arn:aws:ecr:{REGION}:{aws.number}:repository/churn"
        assert allowed(aws.rights("churn-release"), f"ecr:{name}", resource=on)


def test_models_of_one_repository_have_roles_for_their_own_tags(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws = account(monkeypatch)
    (tmp_path / "tagship.yaml").write_text("models: [models/*]\n")
    for name in ("churn", "churn-v", "demand"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        registry = f"{aws.number}.dkr.ecr.{REGION}.amazonaws.com"
        head = f"version: 1\nname: {name}\ntrain: {{script: train.py}}\n"
        (folder / "model.yaml").write_text(f"{head}image: {{registry: {registry}}}\n{REPOSITORY}")
    models = load(tmp_path).models
    for model in models:
        aws.apply(model)
    trusts = {model.name: aws.trust(f"{model.name}-release") for model in models}
    for name, trust in trusts.items():
        for other in (*trusts, None):
            ref = f"refs/tags/{other}/v1.0.0" if other else "refs/tags/v1.0.0"
            assert admits(trust, aws.provider, token(ref=ref)) == (name == other), (name, ref)


def test_the_training_job_gets_its_own_role_and_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws = account(monkeypatch)
    root_model(tmp_path, aws.number)
    role = f"script: train.py, role: 'arn:aws:iam::{aws.number}:role/churn-training'"
    aws.apply(write(tmp_path, (tmp_path / "model.yaml").read_text().replace("script: train.py", role)).model(None))
    trust = aws.trust("churn-training")
    for numbered in (True, False):
        training = token(f"environment:{TRAIN_ENVIRONMENT}", numbered=numbered)
        assert admits(trust, aws.provider, training)
        assert not admits(aws.trust("churn-release"), aws.provider, training)
        assert not admits(trust, aws.provider, token(numbered=numbered)), "the release job"
    refused = [name for name, claims in THEIRS.items() if not name.startswith("the training job")]
    assert not [name for name in refused if admits(trust, aws.provider, THEIRS[name])]


def test_the_puller_only_pulls(tmp_path: Path) -> None:
    """From the template: the stand-in for IAM does not show a user's policies."""
    import yaml

    from generator.render import data_text

    user = yaml.safe_load(data_text("templates/bootstrap/aws.yaml"))["Resources"]["PullUser"]["Properties"]
    (policy,) = user["Policies"]
    arn = f"arn:aws:ecr:{REGION}:123456789012:repository/churn"
    values = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": "123456789012"}
    text = json.dumps(policy["PolicyDocument"])
    for key, value in {**values, "ImageRepository": "churn"}.items():
        text = text.replace(f"${{{key}}}", value)
    document = json.loads(text, object_hook=lambda item: item.get("Fn::Sub", item))
    for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
        assert allowed(document, action, resource=arn)
        assert not allowed(document, action, resource=f"{arn}-2")
    for action in ("ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:BatchDeleteImage", "ecr:DescribeImages"):
        assert not allowed(document, action, resource=arn)
