"""Whether each patch of an overlay still applies, by kustomize's own word, with the place and what to do.

Kustomize refuses some patches, and then names no line: which part it is is found by leaving out the later ones.
Others it takes silently although they do nothing, or add what they meant to change: these are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.config.model import Model, workload
from generator.disk import LINKED, linked
from generator.errors import GeneratorError, InvalidInput, Problem
from generator.ledger import read_ledger
from generator.overlay import image_of, image_problems
from generator.patches.reading import (
    FOLDER,
    Object,
    Part,
    Patch,
    entries,
    forgotten,
    kustomization,
    mentions,
    patches_of,
)
from generator.patches.silent import silent_problems
from generator.patches.trial import Trial, copied
from generator.plan.component import WITH_A_RELEASE
from generator.ports import Renderer
from generator.yamlio import Document

LATER = "make it a patch with a target (target: {kind: …}), which kustomize passes over until then"


@dataclass(frozen=True)
class Overlay:
    """An overlay of a model; `path` is from the model's home."""

    model: str
    path: str


def patched(root: Path, overlays: Iterable[Overlay]) -> list[Overlay]:
    """Those of `overlays` that have patches of their own."""
    return [one for one in overlays if (root / one.path / FOLDER).is_dir() or _listed(root, one)]


def _listed(root: Path, overlay: Overlay) -> bool:
    if not mentions(root / overlay.path):
        return False
    found = kustomization(root / overlay.path, overlay.path)
    return bool(found and found.data.get("patches"))


def overlays_of(models: Iterable[Model]) -> list[Overlay]:
    """All overlays of `models`."""
    return [Overlay(model.name, model.overlay(target.name)) for model in models for target in model.targets]


def patch_problems(
    root: Path,
    overlays: Iterable[Overlay],
    renderer: Renderer | None,
    wanted: Mapping[str, str | None] | None = None,
) -> list[Problem]:
    """What is wrong with the patches of `overlays` in `root`.

    `wanted` are texts that are to replace files, by path: a patch must fit what will be there. Without a
    `renderer` only files that nothing reads, and entries without a file, are found.
    """
    chosen = patched(root, overlays)
    problems: list[Problem] = []
    for overlay in chosen:
        if listed := kustomization(root / overlay.path, overlay.path):
            problems += forgotten(root / overlay.path, overlay.path, listed)
            problems += _absent(root / overlay.path, listed)
    if renderer is None or not chosen:
        return problems
    with copied(root, wanted or {}) as top:
        for overlay in chosen:
            file = f"{overlay.path}/kustomization.yaml"
            if linked(top, file):  # a trial writes there
                problems.append(Problem(file, 0, 0, LINKED))
            elif listed := kustomization(top / overlay.path, overlay.path):
                problems += _Looked(overlay, listed, Trial(top, overlay.path, listed.data, renderer)).problems()
    return problems


def _absent(overlay: Path, listed: Document) -> Iterator[Problem]:
    for number, entry in entries(listed):
        path = entry.get("path")
        if isinstance(path, str) and not (overlay / path).is_file():
            yield listed.problem(("patches", number, "path"), f"there is no file {path}: restore it, or unlist it")


