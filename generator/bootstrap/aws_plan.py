"""What AWS should hold for one model's releases, beside what it holds now. Pure: showing it changes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from generator.adapters.aws import AUDIENCE, GITHUB_ISSUER
from generator.adapters.iam import Provider
from generator.bootstrap.aws_facts import (
    NO_BOUNDARY,
    RELEASE_ROLE,
    REPOSITORY,
    TRAINING_ROLE,
    Found,
    Wanted,
    arn,
    cluster_of,
    image_repository,
    path_and_name,
    place_of,
    roles_of,
    stack_of,
)
from generator.bootstrap.aws_findings import deviations, problems
from generator.config.ecr import Ecr
from generator.config.model import Model
from generator.render import data_folder, data_text

TEMPLATE = "templates/bootstrap/aws.yaml"
_NAMES = ("RoleName", "RepositoryName", "UserName")  # properties that name a resource


@dataclass(frozen=True)
class Part:
    """One thing in AWS, and what becomes of it."""

    what: str
    name: str
    change: str


@dataclass(frozen=True)
class Plan:
    """All that is to be. `problems` forbid applying it; `notes` are worth knowing."""

    stack: str
    place: Ecr
    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    parts: tuple[Part, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    makes_providers: tuple[str, ...]  # issuers, without https://

    @property
    def release_role(self) -> str:
        return arn(self.place, "role", self.parameters["RolePath"], self.parameters["RoleName"])

    def by_hand(self) -> list[str]:
        """The commands of AWS's own tool that do the same."""
        create = ["aws", "iam", "create-open-id-connect-provider", "--url"]
        providers = [
            [*create, f"https://{issuer}", "--client-id-list", AUDIENCE] for issuer in self.makes_providers
        ]
        values = [f"{key}={value}" for key, value in self.parameters.items()]
        command = ["aws", "cloudformation", "deploy", "--region", self.place.region, "--stack-name", self.stack]
        command += ["--template-file", str(data_folder() / TEMPLATE), "--capabilities", "CAPABILITY_NAMED_IAM"]
        command += ["--parameter-overrides", *values]
        return [shlex.join(line) for line in [*providers, command]]


def plan_aws(wanted: Wanted, found: Found) -> Plan:
    """What applying would do."""
    model = wanted.model
    parameters = _parameters(wanted, found)
    template = data_text(TEMPLATE)
    return Plan(
        stack=stack_of(model),
        place=place_of(model),
        template=template,
        parameters=parameters,
        tags={"tagship:model": model.name},
        parts=(
            *_providers(wanted, found),
            *_image_repository(wanted, found),
            *_resources(template, parameters, found),
        ),
        problems=tuple(problems(wanted, found)),
        notes=tuple(deviations(found)),
        makes_providers=tuple(issuer for issuer, there in _issuers(wanted, found) if there is None),
    )


def _parameters(wanted: Wanted, found: Found) -> dict[str, str]:
    model, identity, place = wanted.model, wanted.identity, place_of(wanted.model)
    roles = {logical: path_and_name(role) for logical, role in roles_of(model).items()}
    train_path, train_name = roles.get(TRAINING_ROLE, ("/", "unused"))
    kept = found.stack.parameters if found.stack else {}
    before = kept.get("Puller") == "true"
    provider = found.provider.arn if found.provider else arn(place, "oidc-provider", "/", GITHUB_ISSUER)
    return {
        "Model": model.name,
        "Owner": identity.owner,
        "OwnerId": str(identity.owner_id),
        "Repository": identity.name,
        "RepositoryId": str(identity.repository_id),
        "TagPrefix": model.tag_prefix,
        "ProviderArn": provider,
        "RolePath": roles[RELEASE_ROLE][0],
        "RoleName": roles[RELEASE_ROLE][1],
        "ImageRepository": image_repository(model),
        "CreateRepository": _flag(_owns_repository(model, found)),
        "TrainRole": _flag(TRAINING_ROLE in roles),
        "TrainRolePath": train_path,
        "TrainRoleName": train_name,
        "Puller": _flag(before if wanted.puller is None else wanted.puller),
        **_cluster(wanted, found),
        "PermissionsBoundary": wanted.boundary or (kept.get("PermissionsBoundary") or NO_BOUNDARY),
    }


def _cluster(wanted: Wanted, found: Found) -> dict[str, str]:
    cluster = cluster_of(wanted.cluster, found.stack)
    if cluster is None:
        return {
            "PullRole": _flag(False),
            "ClusterIssuer": "unused",
            "ClusterProviderArn": "unused",
            "ServiceAccount": "unused:unused",
        }
    made = arn(place_of(wanted.model), "oidc-provider", "/", cluster.issuer)
    return {
        "PullRole": _flag(True),
        "ClusterIssuer": cluster.issuer,
        "ClusterProviderArn": found.cluster.arn if found.cluster else made,
        "ServiceAccount": cluster.account,
    }


def _owns_repository(model: Model, found: Found) -> bool:
    """One that the stack made stays in it; any other that is there is used as it is."""
    in_stack = found.stack is not None and found.stack.resources.get(REPOSITORY) == image_repository(model)
    return in_stack or found.repository is None


def _issuers(wanted: Wanted, found: Found) -> Iterator[tuple[str, Provider | None]]:
    """Whose tokens the account must believe, and the provider that is there for it."""
    yield GITHUB_ISSUER, found.provider
    if cluster := cluster_of(wanted.cluster, found.stack):
        yield cluster.issuer, found.cluster


def _providers(wanted: Wanted, found: Found) -> Iterator[Part]:
    for issuer, there in _issuers(wanted, found):
        yield Part("OIDC provider", issuer, "used as it is" if there else "made, in the account and in no stack")


def _image_repository(wanted: Wanted, found: Found) -> list[Part]:
    if _owns_repository(wanted.model, found):
        return []  # it is among the stack's resources
    return [
        Part("ECR repository", image_repository(wanted.model), "used as it is: it belongs to no stack of ours")
    ]


def _resources(template: str, parameters: Mapping[str, str], found: Found) -> list[Part]:
    """The stack's resources under these parameters, and those that would leave it."""
    document = yaml.safe_load(template)
    on = {name: _holds(condition, parameters) for name, condition in document["Conditions"].items()}
    deployed = found.stack.resources if found.stack else {}
    same = found.stack is not None and found.stack.template == template and found.stack.parameters == parameters
    parts = []
    for logical, resource in document["Resources"].items():
        name, wanted = _name(resource["Properties"], parameters), on.get(resource.get("Condition"), True)
        if wanted:
            there = "stays" if same else "compared by --apply"
            parts.append(Part(resource["Type"], name, there if logical in deployed else "made"))
        elif logical in deployed:
            kept = resource.get("DeletionPolicy") == "Retain"
            change = "leaves the stack and is kept" if kept else "deleted"
            parts.append(Part(resource["Type"], deployed[logical], change))
    return parts


def _holds(condition: Any, parameters: Mapping[str, str]) -> bool:
    given, value = condition["Fn::Equals"]
    return bool(parameters[given["Ref"]] == value)


def _name(properties: Any, parameters: Mapping[str, str]) -> str:
    value = next(properties[key] for key in _NAMES if key in properties)
    if "Ref" in value:
        return parameters[value["Ref"]]
    return str(value["Fn::Sub"]).replace("${Model}", parameters["Model"])


def _flag(value: bool) -> str:
    return "true" if value else "false"
