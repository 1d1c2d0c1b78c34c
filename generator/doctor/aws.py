"""AWS: whose credentials these are, GitHub's OIDC provider, the roles of workflows, the ECR repository."""

from __future__ import annotations

from generator.adapters.aws import AUDIENCE, GITHUB_ISSUER, Aws, NoAccess, Refused
from generator.adapters.ecr_repository import EcrRepository, Settings
from generator.adapters.iam import Iam, Provider
from generator.adapters.iam_role import Role, find_role
from generator.bootstrap.aws import check_account
from generator.bootstrap.aws_facts import (
    KEYS,
    RELEASE_ROLE,
    arn,
    image_repository,
    path_and_name,
    place_of,
    roles_of,
)
from generator.bootstrap.aws_findings import expires_tagged
from generator.bootstrap.identity import Identity, identity_of
from generator.config.model import Model
from generator.doctor.finding import Finding, Findings, Severity, Subject, not_checked, of_error
from generator.doctor.policies import NotUnderstood, Trusted, missing_rights, one_form, trust_problems
from generator.errors import GeneratorError
from generator.plan.workflows import PUBLISH_ENVIRONMENT, TRAIN_ENVIRONMENT

AREA, REGISTRY = "AWS", "registry"
SECONDS = 10.0
_PUSH = (
    *("BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload", "DescribeRepositories"),
    *("GetDownloadUrlForLayer", "InitiateLayerUpload", "PutImage", "UploadLayerPart"),
)


def _door(model: Model) -> Aws:
    return Aws(place_of(model).region, needs="looking at AWS", allow="for whoever runs this", seconds=SECONDS)


def _bootstrap(model: Model) -> str:
    return "generator bootstrap aws --apply" + ("" if model.at_root else f" --model {model.name}")


def check(subject: Subject) -> Findings:
    for model in subject.models:
        if model.ecr is None:
            yield not_checked(
                AREA, f"{model.name} publishes to {model.config.image.registry}, not ECR", model.shown
            )
            continue
        aws = _door(model)
        try:
            yield from _model(model, aws)
        except (NoAccess, Refused) as error:
            yield not_checked(AREA, str(error), model.config.image.registry)


def _model(model: Model, aws: Aws) -> Findings:
    account = aws.account()
    if account != place_of(model).account:
        try:
            check_account(model, aws)
        except GeneratorError as error:
            yield of_error(AREA, error, "credentials")
        return
    try:
        roles = roles_of(model)
    except GeneratorError as error:
        yield not_checked(AREA, str(error), model.shown)
        return
    provider = Iam(aws).github_provider()
    yield from _provider(model, provider)
    identity = _identity(model)
    if isinstance(identity, GeneratorError):
        yield not_checked(AREA, f"whom the roles trust: {identity}", model.shown)
    for logical, role in roles.items():
        found = find_role(aws, path_and_name(role)[1])
        if found is None:
            fix = f"run `{_bootstrap(model)}`, or correct {KEYS[logical]}"
            yield Finding(AREA, Severity.ERROR, f"there is no role {path_and_name(role)[1]}", role, fix)
            continue
        if isinstance(identity, Identity):
            yield from _trust(model, logical, found, identity, provider)
        if logical == RELEASE_ROLE:
            yield from _rights(model, found)


def _identity(model: Model) -> Identity | GeneratorError:
    try:
        return identity_of(model, repository_id=None, owner_id=None)
    except GeneratorError as error:
        return error


def _provider(model: Model, provider: Provider | None) -> Findings:
    where = arn(place_of(model), "oidc-provider", "/", GITHUB_ISSUER)
    if provider is None:
        fix = f"run `{_bootstrap(model)}`"
        yield Finding(AREA, Severity.ERROR, "the account has no OIDC provider for GitHub Actions", where, fix)
    elif AUDIENCE not in provider.audiences:
        fix = (
            f"run `aws iam add-client-id-to-open-id-connect-provider --client-id {AUDIENCE} "
            f"--open-id-connect-provider-arn {provider.arn}`"
        )
        what = f"the account's OIDC provider does not accept the audience {AUDIENCE}"
        yield Finding(AREA, Severity.ERROR, what, provider.arn, fix)