@dataclass(frozen=True)
class _Looked:
    """One overlay, patch by patch."""

    overlay: Overlay
    listed: Document
    trial: Trial

    def problems(self) -> list[Problem]:
        folder = self.trial.top / self.overlay.path
        patches = list(patches_of(folder, self.overlay.path, self.listed))
        text = (folder / "kustomization.yaml").read_text(encoding="utf-8", errors="replace")
        if list(_absent(folder, self.listed)):
            return []  # said already, and nothing renders
        try:
            before = self.trial.rendered([])
        except GeneratorError as error:
            return [self.listed.problem((), f"does not render even without its patches: {error}")]
        found, applied = list[Problem](), list[Object]()
        for patch in patches:
            try:
                after = self.trial.rendered([*applied, patch.upto()])
            except GeneratorError as error:
                found.append(self._refused(patch, applied, before, str(error)))
                continue
            if patch.target is not None and not self.trial.selects(applied, patch.target):
                later = any(_may_be_meant(kind, patch.target) for kind in WITH_A_RELEASE)
                if not later or self._is_released():
                    found.append(_selects_nothing(patch, before))
                continue
            found += silent_problems(patch, before, after)
            before = after
            applied.append(patch.entry)
        return found or self._whole(text)

    def _is_released(self) -> bool:
        """Whether the overlay has all that comes with its first release."""
        shown = f"{self.overlay.path}/release.yaml"
        ledger = self.trial.top / shown
        if not ledger.is_file():
            return True
        return read_ledger(ledger.read_text(encoding="utf-8", errors="replace"), shown).current is not None

    def _refused(self, patch: Patch, applied: list[Object], before: list[Object], reason: str) -> Problem:
        for count, part in enumerate(patch.parts, start=1):
            try:
                self.trial.rendered([*applied, patch.upto(count)])
            except GeneratorError as error:
                kind = part.data.get("kind")
                if isinstance(kind, str) and kind in WITH_A_RELEASE and not self._is_released():
                    return part.problem(("kind",), f"there is no {kind} before the first release: {LATER}")
                return _refused_part(part, before, str(error))
        return patch.problem(
            f"kustomize refuses this patch: {reason}", "path" if "path" in patch.entry else "patch"
        )

    def _whole(self, text: str) -> list[Problem]:
        """Each patch applies; what they make of the overlay must be what a release can change."""
        try:
            objects = self.trial.whole(text)
            image = image_of(text, self.listed.file)
        except InvalidInput as error:
            return list(error.problems)
        except GeneratorError as error:
            return [self.listed.problem(("patches",), f"with its patches it does not render: {error}", key=True)]
        name = workload(self.overlay.model)
        wrong = image_problems(objects, name=name, repository=image.repository, digest=image.digest)
        return [
            self.listed.problem(
                ("patches",), f"with its patches: {problem}; no release could be deployed", key=True
            )
            for problem in wrong[:1]
        ]


def _may_be_meant(kind: str, target: Object) -> bool:
    """Whether `target` may select the object of a kind that comes with a release; its labels are not looked at.

    As kustomize does: by expressions that match the whole, and with `default` for an object of no namespace.
    """
    group, _, version = WITH_A_RELEASE[kind].rpartition("/")
    own = {"group": group, "version": version, "kind": kind, "name": "inference", "namespace": "default"}
    try:
        return all(re.fullmatch(str(target[key] or ".*"), text) for key, text in own.items() if key in target)
    except re.error:
        return False


def _refused_part(part: Part, before: list[Object], reason: str) -> Problem:
    if part.is_operation:
        return _refused_operation(part, reason)
    if "no resource matches" in reason or "no matches for Id" in reason:
        return _matches_none(part, before)
    return part.problem((), f"kustomize refuses this patch: {reason}")


def _matches_none(part: Part, before: list[Object]) -> Problem:
    """Why a strategic merge finds no object: where there is one of its kind and name, something else differs."""
    kind, metadata = part.data.get("kind"), part.data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name")
    if str(kind).endswith("List") and "items" in part.data:
        message = f"an item of this {kind} has no object to patch: write each as a document of its own"
        return part.problem(("kind",), message)
    for item in (item for item in before if (item["kind"], item["metadata"]["name"]) == (kind, name)):
        version, space = item["apiVersion"], item["metadata"].get("namespace")
        if version != part.data.get("apiVersion"):
            return part.problem(("apiVersion",), f"the apiVersion of {kind} {name} is {version}: write that")
        own = f"the namespace of {kind} {name} is {space}: write that"
        message = own if space else f"leave namespace out: the overlay gives {kind} {name} its own later"
        return part.problem(("metadata", "namespace"), message)
    message = f"there is no {kind} {name} to patch; {_there_are(before)}. Name one of them, or remove the patch"
    return part.problem(("metadata", "name"), message)


def _refused_operation(part: Part, reason: str) -> Problem:
    name, path = part.data.get("op", "operation"), part.data.get("path")
    key = {"test": "value", "copy": "from", "move": "from"}.get(name, "path")
    why = f"the value at {path} is another one, or not there" if "test failed" in reason else reason
    if re.search(r"missing|nonexistent|invalid index|out of bounds", reason) and name != "test":
        why = f"there is no {part.data.get(key)}" + (" to add to" if name == "add" else "")
    message = (
        f"this {name} does not apply: {why}. See what is there with `kustomize build`, then correct the "
        "operation, or remove it"
    )
    return part.problem((key,), message)


def _selects_nothing(patch: Patch, before: list[Object]) -> Problem:
    wanted = ", ".join(f"{key} {value}" for key, value in (patch.target or {}).items())
    message = (
        f"selects no object ({wanted}), and kustomize skips it without a word; {_there_are(before)}. "
        "Correct the target, or remove the patch"
    )
    return patch.problem(message, "target")


def _there_are(objects: list[Object]) -> str:
    names = sorted(f"{item['kind']} {item['metadata']['name']}" for item in objects)
    return f"there are: {', '.join(names)}"
