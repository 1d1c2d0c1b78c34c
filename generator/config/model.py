"""A model as the rest of the command sees it: defaults filled in, folders and environments known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from generator.config.ecr import Ecr, ecr_of
from generator.config.exposure import own_host
from generator.config.observing import Observe
from generator.config.schema import Environment, ModelFile, Serve
from generator.config.variables import with_changes
from generator.errors import GeneratorError
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
        given = self.config.deploy.environments or {"production": Environment()}
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
        changes["env"] = with_changes(self.config.serve.env, settings.serve.env)
        serve = self._hosted(self.config.serve.model_copy(update=changes), name)
        return Target(name, namespace, serve, settings, self._observe(settings))

    def _hosted(self, serve: Serve, environment: str) -> Serve:
        """With the environment's own host, where the one in model.yaml has a place for it."""
        changes = {
            key: way.model_copy(update={"host": own_host(way.host, self.name, environment)})
            for key in ("ingress", "gateway")
            if (way := getattr(serve, key))
        }
        return serve.model_copy(update=changes)

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
