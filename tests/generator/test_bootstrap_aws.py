"""`bootstrap aws` against an AWS API: what is made, what is reused, what is refused; and the command."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import boto3
import pytest
import yaml

from generator.adapters.aws import GITHUB_ISSUER
from generator.bootstrap.aws_facts import Cluster, Found, Wanted, check_boundary, cluster_from, place_of
from generator.bootstrap.aws_plan import TEMPLATE, plan_aws
from generator.bootstrap.identity import identity_of
from generator.config.workspace import load
from generator.errors import GeneratorError
from generator.render import data_text
from tests.generator.aws_parts import REGION, REPOSITORY, Account, account, root_model
from tests.generator.test_cli import generator
from tests.generator.workspaces import write

STACK = "tagship-churn"
ACCOUNT = "123456789012"
MADE = {"AWS::ECR::Repository": "churn", "AWS::IAM::Role": "churn-release"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Account:
    return account(monkeypatch)


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("AWS_")}


def test_applied_twice_the_second_time_changes_nothing(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    assert aws.apply(model) is not None
    assert aws.resources(STACK) == MADE
    assert any(line.endswith("create complete") for line in aws.said)
    updated = aws.stack(STACK).get("LastUpdatedTime")
    assert aws.apply(model) is None
    assert len(aws.shown) == 1, "it asked about a change that is none"
    assert aws.resources(STACK) == MADE
    assert aws.stack(STACK).get("LastUpdatedTime") == updated
    assert aws.change_sets(STACK) == ["EXECUTE_COMPLETE"], "the empty one was left behind"


def test_looking_changes_nothing(aws: Account, tmp_path: Path) -> None:
    plan, found = aws.plan(root_model(tmp_path, aws.number))
    assert found == Found()
    assert [part.change for part in plan.parts] == ["made, in the account and in no stack", "made", "made"]
    assert not aws.cloudformation.list_stacks()["StackSummaries"]
    assert not aws.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


def test_a_no_leaves_nothing_behind(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    with pytest.raises(GeneratorError, match="nothing was changed"):
        aws.apply(model, yes=False)
    assert aws.change_sets(STACK) == []
    assert aws.plan(model)[1] == Found()


def test_the_account_s_provider_is_made_by_no_stack(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    aws.apply(model)
    found = aws.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=aws.provider)
    assert (found["Url"], found["ClientIDList"]) == ("token.actions.githubusercontent.com", ["sts.amazonaws.com"])
    assert "AWS::IAM::OIDCProvider" not in aws.resources(STACK)
    aws.cloudformation.delete_stack(StackName=STACK)
    assert aws.plan(model)[1].provider is not None


def test_a_provider_that_is_there_is_used(aws: Account, tmp_path: Path) -> None:
    made = aws.make_provider("sts.amazonaws.com", "another-audience")
    plan, _ = aws.plan(root_model(tmp_path, aws.number))
    assert (plan.makes_providers, plan.parts[0].change) == ((), "used as it is")
    aws.apply(root_model(tmp_path, aws.number))
    (listed,) = aws.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert listed["Arn"] == made
    found = aws.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=made)
    assert found["ClientIDList"] == ["sts.amazonaws.com", "another-audience"]
    assert aws.trust("churn-release")["Statement"][0]["Principal"] == {"Federated": made}


def test_a_provider_for_other_audiences_is_not_changed(aws: Account, tmp_path: Path) -> None:
    made = aws.make_provider("another-audience")
    with pytest.raises(GeneratorError, match="aws iam add-client-id-to-open-id-connect-provider"):
        aws.apply(root_model(tmp_path, aws.number))
    assert aws.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=made)["ClientIDList"] == [
        "another-audience"
    ]
    assert not aws.shown


def test_images_outlive_the_stack_and_the_next_stack_takes_them_as_they_are(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    aws.apply(model)
    digest = aws.push("churn", "1.0.0")
    aws.cloudformation.delete_stack(StackName=STACK)
    assert [image["imageDigest"] for image in aws.ecr.describe_images(repositoryName="churn")["imageDetails"]] == [
        digest
    ]
    aws.apply(model)
    assert aws.resources(STACK) == {"AWS::IAM::Role": "churn-release"}


def test_a_repository_that_is_there_is_used_and_what_is_odd_is_said(aws: Account, tmp_path: Path) -> None:
    aws.ecr.create_repository(repositoryName="churn", imageTagMutability="MUTABLE")
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
    }
    policy = json.dumps({"rules": [rule | {"action": {"type": "expire"}}]})
    aws.ecr.put_lifecycle_policy(repositoryName="churn", lifecyclePolicyText=policy)
    model = root_model(tmp_path, aws.number)
    plan, _ = aws.plan(model)
    assert plan.parameters["CreateRepository"] == "false"
    assert [re.split(r"[,:(] ?", note)[1].strip() for note in plan.notes] == [
        "its tags can be moved to other images",
        "it does not scan on push",
        "its lifecycle policy expires tagged images",
    ]
    aws.apply(model)
    assert aws.resources(STACK) == {"AWS::IAM::Role": "churn-release"}
    (repository,) = aws.ecr.describe_repositories(repositoryNames=["churn"])["repositories"]
    assert repository["imageTagMutability"] == "MUTABLE"
    assert aws.apply(model) is None


def test_a_repository_like_ours_has_nothing_odd(aws: Account, tmp_path: Path) -> None:
    scanned = {"scanOnPush": True}
    aws.ecr.create_repository(
        repositoryName="churn", imageTagMutability="IMMUTABLE", imageScanningConfiguration=scanned
    )
    assert aws.plan(root_model(tmp_path, aws.number))[0].notes == ()


def test_models_may_share_a_repository(aws: Account, tmp_path: Path) -> None:
    (tmp_path / "tagship.yaml").write_text("models: [models/*]\n")
    registry = f"{aws.number}.dkr.ecr.{REGION}.amazonaws.com"
    for name in ("churn", "demand"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(
            f"version: 1\nname: {name}\ntrain: {{script: train.py}}\n{REPOSITORY}"
            f'image: {{registry: {registry}, repository: all, tag: "{{name}}-v{{version}}"}}\n'
        )
    models = load(tmp_path).models
    for model in models:
        aws.apply(model)
    owned = [aws.resources(f"tagship-{model.name}").get("AWS::ECR::Repository") for model in models]
    assert owned == ["all", None]
    assert [aws.apply(model) for model in models] == [None, None]


def test_a_role_of_somebody_else_is_not_touched(aws: Account, tmp_path: Path) -> None:
    aws.iam.create_role(RoleName="churn-release", AssumeRolePolicyDocument="{}")
    with pytest.raises(GeneratorError, match="the role churn-release is there and belongs to no stack"):
        aws.apply(root_model(tmp_path, aws.number))
    assert not aws.shown


def test_the_role_that_model_yaml_names_is_the_one_that_is_made(aws: Account, tmp_path: Path) -> None:
    role = f"arn:aws:iam::{aws.number}:role/ci/publisher"
    aws.apply(root_model(tmp_path, aws.number, image=f", role: '{role}'"))
    found = aws.iam.get_role(RoleName="publisher")["Role"]
    assert (found["Path"], found["Arn"]) == ("/ci/", role)


def test_the_wrong_account_is_refused_before_anything(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, "210987654321")
    with pytest.raises(GeneratorError, match=f"of account {aws.number}, but model.yaml publishes to 210987654321"):
        aws.plan(model)


def test_the_puller_stays_until_it_is_taken_back(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    aws.apply(model, puller=True)
    assert aws.resources(STACK)["AWS::IAM::User"] == "churn-pull"
    assert not aws.iam.list_access_keys(UserName="churn-pull")["AccessKeyMetadata"]
    assert aws.apply(model) is None
    plan, _ = aws.plan(model, puller=False)
    assert [part.change for part in plan.parts if part.name == "churn-pull"] == ["deleted"]


ISSUER = "oidc.example.com/clusters/ovh-1"
CLUSTER = Cluster(ISSUER, "external-secrets:ecr")


def test_a_cluster_s_own_service_account_pulls_without_a_key(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    plan, _ = aws.plan(model, cluster=CLUSTER)
    assert [part.name for part in plan.parts if "made, in" in part.change] == [GITHUB_ISSUER, ISSUER]
    aws.apply(model, cluster=CLUSTER)
    provider = f"arn:aws:iam::{aws.number}:oidc-provider/{ISSUER}"
    assert aws.trust("churn-pull")["Statement"] == [
        {
            "Sid": "OneServiceAccount",
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{ISSUER}:aud": "sts.amazonaws.com",
                    f"{ISSUER}:sub": "system:serviceaccount:external-secrets:ecr",
                }
            },
        }
    ]
    assert aws.apply(model, cluster=CLUSTER) is None
    assert aws.apply(model) is None, "it stays until it is taken back"
    plan, _ = aws.plan(model, cluster=False)
    assert [part.change for part in plan.parts if part.name == "churn-pull"] == ["deleted"]


def test_a_cluster_s_provider_that_is_there_is_used(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    aws.iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com", "vault"])
    plan, _ = aws.plan(model, cluster=CLUSTER)
    assert [part.change for part in plan.parts if part.name == ISSUER] == ["used as it is"]
    aws.apply(model, cluster=CLUSTER)
    listed = aws.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert len([item for item in listed if item["Arn"].endswith(ISSUER)]) == 1


def test_a_cluster_s_provider_for_other_audiences_is_not_changed(aws: Account, tmp_path: Path) -> None:
    aws.iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["vault"])
    (problem,) = aws.plan(root_model(tmp_path, aws.number), cluster=CLUSTER)[0].problems
    assert "does not accept the audience sts.amazonaws.com" in problem
    assert f"oidc-provider/{ISSUER}" in problem


def test_a_pull_role_of_somebody_else_is_not_touched(aws: Account, tmp_path: Path) -> None:
    aws.iam.create_role(RoleName="churn-pull", AssumeRolePolicyDocument="{}")
    model = root_model(tmp_path, aws.number)
    (problem,) = aws.plan(model, cluster=CLUSTER)[0].problems
    assert "the role churn-pull is there and belongs to no stack" in problem
    assert aws.plan(model)[0].problems == ()


def test_the_service_account_may_do_what_the_user_may() -> None:
    resources = yaml.safe_load(data_text(TEMPLATE))["Resources"]
    assert resources["PullerRole"]["Properties"]["Policies"] == resources["PullUser"]["Properties"]["Policies"]


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ("oidc.example.com", "a:b"),
        ("http://oidc.example.com", "a:b"),
        ("https://oidc.example.com/", "a:b"),
        ("https://oidc.example.com:6443", "a:b"),
        ('https://oidc.example.com/"x', "a:b"),
        ("https://oidc.example.com", "a:*"),
        ("https://oidc.example.com", "a"),
        ("https://oidc.example.com", "a:b:c"),
        ("https://oidc.example.com", "A:b"),
        ("https://oidc.example.com\n", "a:b"),
    ],
)
def test_a_cluster_that_nobody_could_mean_is_refused(issuer: str, name: str) -> None:
    with pytest.raises(GeneratorError, match=r"--cluster-issuer is|--service-account is"):
        cluster_from(issuer, name)


def test_a_boundary_bounds_all_that_is_made(aws: Account, tmp_path: Path) -> None:
    model = root_model(tmp_path, aws.number)
    bounds = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [bounds]})
    arn = aws.iam.create_policy(PolicyName="bounds", PolicyDocument=document)["Policy"]["Arn"]
    assert aws.apply(model, cluster=CLUSTER, boundary=arn) is not None
    for role in ("churn-release", "churn-pull"):
        assert aws.iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert aws.apply(model) is None, "it stays until it is taken back"
    assert aws.plan(model, boundary="none")[0].parameters["PermissionsBoundary"] == "none"


def test_no_role_or_user_is_without_the_boundary() -> None:
    kinds = ("AWS::IAM::Role", "AWS::IAM::User")
    resources = yaml.safe_load(data_text(TEMPLATE))["Resources"]
    made = {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] in kinds}
    assert set(made) == {"ReleaseRole", "TrainingRole", "PullUser", "PullerRole"}
    bound = {"Fn::If": ["IsUnbounded", {"Ref": "AWS::NoValue"}, {"Ref": "PermissionsBoundary"}]}
    assert all(properties["PermissionsBoundary"] == bound for properties in made.values())


@pytest.mark.parametrize(
    "text",
    ["bounds", "arn:aws:iam::210987654321:policy/bounds", "arn:aws-cn:iam::123456789012:policy/bounds",
     "arn:aws:iam::123456789012:role/bounds", ""],
)  # fmt: skip
def test_a_boundary_of_another_account_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(GeneratorError, match="it is the ARN of a policy in account 123456789012"):
        check_boundary(text, place_of(root_model(tmp_path, ACCOUNT)))


def test_a_training_role_is_made_without_rights(aws: Account, tmp_path: Path) -> None:
    root_model(tmp_path, aws.number)
    role = f"script: train.py, role: 'arn:aws:iam::{aws.number}:role/data/churn-training'"
    model = write(tmp_path, (tmp_path / "model.yaml").read_text().replace("script: train.py", role)).model(None)
    aws.apply(model)
    assert aws.iam.get_role(RoleName="churn-training")["Role"]["Path"] == "/data/"
    assert not aws.iam.list_role_policies(RoleName="churn-training")["PolicyNames"]
    assert aws.apply(model) is None


def test_a_changed_parameter_is_one_change(aws: Account, tmp_path: Path) -> None:
    aws.apply(root_model(tmp_path, aws.number))
    moved = root_model(tmp_path, aws.number, more=REPOSITORY.replace("acme", "umbrella"))
    assert aws.plan(moved)[0].parameters["Owner"] == "umbrella"
    assert aws.apply(moved) is not None
    assert aws.apply(moved) is None


def test_a_stack_that_could_not_be_made_says_how_to_remove_it(tmp_path: Path) -> None:
    from generator.adapters.cloudformation import Stack

    model = root_model(tmp_path, ACCOUNT)
    wanted = Wanted(model, identity_of(model, repository_id=None, owner_id=None), None)

    def problem(status: str) -> str:
        stack = Stack(STACK, status, {}, {}, "", {})
        (problem,) = plan_aws(wanted, Found(stack=stack)).problems
        return problem

    assert "aws cloudformation delete-stack --region eu-north-1 --stack-name tagship-churn" in problem(
        "ROLLBACK_COMPLETE"
    )
    assert "is UPDATE_IN_PROGRESS: wait" in problem("UPDATE_IN_PROGRESS")


def test_the_template_is_one_that_cloudformation_takes(aws: Account) -> None:
    assert aws.cloudformation.validate_template(TemplateBody=data_text(TEMPLATE))["Description"]


def test_the_repository_is_immutable_scanned_kept_and_expires_untagged_images_only() -> None:
    repository = yaml.safe_load(data_text(TEMPLATE))["Resources"]["ImageRepositoryResource"]
    assert (repository["DeletionPolicy"], repository["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = repository["Properties"]
    assert properties["ImageTagMutability"] == "IMMUTABLE"
    assert properties["ImageScanningConfiguration"] == {"ScanOnPush": True}
    (rule,) = json.loads(properties["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged"
    assert rule["action"] == {"type": "expire"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "repository.url is missing"),
        ("repository: {url: https://gitlab.com/acme/churn, id: 1, owner_id: 2}\n", "only tokens of github.com"),
        ("repository: {url: https://github.com/acme/churn, id: 1}\n", "has no repository.owner_id: "),
        ("repository: {url: https://github.com/acme/churn}\n", "gh api repos/acme/churn --jq '.id, .owner.id'"),
    ],
)
def test_an_identity_that_is_not_known_says_how_to_get_it(more: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError) as caught:
        identity_of(root_model(tmp_path, ACCOUNT, more=more), repository_id=None, owner_id=None)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://github.com/acme/churn", "https://github.com/acme/churn.git", "ssh://git@github.com/acme/churn.git"],
)
def test_an_identity_by_flags(url: str, tmp_path: Path) -> None:
    model = root_model(tmp_path, ACCOUNT, more=f"repository: {{url: {url}}}\n")
    identity = identity_of(model, repository_id=456, owner_id=123)
    assert (identity.owner, identity.name, identity.repository_id, identity.owner_id) == (
        "acme",
        "churn",
        456,
        123,
    )


def test_flags_that_contradict_the_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"repository.id is 456 in model\.yaml, not 7"):
        identity_of(root_model(tmp_path, ACCOUNT), repository_id=7, owner_id=123)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("}\nrepo", ", role: 'arn:aws:iam::210987654321:role/x'}\nrepo", "image.role is in account 210987654321"),
        (f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com", "ghcr.io", "image.registry is ghcr.io, not ECR"),
    ],
)
def test_a_role_elsewhere_and_another_registry_are_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    root_model(tmp_path, ACCOUNT)
    text = (tmp_path / "model.yaml").read_text()
    assert old in text
    model = write(tmp_path, text.replace(old, new)).model(None)
    with pytest.raises(GeneratorError, match=said):
        plan_aws(Wanted(model, identity_of(model, repository_id=None, owner_id=None), None), Found())


def test_without_credentials_the_command_shows_what_to_do_by_hand(tmp_path: Path) -> None:
    root_model(tmp_path, ACCOUNT)
    done = generator("bootstrap", "aws", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "AWS was not asked" in done.stderr
    assert "no usable AWS credentials" in done.stderr
    assert (
        "aws iam create-open-id-connect-provider --url https://token.actions.githubusercontent.com" in done.stdout
    )
    assert "aws cloudformation deploy --region eu-north-1 --stack-name tagship-churn" in done.stdout
    assert "RepositoryId=456" in done.stdout
    refused = generator("bootstrap", "aws", "--apply", "--yes", cwd=tmp_path)
    assert (refused.returncode, "no usable AWS credentials" in refused.stderr) == (1, True)


def test_the_template_can_be_printed_anywhere(tmp_path: Path) -> None:
    done = generator("bootstrap", "aws", "--print-template", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, data_text(TEMPLATE))


def test_apply_needs_somebody_who_answers(tmp_path: Path) -> None:
    root_model(tmp_path, ACCOUNT)
    done = generator("bootstrap", "aws", "--apply", cwd=tmp_path)
    assert (done.returncode, "pass --yes with --apply" in done.stderr) == (2, True)


def test_the_command(aws: Account, tmp_path: Path) -> None:
    root_model(tmp_path, aws.number, more="repository: {url: https://github.com/acme/churn}\n")
    ids = ("--repository-id", "456", "--owner-id", "123")
    shown = generator("bootstrap", "aws", *ids, cwd=tmp_path, **environment())
    assert shown.returncode == 0, shown.stderr
    assert f"Stack {STACK} in account {aws.number}, {REGION}" in shown.stdout
    assert "Nothing was changed." in shown.stdout
    assert not aws.cloudformation.list_stacks()["StackSummaries"]
    done = generator("bootstrap", "aws", "--apply", "--yes", *ids, cwd=tmp_path, **environment())
    assert done.returncode == 0, done.stderr
    assert f"image.role: arn:aws:iam::{aws.number}:role/churn-release" in done.stdout
    assert "repository.id: 456" in done.stdout
    assert "create complete" in done.stderr
    again = generator("bootstrap", "aws", "--apply", "--yes", *ids, cwd=tmp_path, **environment())
    assert (again.returncode, "no changes" in again.stdout) == (0, True), again.stderr


def test_the_region_is_the_registry_s(aws: Account, tmp_path: Path) -> None:
    root_model(tmp_path, aws.number)
    write(tmp_path, (tmp_path / "model.yaml").read_text().replace(REGION, "eu-west-1"))
    done = generator("bootstrap", "aws", "--apply", "--yes", cwd=tmp_path, **environment())
    assert done.returncode == 0, done.stderr
    stacks = boto3.client("cloudformation", region_name="eu-west-1").describe_stacks(StackName=STACK)
    assert stacks["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
