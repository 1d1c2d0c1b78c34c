"""One environment as the branch's head has it: its ledger, its image, and the commit that changes both."""

from __future__ import annotations

from pathlib import PurePosixPath

from generator.config.addresses import commit_url
from generator.config.model import Model, workload
from generator.config.workspace import load
from generator.delivery.landing import Deployer, Landed
from generator.disk import write_atomically
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger, read_ledger
from generator.overlay import image_of, image_problems, with_image
from generator.plan.startup import startup_seconds
from generator.sources import check_owner, check_place


class Environment:
    """The overlay belongs to the branch, not to a tag: it is read from what is checked out, and so is the model.

    A configuration repository has no model.yaml: there the model is that of the code's release branch.
    """

    def __init__(self, model: Model, environment: str, with_: Deployer) -> None:
        self.with_, self.root = with_, with_.git.root
        self.model = with_.model or load(self.root).model(model.name)
        check_place(model, self.model, branch=model.config.repository.branch)
        if self.model.separate:
            check_owner(self.root, self.model)
        self.target = self.model.target(environment)
        self.overlay = self.model.overlay_path(environment)
        self.ledger_path = f"{self.overlay}/release.yaml"
        self.kustomization = f"{self.overlay}/kustomization.yaml"
        self.ledger = self._read_ledger()

    def _read_ledger(self) -> Ledger:
        for path in (self.ledger_path, self.kustomization):
            if not (self.root / path).is_file():
                there = f" of {self.model.overlays_url}" if self.model.separate else ""
                how = "generator generate --into CHECKOUT" if self.model.separate else "generator generate"
                raise GeneratorError(f"{path} is not on the branch{there}: run `{how}` there, commit and push")
        return read_ledger((self.root / self.ledger_path).read_text(encoding="utf-8"), self.ledger_path)

    def kustomization_text(self) -> str:
        return (self.root / self.kustomization).read_text(encoding="utf-8")

    def unchanged(self, commit: str | None = None) -> Landed:
        """For an edit that was made before, by `commit`; None: by the one that wrote the ledger as it is."""
        commit = commit or self.with_.git.last_change(self.ledger_path)
        return Landed(commit, changed=False, overlay=self.overlay, ledger=self.ledger)

    def commit(self, ledger: Ledger, message: str, *, repository: str | None = None) -> Landed:
        """Commits `ledger` and its current image. `repository` is that image's; None: the overlay's own."""
        assert ledger.current is not None
        text = self.kustomization_text()
        repository, digest = repository or image_of(text, self.kustomization).repository, ledger.current.digest
        write_atomically(
            self.root / self.kustomization,
            with_image(text, self.kustomization, repository=repository, digest=digest),
        )
        write_atomically(self.root / self.ledger_path, ledger.text())
        # The first release switches on what waits for one, and a model may take longer to load than the one
        # before: else owned files are left to `generate`.
        same = startup_seconds(self.ledger.current) == startup_seconds(ledger.current)
        owned = [] if self.ledger.released and same else self._regenerated()
        self._verify(repository, digest)
        commit = self.with_.git.commit([self.ledger_path, self.kustomization, *owned], message)
        return Landed(commit, changed=True, overlay=self.overlay, ledger=ledger)

    def _regenerated(self) -> list[str]:
        home = self.model.home
        changed = self.with_.regenerate(self.root / home, self.model, self.target.name)
        return [str(PurePosixPath(home, path)) for path in changed]

    def _verify(self, repository: str, digest: str) -> None:
        """Nothing is committed that does not render to exactly this digest."""
        if self.with_.renderer is None:
            self.with_.reporter.say("not rendered: neither kustomize nor kubectl is installed")
            return
        objects = self.with_.renderer.build(self.root / self.overlay)
        name = workload(self.model.name)
        if problems := image_problems(objects, name=name, repository=repository, digest=digest):
            raise GeneratorError("\n".join(f"{self.overlay} {problem}" for problem in problems))

    def message(self, title: str, entry: Entry, because: str | None = None, *, request: str | None = None) -> str:
        """A commit's message: its title, why, and what it brings as trailers; `request` names the asking."""
        return (
            f"{title}\n" + (f"\n{because}\n" if because else "") + f"\nTagship-Model: {self.model.name}\n"
            f"Tagship-Environment: {self.target.name}\n"
            f"Tagship-Version: {entry.version}\n"
            f"Tagship-Digest: {entry.digest}\n"
            f"Tagship-Run: {entry.run}\n"
            f"Tagship-Commit: {entry.commit}\n"
            + (f"Tagship-Source: {self._source(entry)}\n" if self.model.separate else "")
            + (f"{_mark(request)}\n" if request else "")
        )

    def _source(self, entry: Entry) -> str:
        """Where the commit is that was trained, for who reads the log of another repository."""
        return commit_url(self.model.config.repository.url, entry.commit) or entry.commit

    def done_before(self, request: str | None) -> str | None:
        """The commit of this request, where it was carried out already."""
        return self.with_.git.find_commit(_mark(request), self.ledger_path) if request else None


def _mark(request: str) -> str:
    return f"Tagship-Request: {request}"
