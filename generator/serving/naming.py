"""What the word after `generator serve` means: a folder, a run or a registered model. Nothing is looked up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from generator.errors import GeneratorError

_RUN = re.compile(r"[0-9a-f]{32}")
_NAME = r"[^\s/:@'\"`]+(?: [^\s/:@'\"`]+)*"  # MLflow forbids / and :, and the quotes would end its filters
_REGISTERED = re.compile(rf"({_NAME})(?:/(\d{{1,9}}|latest)|@({_NAME}))?")
FORMS = (
    "a model folder, runs:/<run id>[/<path>], models:/<name>/<version>, models:/<name>@<alias> or a model's name"
)


@dataclass(frozen=True)
class RunName:
    """A run, and which model in it: None for the only one, or the one called `model`."""

    run_id: str
    path: str | None

    def __str__(self) -> str:
        return f"runs:/{self.run_id}" + (f"/{self.path}" if self.path else "")


@dataclass(frozen=True)
class RegisteredName:
    """A registered model: a version, an alias, or neither for the newest version."""

    name: str
    version: str | None
    alias: str | None

    def __str__(self) -> str:
        if self.alias:
            return f"models:/{self.name}@{self.alias}"
        return f"models:/{self.name}" + (f"/{self.version}" if self.version else "")

    @property
    def moves(self) -> bool:
        """Whether it may mean another version tomorrow."""
        return self.version is None


def parse(text: str) -> Path | RunName | RegisteredName:
    """What `text` names; what lies on disk goes before a name. Raises GeneratorError where it names nothing."""
    if Path(text).is_dir():
        return Path(text)
    if text.startswith("runs:/"):
        run_id, _, path = text.removeprefix("runs:/").strip("/").partition("/")
        if not _RUN.fullmatch(run_id):
            raise GeneratorError(
                f"{text!r} names no run: a run id is 32 hexadecimal digits (runs:/<run id>/<path>)"
            )
        return RunName(run_id, path or None)
    if _RUN.fullmatch(text):
        return RunName(text, None)
    match = _REGISTERED.fullmatch(text.removeprefix("models:/"))
    if match and (text.startswith("models:/") or match[2] is None):
        return RegisteredName(match[1], None if match[2] in (None, "latest") else match[2], match[3])
    if text.startswith("models:/"):
        raise GeneratorError(
            f"{text!r} is no address of a model: write models:/<name>/<version>, or <name>@<alias>"
        )
    raise GeneratorError(f"there is no folder {text!r}: name {FORMS}")
