"""deploy: puts a digest into one overlay of the branch as it is now, by a commit that either lands or does not.

Correctness comes from compare-and-push: the branch is fetched, the edit made on its head, and pushed; when
the branch has moved meanwhile, all of that is done again. Killed at any point, a second run finds the
ledger as it left it.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from generator.artifacts import OverlayCommit, PublishedImage
from generator.config.model import Model, Target, load
from generator.disk import write_atomically
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger, read_ledger
from generator.overlay import image_problems, with_image
from generator.ports import Git, Renderer, Reporter
from generator.release import Release

ATTEMPTS = 50
Regenerate = Callable[[Path, Model, str], list[str]]


@dataclass(frozen=True)
class Deployer:
    """What a deploy works with. `clone` is a fresh folder; `source` is where the branch lives."""

    git: Git
    source: str
    renderer: Renderer | None  # None only in a rehearsal on a machine without kustomize
    regenerate: Regenerate  # writes an overlay's owned files anew and returns the paths it changed
    reporter: Reporter
    now: str  # UTC, as in 2026-01-31T12:00:00Z


def deploy(
    release: Release,
    published: PublishedImage,
    environment: str,
    with_: Deployer,
    *,
    older_because: str | None = None,
) -> OverlayCommit:
    """Commits `published` to the overlay of `environment` on the release branch."""
    _check_identity(release, published)
    if with_.git.root.exists():
        shutil.rmtree(with_.git.root)
    branch = release.model.config.repository.branch
    with_.git.clone(with_.source, branch=branch)
    for attempt in range(ATTEMPTS):
        head = with_.git.fetch(branch)
        if not with_.git.is_ancestor(release.commit, head):
            raise GeneratorError(
                f"the tagged commit {release.commit[:12]} is not on {branch}: merge it there, "
                f"or tag a commit of {branch}"
            )
        with_.git.reset(head)
        edit = _Edit(release, published, environment, with_)
        if (done := edit.already()) is not None:
            with_.reporter.say(f"{branch} has {release.version} already, by {done[:12]}: nothing to commit")
            return edit.outcome(done, branch, changed=False)
        commit = edit.commit(older_because)
        if with_.git.push(commit, branch):
            with_.reporter.say(f"pushed {commit[:12]} to {branch}")
            return edit.outcome(commit, branch, changed=True)
        with_.reporter.say(f"{branch} has moved: editing its new head")
        time.sleep(random.uniform(0, min(0.1 * 2**attempt, 3)))  # noqa: S311
    raise GeneratorError(f"{branch} moved {ATTEMPTS} times in a row; run `generator stage deploy` again")


def _check_identity(release: Release, published: PublishedImage) -> None:
    """The overlay gets what model.yaml says, whatever the artifact claims."""
    expected = (release.model.image_repository, release.model.image_tag(release.version))
    if published.rehearsal:
        if not release.rehearsal:
            raise GeneratorError("this image was published by a rehearsal: no other overlay may name its digest")
    elif (published.repository, published.tag) != expected:
        raise GeneratorError(
            f"publish.json names {published.repository}:{published.tag}, but model.yaml says "
            f"{expected[0]}:{expected[1]}; the artifact is refused"
        )


class _Edit:
    """One try: the overlay as the branch's head has it, and as it is to be."""

    def __init__(self, release: Release, published: PublishedImage, environment: str, with_: Deployer) -> None:
        self.release, self.published, self.with_ = release, published, with_
        self.root = with_.git.root
        self.model, self.target = _on_branch(self.root, release, environment)
        self.overlay = self.model.overlay(environment)
        self.ledger_path = f"{self.overlay}/release.yaml"
        self.kustomization = f"{self.overlay}/kustomization.yaml"
        self.ledger = self._read_ledger()

    def _read_ledger(self) -> Ledger:
        for path in (self.ledger_path, self.kustomization):
            if not (self.root / path).is_file():
                raise GeneratorError(
                    f"{path} is not on the branch: run `generator generate` there, commit and push"
                )
        return read_ledger((self.root / self.ledger_path).read_text(encoding="utf-8"), self.ledger_path)

    def already(self) -> str | None:
        """The commit that brought exactly this release, when it is what the overlay has now."""
        current = self.ledger.current
        if current is None or current.version != str(self.release.version):
            return None
        if current.digest != self.published.digest:
            raise GeneratorError(
                f"{current.version} is in {self.overlay} already, with the digest {current.digest}, "
                f"not {self.published.digest}; release a new version"
            )
        return self.with_.git.last_change(self.ledger_path)

    def commit(self, older_because: str | None) -> str:
        entry = Entry(
            version=str(self.release.version),
            digest=self.published.digest,
            run=self.published.record.run_id,
            registered=self.published.record.registered_version,
            commit=self.release.commit,
            data=self.published.record.data_sha256,
            golden=self.published.record.golden_rows,
            runtime=self.published.record.runtime,
            metrics=self.published.record.metrics,
            at=self.with_.now,
            by=self.release.by,
        )
        ledger = self.ledger.with_release(entry, older_because=older_because)
        text = (self.root / self.kustomization).read_text(encoding="utf-8")
        text = with_image(
            text, self.kustomization, repository=self.published.repository, digest=self.published.digest
        )
        write_atomically(self.root / self.kustomization, text)
        write_atomically(self.root / self.ledger_path, ledger.text())
        # The first release switches on what waits for one; a later one leaves owned files to `generate`.
        owned = [] if self.ledger.released else self.with_.regenerate(self.root, self.model, self.target.name)
        self._verify()
        return self.with_.git.commit(
            [self.ledger_path, self.kustomization, *owned], self._message(entry, older_because)
        )

    def _verify(self) -> None:
        """Nothing is committed that does not render to exactly this digest."""
        if self.with_.renderer is None:
            self.with_.reporter.say("not rendered: neither kustomize nor kubectl is installed")
            return
        objects = self.with_.renderer.build(self.root / self.overlay)
        problems = image_problems(
            objects,
            name=f"{self.model.name}-inference",
            repository=self.published.repository,
            digest=self.published.digest,
        )
        if problems:
            raise GeneratorError("\n".join(f"{self.overlay} {problem}" for problem in problems))

    def _message(self, entry: Entry, older_because: str | None) -> str:
        because = f"\n{older_because}\n" if older_because else ""
        return (
            f"Deploy {self.model.name} {entry.version} to {self.target.name}\n{because}\n"
            f"Tagship-Model: {self.model.name}\n"
            f"Tagship-Environment: {self.target.name}\n"
            f"Tagship-Version: {entry.version}\n"
            f"Tagship-Digest: {entry.digest}\n"
            f"Tagship-Run: {entry.run}\n"
            f"Tagship-Commit: {entry.commit}\n"
        )

    def outcome(self, commit: str, branch: str, *, changed: bool) -> OverlayCommit:
        return OverlayCommit(
            **self.release.identity,
            environment=self.target.name,
            overlay=self.overlay,
            branch=branch,
            overlay_commit=commit,
            repository=self.published.repository,
            digest=self.published.digest,
            changed=changed,
        )


def _on_branch(root: Path, release: Release, environment: str) -> tuple[Model, Target]:
    """The model as the branch's head describes it: the overlay belongs to the branch, not to the tag."""
    model = load(root).model(release.model.name)
    return model, model.target(environment)
