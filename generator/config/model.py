"""A repository's models as the rest of the command sees them: defaults filled in, folders known."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from generator.config.ecr import Ecr, ecr_of
from generator.config.load import load_model, load_workspace
from generator.config.observing import Observe
from generator.config.schema import Environment, ModelFile, Serve
from generator.errors import GeneratorError, InvalidInput, Problem
from generator.quantity import in_bytes
from generator.version import Version

_REMOVABLE = ("autoscaling", "ingress", "gateway", "tracing", "pull_secret", "priority_class")


def workload(model: str) -> str:
    """What a model's Deployment and Service are called, by the overlay's name prefix."""
    return f"{model}-inference"


@dataclass(frozen=True)
class Target:
    """An environment of a model: one overlay, one namespace."""

    name: str
    namespace: str
    serve: Serve  # with this environment's changes
    settings: Environment
    observe: Observe | None = None  # how a workflow reads its cluster; None: it does not

    @property
    def tells(self) -> bool:
        """Whether /metadata answers the API server's proxy: without a key, and to callers that nobody named."""
        return self.serve.api_keys is None and self.serve.callers is None


@dataclass(frozen=True)
class Model:
    """One model of a workspace."""

    config: ModelFile
    folder: str  # of model.yaml, from the repository's root; "." for a root model

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def at_root(self) -> bool:
        return self.folder == "."

    def path(self, *parts: str) -> str:
        """A path inside the model's folder, from the repository's root."""
        return str(PurePosixPath(self.folder, *parts))

    @property
    def shown(self) -> str:
        """How messages call this model's file."""
        return self.path("model.yaml")

    @property
    def requirements_file(self) -> str | None:
        given = self.config.train.requirements
        return self.path(given) if isinstance(given, str) else None

    @property
    def lock_file(self) -> str:
        return self.path("requirements.lock")

    @property
    def image_repository(self) -> str:
        """Registry and repository, without a tag."""
        return f"{self.config.image.registry}/{self.config.image.repository or self.name}"

    @property
    def ecr(self) -> Ecr | None:
        return ecr_of(self.config.image.registry)

    @property
    def traced(self) -> bool:
        """Whether any environment asks for spans; one image serves them all."""
        return any(target.serve.tracing for target in self.targets)

    @property
    def max_image_bytes(self) -> int:
        return in_bytes(self.config.image.max_size)

    @property
    def experiment(self) -> str:
        return self.config.train.experiment or self.name

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The environments in order; a tag deploys to the first one."""
        given = self.config.deploy.environments
        if not given:
            return (
                Target("production", self.name, self.config.serve, Environment(), self._observe(Environment())),
            )
        return tuple(self._target(name, settings, alone=len(given) == 1) for name, settings in given.items())

    def _target(self, name: str, settings: Environment, *, alone: bool) -> Target:
        namespace = settings.namespace or (self.name if alone else f"{self.name}-{name}"[:63].rstrip("-"))
        given = {key: getattr(settings.serve, key) for key in settings.serve.model_fields_set}
        # Empty, these are switched off here; any other is as good as absent.
        changes = {key: value for key, value in given.items() if value is not None or key in _REMOVABLE}
        if settings.serve.resources is not None:
            changes["resources"] = settings.serve.resources.onto(self.config.serve.resources)
        if settings.serve.alerts is not None:
            changes["alerts"] = settings.serve.alerts.onto(self.config.serve.alerts)
        serve = self.config.serve.model_copy(update=changes)
        return Target(name, namespace, serve, settings, self._observe(settings))

    def _observe(self, settings: Environment) -> Observe | None:
        found = self.config.deploy.observe if settings.observe is None else settings.observe
        return None if found == "none" else found

    def target(self, name: str) -> Target:
        for target in self.targets:
            if target.name == name:
                return target
        names = ", ".join(target.name for target in self.targets)
        raise GeneratorError(f"{self.name} has no environment {name!r}; it has: {names}")

    @property
    def separate(self) -> bool:
        """Whether the overlays live in a configuration repository of their own."""
        return self.config.deploy.repository != "same"

    @property
    def home(self) -> str:
        """The folder that holds k8s/, from the root of the overlays' repository, which models may share."""
        return self.name if self.separate else "."

    @property
    def overlays_url(self) -> str | None:
        """The address of the overlays' repository, where model.yaml says one."""
        return self.config.deploy.repository if self.separate else self.config.repository.url

    @property
    def overlays_branch(self) -> str:
        """The branch that the reconciler follows."""
        branch = self.config.repository.branch
        return (self.config.deploy.branch or branch) if self.separate else branch

    def overlay(self, environment: str) -> str:
        """The overlay's folder, from the model's home."""
        parts = (environment,) if self.at_root or self.separate else (self.name, environment)
        return str(PurePosixPath("k8s/overlays", *parts))

    def overlay_path(self, environment: str) -> str:
        """The overlay's folder, from the root of the repository that holds it."""
        return str(PurePosixPath(self.home, self.overlay(environment)))

    @property
    def tag_prefix(self) -> str:
        return "v" if self.at_root else f"{self.name}/v"

    def tag(self, version: Version) -> str:
        return f"{self.tag_prefix}{version}"

    def image_tag(self, version: Version) -> str:
        return self.config.image.tag.replace("{name}", self.name).replace("{version}", str(version))


