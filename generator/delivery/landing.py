"""Compare and push: an edit is made on the branch's head, and made again on the next one until its push lands.

Nothing else keeps deploys, promotions and rollbacks apart: whoever comes second sees what the first one wrote.
"""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from generator.config.model import Model
from generator.errors import GeneratorError
from generator.ledger import Ledger
from generator.ports import Git, Renderer, Reporter

LONGEST_WAIT = 10  # seconds between two attempts, in a storm of them
PATIENCE = 600  # seconds; two hundred deploys at once land within it
Regenerate = Callable[[Path, Model, str], list[str]]


@dataclass(frozen=True)
class Deployer:
    """What a change of an overlay works with. `git` is a fresh folder; `source` is where the branch lives."""

    git: Git
    source: str
    renderer: Renderer | None  # None only in a rehearsal on a machine without kustomize
    regenerate: Regenerate  # writes an overlay's owned files anew and returns the paths it changed
    reporter: Reporter
    now: str  # UTC, as in 2026-01-31T12:00:00Z
    model: Model | None = None  # as the code's release branch has it; None: what is cloned has its model.yaml


@dataclass(frozen=True)
class Landed:
    """A commit on the branch, whether it was made now, and what the overlay's ledger says with it."""

    commit: str
    changed: bool
    overlay: str
    ledger: Ledger


def land(
    with_: Deployer,
    branch: str,
    edit: Callable[[str], Landed],
    *,
    push: Callable[[str], bool] | None = None,
) -> Landed:
    """Calls `edit` with the head that is checked out until what it commits is on `branch`.

    `edit` commits, or finds the commit that did the same before (`changed` is False), or raises GeneratorError.
    `push` brings a commit elsewhere than to `branch`; False where it has to be made again.
    """
    push = push or _onto(with_, branch)
    if with_.git.root.exists():
        shutil.rmtree(with_.git.root)
    with_.git.clone(with_.source, branch=branch)
    begin = time.monotonic()
    for attempt in itertools.count():
        head = with_.git.fetch(branch)
        with_.git.reset(head)
        landed = edit(head)
        if not landed.changed:
            return landed
        if push(landed.commit):
            return landed
        if time.monotonic() - begin > PATIENCE:
            break
        with_.reporter.say(f"{branch} has moved: editing its new head")
        time.sleep(random.uniform(0, min(0.1 * 2 ** min(attempt, 10), LONGEST_WAIT)))  # noqa: S311
    raise GeneratorError(f"{branch} kept moving for {PATIENCE // 60} minutes; run the same command again")


def _onto(with_: Deployer, branch: str) -> Callable[[str], bool]:
    def push(commit: str) -> bool:
        pushed = with_.git.push(commit, branch)
        if pushed:
            with_.reporter.say(f"pushed {commit[:12]} to {branch}")
        return pushed

    return push
