"""`generator init`: looks at what a repository has, and adds what it lacks."""

from __future__ import annotations

import re
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.config.load import model_of
from generator.disk import write_atomically
from generator.errors import GeneratorError
from generator.plan.scaffold import Answers, plan_scaffold
from generator.render import text_of
from generator.yamlio import parse

_LIKELY = ("train.py", "training.py", "src/train.py", "model/train.py")
PLACEHOLDER_ACCOUNT = "123456789012"


def find_script(root: Path) -> str | None:
    """The training script that the repository has: by its name, else the only file that logs a model."""
    for likely in _LIKELY:
        if (root / likely).is_file():
            return likely
    logging = [path for path in sorted(root.glob("*.py")) if "log_model" in path.read_text(errors="replace")]
    return logging[0].name if len(logging) == 1 else None


def find_framework(root: Path, script: str | None) -> str:
    """The framework that the script or the requirements name; scikit-learn where neither tells."""
    text = "".join(
        (root / name).read_text(errors="replace")
        for name in (script, "requirements.txt")
        if name and (root / name).is_file()
    )
    return next((name for name in ("lightgbm", "xgboost") if name in text), "sklearn")


def suggested_name(root: Path) -> str:
    """A model name from the folder's."""
    words = re.findall(r"[a-z0-9]+", root.resolve().name.lower())
    name = "-".join(words)[:40].strip("-")
    return name if re.match(r"[a-z]", name) else f"model-{name}".strip("-")[:40].strip("-")


def origin_url(git: GitRepository) -> str | None:
    """origin as https://, without credentials; None where it has another form."""
    url = git.origin() or ""
    if match := re.fullmatch(r"(?:ssh://)?git@([\w.-]+)[:/](.+?)(?:\.git)?/?", url):
        return f"https://{match[1]}/{match[2]}"
    match = re.fullmatch(r"https://(?:[^@/]*@)?([\w.-]+(?::\d+)?/[\w./~-]+?)(?:\.git)?/?", url)
    return f"https://{match[1]}" if match else None


def write_scaffold(root: Path, answers: Answers, *, has_script: bool) -> list[tuple[str, bool]]:
    """Writes what is missing; returns (path, written) for each file. Nothing that exists is touched.

    Raises InvalidInput, before anything is written, where the answers make no valid model.yaml.
    """
    texts = [(file.path, text_of(file)) for file in plan_scaffold(answers, has_script=has_script)]
    for path, text in texts:
        if path == "model.yaml":
            model_of(parse(text, path))
        if not (root / path).resolve().is_relative_to(root.resolve()):
            raise GeneratorError(f"{path} leads out of {root}")
    outcome = []
    for path, text in texts:
        missing = not (root / path).exists()
        if missing:
            write_atomically(root / path, text)
        outcome.append((path, missing))
    return outcome