@dataclass(frozen=True)
class Workspace:
    """A repository's models, by name."""

    root: Path
    models: tuple[Model, ...]

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    def model(self, name: str | None) -> Model:
        """The model called `name`; without a name the only one."""
        if name is None and len(self.models) == 1:
            return self.models[0]
        for model in self.models:
            if model.name == name:
                return model
        names = ", ".join(model.name for model in self.models)
        raise GeneratorError(
            f"say which model (--model NAME): {names}"
            if name is None
            else f"no model {name!r}; there are: {names}"
        )

    def released(self, tag: str) -> tuple[Model, Version]:
        """The model and version that a tag names: v1.2.3 for a root model, else <name>/v1.2.3."""
        tag = tag.removeprefix("refs/tags/")
        for model in self.models:
            if tag.startswith(model.tag_prefix):
                return model, Version.parse(tag.removeprefix(model.tag_prefix))
        known = ", ".join(f"{model.tag_prefix}1.2.3" for model in self.models)
        raise GeneratorError(f"tag {tag!r} belongs to no model here; tags look like {known}")


def load(root: Path) -> Workspace:
    """All models of the repository at `root`. Raises InvalidInput with every problem of every file."""
    if not (root / "tagship.yaml").is_file():
        if not (root / "model.yaml").is_file():
            if os.path.lexists(root / "model.yaml"):
                raise GeneratorError("model.yaml is no file, or a link to none: put a file there")
            raise GeneratorError("no model.yaml here: run `generator init`, or change to the repository's root")
        model = Model(load_model(root / "model.yaml", "model.yaml"), ".")
        if problems := _clashes([model]):
            raise InvalidInput(problems)
        return Workspace(root, (model,))
    shared, document = load_workspace(root / "tagship.yaml", "tagship.yaml")
    models: list[Model] = []
    found: dict[Problem, list[str]] = {}
    folders = _folders(root, shared.models)
    for folder in folders:
        file = f"{folder}/model.yaml"
        try:
            models.append(Model(load_model(root / file, file, document), folder))
        except InvalidInput as error:
            for problem in error.problems:
                found.setdefault(problem, []).append(file)
    problems = [_with_models(problem, files, len(folders)) for problem, files in found.items()]
    problems += _clashes(models)
    if problems:
        raise InvalidInput(problems)
    return Workspace(root, tuple(models))


def _with_models(problem: Problem, files: list[str], total: int) -> Problem:
    """What is wrong in tagship.yaml for some models alone says for which."""
    if problem.file in files or len(files) == total:
        return problem
    return replace(problem, message=f"{problem.message} (for {', '.join(files)})")


def _folders(root: Path, patterns: tuple[str, ...]) -> list[str]:
    found: set[str] = set()
    for pattern in patterns:
        if ".." in PurePosixPath(pattern).parts or pattern.startswith("/"):
            raise InvalidInput([Problem("tagship.yaml", 0, 0, f"models: {pattern!r} leads out of the repository")])
        matches = glob.glob(f"{pattern.rstrip('/')}/model.yaml", root_dir=root)
        if not matches:
            raise InvalidInput(
                [Problem("tagship.yaml", 0, 0, f"models: {pattern!r} matches no folder with a model.yaml")]
            )
        found.update(str(PurePosixPath(match).parent) for match in matches)
    odd = [folder for folder in found if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", folder)]
    if odd:
        raise InvalidInput(
            [Problem("tagship.yaml", 0, 0, f"folder {min(odd)!r}: use letters, digits and . _ - / only")]
        )
    return sorted(found)


def _clashes(models: list[Model]) -> list[Problem]:
    """Two models with one name, image tag or GitHub environment; two environments in one namespace."""
    problems: list[Problem] = []
    seen: dict[str, Model] = {}
    for model in models:
        namespaces = [target.namespace for target in model.targets]
        for namespace in sorted({name for name in namespaces if namespaces.count(name) > 1}):
            message = f"two environments would be in the namespace {namespace}; give one another namespace"
            problems.append(Problem(model.shown, 0, 0, message))
        image = f"{model.image_repository}:{model.config.image.tag.replace('{name}', model.name)}"
        approvals = [target.name for target in model.targets if target.settings.approval]
        for key, what in (
            (model.name, "name"),
            (image, "image repository and tag"),
            *((f"{model.name}-{name}", f"GitHub environment tagship-{model.name}-{name}") for name in approvals),
        ):
            other = seen.setdefault(f"{what}: {key}", model)
            if other is not model:
                problems.append(Problem(model.shown, 0, 0, f"has the same {what} as {other.shown}; change one"))
    return problems