def _trust(model: Model, logical: str, role: Role, identity: Identity, provider: Provider | None) -> Findings:
    environment = PUBLISH_ENVIRONMENT if logical == RELEASE_ROLE else TRAIN_ENVIRONMENT
    wanted = Trusted(identity, environment, model.tag_prefix, provider.arn if provider else None)
    fix = f"run `{_bootstrap(model)}`, or write the trust policy that docs/aws.md shows"
    try:
        for problem in trust_problems(role.trust, wanted):
            what = f"the trust policy is not that of {model.name}'s release tags: {problem}"
            yield Finding(AREA, Severity.ERROR, what, role.arn, fix)
        if form := one_form(role.trust, wanted):
            what = f"the trust policy has one form of the subject alone; {form} is missing"
            yield Finding(AREA, Severity.WARNING, what, role.arn, fix)
    except NotUnderstood as error:
        what = f"the trust policy, which has what is not decided here ({error}): compare it with docs/aws.md"
        yield not_checked(AREA, what, role.arn)


def _rights(model: Model, role: Role) -> Findings:
    place = place_of(model)
    repository = f"arn:{place.partition}:ecr:{place.region}:{place.account}:repository/{image_repository(model)}"
    actions = {"ecr:GetAuthorizationToken": "*"} | {f"ecr:{name}": repository for name in _PUSH}
    try:
        missing = missing_rights(role.policies, actions)
        more = not missing_rights(role.policies, {"iam:PutRolePolicy": role.arn})
    except NotUnderstood as error:
        yield not_checked(AREA, f"the role's policies ({error}): compare them with docs/aws.md", role.arn)
        return
    if missing:
        fix = f"run `{_bootstrap(model)}`, or allow them on {repository} in the role's policy"
        yield Finding(AREA, Severity.ERROR, f"the role may not {', '.join(missing)}", role.arn, fix)
    if more:
        fix = "make the role's policy the one that docs/aws.md shows: it needs to push to one repository"
        yield Finding(
            AREA, Severity.ERROR, "the role may change the rights of roles, and so have any", role.arn, fix
        )
    if role.boundary:
        yield not_checked(
            AREA, "what the permissions boundary leaves: look whether it allows ecr:*", role.boundary
        )


def check_registry(subject: Subject) -> Findings:
    for model in subject.models:
        if model.ecr is None:
            yield not_checked(REGISTRY, f"{model.config.image.registry} is not ECR", model.shown)
            continue
        try:
            aws = _door(model)
            if aws.account() != model.ecr.account:
                reason = "these AWS credentials are of another account: set AWS_PROFILE"
                yield not_checked(REGISTRY, reason, model.image_repository)
                continue
            settings = EcrRepository(aws, model.ecr, image_repository(model)).settings()
        except (NoAccess, Refused) as error:
            yield not_checked(REGISTRY, str(error), model.image_repository)
            continue
        yield from _repository(model, settings)


def _repository(model: Model, settings: Settings | None) -> Findings:
    where, name = model.image_repository, image_repository(model)
    if settings is None:
        fix = f"run `{_bootstrap(model)}`, or correct image.repository"
        yield Finding(REGISTRY, Severity.ERROR, f"there is no ECR repository {name}", where, fix)
        return
    change = f"--repository-name {name} --region {place_of(model).region}"
    if not settings.mutability.startswith("IMMUTABLE"):
        fix = f"run `aws ecr put-image-tag-mutability {change} --image-tag-mutability IMMUTABLE`"
        yield Finding(REGISTRY, Severity.WARNING, "its tags can be moved to other images", where, fix)
    if not settings.scans:
        command = f"aws ecr put-image-scanning-configuration {change}"
        fix = f"run `{command} --image-scanning-configuration scanOnPush=true`"
        what = "it does not scan on push, unless the registry's own settings say so"
        yield Finding(REGISTRY, Severity.WARNING, what, where, fix)
    if settings.lifecycle and expires_tagged(settings.lifecycle):
        what = "its lifecycle policy expires tagged images: a rollback may not find the version that it needs"
        fix = f"run `aws ecr delete-lifecycle-policy {change}`, or let its rules select untagged images alone"
        yield Finding(REGISTRY, Severity.ERROR, what, where, fix)
