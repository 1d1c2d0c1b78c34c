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


_ANSWERS: dict[str, tuple[str, str]] = {
    "name": (r"(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", "lower-case words joined by -, at most 40 characters"),
    "aws_account": (r"\d{12}", "the account's 12 digits"),
    "aws_region": (r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-north-1"),
    "environments": (
        r"[a-z][a-z0-9-]*(\s*,\s*[a-z][a-z0-9-]*)*",
        "lower-case words with commas between, such as staging,production",
    ),
}


def answer_problem(key: str, text: str) -> str | None:
    """What is wrong with an answer, so that it is asked again at once; model.yaml's schema has the last word."""
    pattern, meaning = _ANSWERS[key]
    return None if re.fullmatch(pattern, text.strip(), re.ASCII) else f"must be {meaning}"


def check_place(path: Path) -> None:
    """Refuses a folder inside a repository: GitHub reads workflows at the root alone."""
    inside = next((parent for parent in (path.resolve(), *path.resolve().parents) if parent.is_dir()), path)
    git = GitRepository(inside)
    if git.exists() and git.top_level().resolve() != path.resolve():
        raise GeneratorError(
            f"{path} lies inside the Git repository {git.top_level()}: run `generator init` at its root. "
            "For several models in one repository, give each a folder with a model.yaml and list them in "
            "tagship.yaml at the root (`models: [models/*]`)"
        )


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
