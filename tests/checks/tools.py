"""Linters for workflows, each as a function from files to what it found: an empty text means nothing."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from generator.adapters.shell import ProcessFailed, run
from generator.yamlio import parse
from tests.checks import github_parser

ROOT = Path(__file__).parents[2]
# GitHub knows this key since May 2026; actionlint 1.7.12 does not yet.
QUEUE = 'unexpected key "queue" for "concurrency" section'
# It knows GitHub's own runners only; ours are among the rules.
LABEL = 'label ".+" is unknown'


def zizmor(files: Iterable[Path]) -> str:
    """Security audits, as strict as zizmor can be without asking GitHub."""
    return _findings(_program("zizmor"), "--offline", "--no-progress", "--persona=auditor", *_texts(files))


def actionlint(files: Iterable[Path]) -> str:
    """Syntax and expressions of workflows, but for two messages that are not true.

    Without the shell: it would start shellcheck for every `run:` of every file, and `shellcheck` below sees them all.
    """
    options = ("-no-color", "-oneline", "-ignore", QUEUE, "-ignore", LABEL, "-shellcheck=", "-pyflakes=")
    return _findings(_program("actionlint"), *options, *_texts(files))


def schema(files: Iterable[Path]) -> str:
    """GitHub's own schema of workflows."""
    return _findings(_program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *_texts(files))


def yamllint(files: Iterable[Path]) -> str:
    """Form of YAML, by the project's own rules."""
    return _findings(
        _program("yamllint"), "--strict", "--format=parsable", "-c", str(ROOT / ".yamllint.yaml"), *_texts(files)
    )


def shellcheck(files: Iterable[Path]) -> str:
    """The shell of every `run:`, each text once, all in one process."""
    steps = {script: step for file in files for step, script in _scripts(file)}
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        for number, script in enumerate(sorted(steps)):
            path = Path(folder, f"{number}.sh")
            path.write_text(script, encoding="utf-8")
            names[str(path)] = steps[script]
        if not names:
            return ""
        found = _findings(_program("shellcheck"), "--shell=bash", "--norc", "--format=gcc", *names)
        for path_text, step in names.items():
            found = found.replace(f"{path_text}:", f"{step}: ")
    return found


def hadolint(dockerfile: str) -> str:
    """Dockerfiles, from their text."""
    return _findings(_program("hadolint"), "--no-color", "-", stdin=dockerfile)


def own_scripts(files: Iterable[Path]) -> str:
    """The shell of this repository itself."""
    return _findings(_program("shellcheck"), *_texts(files))


def _scripts(file: Path) -> Iterator[tuple[str, str]]:
    """Where and what every `run:` of a workflow is."""
    jobs = parse(file.read_text(encoding="utf-8"), file.name).data["jobs"]
    for name, job in jobs.items():
        for step in job["steps"]:
            if "run" in step:
                yield f"{file.name}, job {name}, step {step.get('name')!r}", step["run"]


TOOLS: dict[str, Callable[[Iterable[Path]], str]] = {
    "zizmor": zizmor,
    "actionlint": actionlint,
    "check-jsonschema": schema,
    "yamllint": yamllint,
    "shellcheck": shellcheck,
    "github-parser": github_parser.findings,
}
_NEEDS = {"github-parser": github_parser.NEEDS}  # of other tools: the program of that name


def installed(tool: str) -> bool:
    return all(_find(program) for program in _NEEDS.get(tool, (tool,)))


def _find(name: str) -> str | None:
    """The program beside this Python, where the development environment put it, else the one on the PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def _program(name: str) -> str:
    return _find(name) or name


def _texts(files: Iterable[Path]) -> list[str]:
    return [str(file) for file in files]


def _findings(*argv: str, stdin: str | None = None) -> str:
    try:
        run(*argv, stdin=stdin)
    except ProcessFailed as error:
        return f"{error.stdout}\n{error.stderr}".strip() or str(error)
    return ""
