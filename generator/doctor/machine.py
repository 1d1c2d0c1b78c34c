"""The machine: programs, space and Pythons that `rehearse`, `lock` and a self-hosted runner need."""

from __future__ import annotations

import shutil
from pathlib import Path

from generator.adapters import kustomize, skopeo
from generator.adapters.docker import Docker
from generator.adapters.git_state import GitState, git_version
from generator.adapters.shell import MissingProgram
from generator.adapters.uv import Uv
from generator.doctor.finding import Finding, Findings, Severity, Subject, in_two
from generator.errors import GeneratorError

AREA = "machine"
OLDEST_GIT = (2, 28)  # `git init --initial-branch`
LEAST_FREE = 5 * 2**30  # an environment with MLflow, twice, and an image


def check(subject: Subject) -> Findings:
    yield from _git(subject)
    yield from _containers()
    if not kustomize.installed():
        fix = "install one: https://kubectl.docs.kubernetes.io/installation/kustomize/"
        yield _warning("neither kustomize nor kubectl is installed: overlays are not rendered here", "PATH", fix)
    yield from space(subject.root, LEAST_FREE)
    if subject.workspace is not None:
        yield from _pythons(subject)


def _git(subject: Subject) -> Findings:
    try:
        version = git_version()
    except MissingProgram:
        fix = "install Git: https://git-scm.com/downloads"
        yield Finding(AREA, Severity.ERROR, "git is not installed", "PATH", fix)
        return
    if version < OLDEST_GIT:
        what, fix = (
            f"Git {version[0]}.{version[1]} is too old",
            f"install Git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer",
        )
        yield Finding(AREA, Severity.ERROR, what, "PATH", fix)
    if not GitState(subject.root).knows_author():
        fix = 'run `git config --global user.name "…"` and `git config --global user.email …`'
        yield Finding(AREA, Severity.ERROR, "Git does not know whose commits it makes", "git config", fix)


def _containers() -> Findings:
    """Without containers a rehearsal runs in processes: no error."""
    seen: set[str] = set()
    for check_part in (Docker().check, skopeo.check):
        try:
            check_part()
        except GeneratorError as error:
            if str(error) not in seen:
                seen.add(str(error))
                yield _warning(*_parts(error))


def _parts(error: GeneratorError) -> tuple[str, str, str]:
    what, fix = in_two(str(error))
    return f"{what}; rehearsals make no image", "PATH" if isinstance(error, MissingProgram) else "docker", fix


def space(folder: Path, least: int) -> Findings:
    """Whether the disks of the repository and of temporary files have room for a release."""
    import tempfile

    for place in {folder.resolve(), Path(tempfile.gettempdir())}:
        free = shutil.disk_usage(place).free
        if free < least:
            what = f"{free / 2**30:.1f} GiB are free, a rehearsal may need {least / 2**30:.0f}"
            yield _warning(what, str(place), "delete what is not needed, or set TMPDIR to a larger disk")


def _pythons(subject: Subject) -> Findings:
    try:
        for version in sorted({model.config.train.python for model in subject.models}):
            if not Uv().has_python(version):
                what = f"Python {version} (train.python) is not on this machine; uv would download it"
                yield _warning(what, "model.yaml", f"run `uv python install {version}`, or install your system's")
    except MissingProgram as error:
        what, fix = in_two(str(error))
        yield Finding(AREA, Severity.ERROR, what, "PATH", fix)


def _warning(what: str, where: str, fix: str) -> Finding:
    return Finding(AREA, Severity.WARNING, what, where, fix)
