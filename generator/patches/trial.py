"""Kustomize as the judge: an overlay rendered with some of its patches, in a copy that no one keeps."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.disk import LINKED, linked
from generator.errors import GeneratorError
from generator.patches.reading import Object
from generator.ports import Renderer

# What kustomize does after patches: names are still the base's while they apply.
_LATER = {
    "patches", "namespace", "namePrefix", "nameSuffix", "labels", "commonLabels", "commonAnnotations", "images",
    "replicas", "replacements", "vars", "transformers", "validators", "patchesJson6902",
}  # fmt: skip
_SELECTED = "selected"


@contextmanager
def copied(root: Path, wanted: Mapping[str, str | None]) -> Iterator[Path]:
    """A copy of k8s/ in `root`, with the texts that `wanted` gives by path (None: no such file)."""
    with tempfile.TemporaryDirectory(prefix="tagship-patches-") as folder:
        top = Path(folder).resolve()
        for beside in root.resolve().iterdir():
            if beside.name not in ("k8s", ".git"):
                (top / beside.name).symlink_to(beside)
        shutil.copytree(root / "k8s", top / "k8s", symlinks=True)
        for path, text in wanted.items():
            if not path.startswith("k8s/"):
                continue
            _write(top, path, text)
        yield top


def _write(top: Path, path: str, text: str | None) -> None:
    """Only ever into the copy, whose links still lead to the files of whoever asks."""
    if linked(top, path):
        raise GeneratorError(f"{path}: {LINKED}")
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).unlink(missing_ok=True)
    if text is not None:
        (top / path).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Trial:
    """An overlay of such a copy."""

    top: Path
    overlay: str
    kustomization: Object
    renderer: Renderer

    def rendered(self, patches: Sequence[Object]) -> list[Object]:
        """The objects after `patches`, with the base's names. Raises GeneratorError with kustomize's reason."""
        kept = {key: value for key, value in self.kustomization.items() if key not in _LATER}
        return self._build(json.dumps({**kept, "patches": list(patches)}, default=str))

    def whole(self, text: str) -> list[Object]:
        """What the overlay renders to; `text` is its kustomization.yaml."""
        return self._build(text)

    def selects(self, patches: Sequence[Object], target: Object) -> bool:
        """Whether `target` picks any object: an operation that fails on each one tells."""
        never = json.dumps([{"op": "test", "path": "/kind", "value": _SELECTED}])
        try:
            self.rendered([*patches, {"target": target, "patch": never}])
        except GeneratorError:
            return True
        return False

    def _build(self, text: str) -> list[Object]:
        folder = self.top / self.overlay
        _write(self.top, f"{self.overlay}/kustomization.yaml", text)
        try:
            return self.renderer.build(folder)
        except GeneratorError as error:
            said = str(error).partition(f"{folder}: ")[2] or str(error)
            raise GeneratorError(" ".join(said.replace(f"{self.top}/", "").split())) from error
