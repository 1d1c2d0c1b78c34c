"""A repository's models together: where each is found, and what no two of them may share."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from generator.config.load import load_model, load_workspace
from generator.config.model import Model
from generator.errors import GeneratorError, InvalidInput, Problem
from generator.version import Version


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
    """Two models with one name, image tag or GitHub environment; two environments in one namespace; a host."""
    problems = _shared_hosts(models)
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


def _shared_hosts(models: list[Model]) -> list[Problem]:
    """A host leads to one service: a second would get its requests, or be refused by the cluster."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for model in models:
        for target in model.targets:
            place = f"{model.name} in {target.name}"
            for host in {way.host for way in (target.serve.ingress, target.serve.gateway) if way}:
                if (other := seen.setdefault(host, place)) != place:
                    message = f"{place} would answer at {host}, as {other} does; give one another host"
                    hint = "with {environment} in it, or {name} in tagship.yaml, it is each one's own"
                    problems.append(Problem(model.shown, 0, 0, f"{message}: {hint}"))
    return problems
