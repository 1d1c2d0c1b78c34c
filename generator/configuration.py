"""A checkout of a configuration repository: whether it is the one that is meant, and what is wrong in it.

It has no model.yaml. Which models it has, and in which order their environments are promoted, says each folder's
`.tagship.source.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from generator.config.addresses import canonical
from generator.config.model import Model, workload
from generator.config.workspace import Workspace
from generator.errors import GeneratorError, InvalidInput, Problem
from generator.overlay import image_of, image_problems
from generator.patches.checking import Overlay, patch_problems
from generator.ports import Renderer
from generator.sources import SOURCE, Source, parse_source, read_source
from generator.validate import changed_overlay_problems, overlay_problems


@dataclass(frozen=True)
class Before:
    """The configuration repository as it is without a change."""

    paths: Collection[str]
    text: Callable[[str], str | None]  # of a file, by its path

    def sources(self) -> Iterator[tuple[str, Source]]:
        """What its folders were, by the files that say so; what cannot be read said nothing."""
        for path in sorted(self.paths):
            text = self.text(path) if re.fullmatch(rf"[^/]+/{re.escape(SOURCE)}", path) else None
            try:
                if text is not None:
                    yield path, parse_source(text, path)
            except InvalidInput:
                continue


def models_of(workspace: Workspace, root: Path, *, top: Path, origins: Collection[str]) -> list[Model]:
    """The models whose overlays belong into the checkout `root`. Raises GeneratorError where it is none of theirs.

    `top` is where the Git repository of `root` begins, `origins` what its remote is called, without logins.
    """
    elsewhere = [model for model in workspace if model.separate]
    if not elsewhere:
        raise GeneratorError("--into is for deploy.repository: https://…, and no model.yaml here names one")
    urls = " or ".join(sorted({str(model.overlays_url) for model in elsewhere}))
    if top.resolve() != root.resolve():
        raise GeneratorError(f"{root} is not the root of a Git repository: name the checkout of {urls}")
    if workspace.root.resolve().is_relative_to(root.resolve()):
        raise GeneratorError(f"{root} is this very repository: name the checkout of {urls}")
    known = {canonical(origin) for origin in origins}
    if not known and " or " in urls:
        raise GeneratorError(f"{root} has no remote `origin` that says which it is: {urls}")
    found = [model for model in elsewhere if not known or canonical(str(model.overlays_url)) in known]
    if not found:
        raise GeneratorError(
            f"{root} was cloned from {min(origins)}, but deploy.repository is {urls}: name its checkout"
        )
    return found


def sources(root: Path) -> list[Source]:
    """What the folders of the configuration repository at `root` are. Raises InvalidInput with all problems."""
    found: list[Source] = []
    problems: list[Problem] = []
    for path in sorted(root.glob(f"*/{SOURCE}")):
        shown = path.relative_to(root).as_posix()
        try:
            source = read_source(path, shown)
        except InvalidInput as error:
            problems += error.problems
            continue
        if source.model != path.parent.name:
            problems.append(Problem(shown, 0, 0, f"is of the model {source.model}: its folder must be called so"))
        found.append(source)
    if problems:
        raise InvalidInput(problems)
    if not found:
        raise GeneratorError(f"no {SOURCE} in any folder here: `generator generate --into` writes it")
    return found


def configuration_problems(
    root: Path, found: list[Source], renderer: Renderer | None, before: Before | None = None
) -> list[Problem]:
    """All that is wrong in the ledgers and overlays of `found`; with `before` in what a change does to them, too.

    Without a `renderer` nothing is rendered.
    """
    problems = [*_forgotten(root, found), *(_taken_away(found, before) if before else ())]
    for source in found:
        overlays = {environment: source.overlay(environment) for environment in source.environments}

        def rendered(environment: str, source: Source = source) -> list[Problem]:
            return _render_problems(root, source, environment, renderer) if renderer else []

        problems += overlay_problems(root, source.model, overlays, rendered)
        if before is not None:
            problems += changed_overlay_problems(root, source.model, overlays, before.text)
    return problems


def _forgotten(root: Path, found: list[Source]) -> Iterator[Problem]:
    """Ledgers of models and environments that no source file names: nothing would look at them."""
    known = {
        f"{source.overlay(environment)}/release.yaml" for source in found for environment in source.environments
    }
    there = {path.relative_to(root).as_posix() for path in root.glob("*/k8s/overlays/*/release.yaml")}
    for shown in sorted(there - known):
        message = f"belongs to no environment that a {SOURCE} names: generate it anew, or remove the folder"
        yield Problem(shown, 0, 0, message)


def _taken_away(found: list[Source], before: Before) -> Iterator[Problem]:
    """Folders and environments that are gone or in another order: what is looked at is theirs to say."""
    now = {source.model: source.environments for source in found}
    for path, old in before.sources():
        if old.model not in now:
            yield Problem(path, 0, 0, f"is gone; restore {old.model}/ with git: a ledger is never removed")
            continue
        environments = now[old.model]
        for environment in old.environments:
            if environment not in environments:
                message = f"no longer names {environment}; restore it with git: a ledger is never removed"
                yield Problem(path, 0, 0, message)
        kept = [environment for environment in old.environments if environment in environments]
        if kept != [environment for environment in environments if environment in old.environments]:
            message = f"has another order than {', '.join(old.environments)}, in which versions are promoted"
            yield Problem(path, 0, 0, f"{message}: restore it with git")


def _render_problems(root: Path, source: Source, environment: str, renderer: Renderer) -> list[Problem]:
    overlay = source.overlay(environment)
    shown = f"{overlay}/kustomization.yaml"
    own = Overlay(source.model, overlay.removeprefix(f"{source.model}/"))
    if found := patch_problems(root / source.model, [own], renderer):
        return [replace(problem, file=f"{source.model}/{problem.file}") for problem in found]
    try:
        objects = renderer.build(root / overlay)
    except GeneratorError as error:
        return [Problem(shown, 0, 0, str(error).replace(f"{root.resolve()}/", ""))]
    image = image_of((root / shown).read_text(encoding="utf-8"), shown)
    name = workload(source.model)
    wrong = image_problems(objects, name=name, repository=image.repository, digest=image.digest)
    return [Problem(shown, 0, 0, problem) for problem in wrong]
