"""Retraining: the commit that runs, trained again on today's data, becomes the next patch version if that differs.

Training and tagging are apart, as their jobs are: what the training hands on is data from a stranger.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.artifacts import TrainedModel
from generator.config.model import Model
from generator.config.workspace import load
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger, ledger_at
from generator.plan.naming import workflow_file
from generator.plan.pipeline import Stage
from generator.ports import Reporter
from generator.release import Release
from generator.stages.gate import gate
from generator.store import Store
from generator.tagging import tagged_versions
from generator.version import Version
from generator.wiring import World, run_stage, who

ON_A_MACHINE = (
    "a tag that a workflow's own token pushes starts no release: run `generator retrain{model}` on the machine of "
    "somebody who may push release tags, or let a GitHub App or a deploy key push (`deploy.push.mode`)"
)
LOG_IT = "let the script log its datasets (mlflow.log_input, see docs/training.md), and release that"


@dataclass(frozen=True)
class Last:
    """What the first environment runs, which is trained again, and which version would come of it."""

    model: Model
    ledger: Ledger
    entry: Entry
    tag: str
    next: Version

    @property
    def probe(self) -> Version:
        """What the training is called: no release has this name, so none of its runs is mistaken for one."""
        return Version(f"{self.next}-retrain")


def last_release(model: Model, git: GitRepository) -> Last:
    """What may be trained again, by the branch and the tags as this clone knows them."""
    environment = model.targets[0].name
    branch = f"refs/remotes/origin/{model.config.repository.branch}"
    ledger = ledger_at(git, branch, model.overlay(environment))
    if ledger is None or ledger.current is None:
        raise GeneratorError(
            f"{environment} was never released: there is nothing to train again; `generator release` comes first"
        )
    entry = ledger.current
    if entry.data is None:
        raise GeneratorError(
            f"{entry.version} says no data hash, so nobody could tell whether its data has changed: {LOG_IT}"
        )
    highest = max((Version(entry.version), *tagged_versions(model, git)))
    if highest.prerelease:
        raise GeneratorError(f"{highest} is a pre-release, which has no next patch version: release by hand")
    tag = model.tag(Version(entry.version))
    for name in (tag, model.tag(highest)):
        if git.commit_of(f"refs/tags/{name}") != entry.commit:
            raise GeneratorError(
                f"{environment} runs {entry.version} of commit {entry.commit[:12]}, but {name} is another commit: "
                "nothing is trained again until what is tagged last runs there, or was released by hand"
            )
    return Last(model, ledger, entry, tag, highest.bumped("patch"))


def check_workflow(last: Last, git: GitRepository) -> None:
    """Whether a workflow's run can go on from the tag. Raises GeneratorError before anything is trained."""
    name = last.model.name
    if last.model.config.deploy.push.mode == "token":
        raise GeneratorError(ON_A_MACHINE.format(model="" if last.model.at_root else f" --model {name}"))
    file = workflow_file("retrain", last.model)
    if git.text_at(f"refs/tags/{last.tag}", file) is None:
        raise GeneratorError(
            f"{last.tag} has no {file} yet: release once more, then it is trained again from there"
        )


def train_again(last: Last, root: Path, folder: Path, work: Path, world: World) -> None:
    """Trains the released commit in a clone; train.json and train.log come to `folder`."""
    source = work / "source"
    GitRepository(source).clone(str(root.resolve()), commit=last.entry.commit)
    release = Release(
        model=load(source).model(last.model.name),
        version=last.probe,
        commit=last.entry.commit,
        root=source,
        store=Store(work / "store" / f"{last.model.name}-{last.probe}"),
        attempt=uuid.uuid4().hex,
        by=who(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run_stage(Stage.TRAIN, release, world, again=True)
    finally:
        for name in ("train.json", "train.log"):
            if (made := release.store.folder / name).is_file():
                (folder / name).write_bytes(made.read_bytes())


def no_release(last: Last, folder: Path, reporter: Reporter) -> str | None:
    """Why what was trained becomes no release; None where it does. Raises GeneratorError where it must not."""
    identity = {"name": last.model.name, "version": str(last.probe), "commit": last.entry.commit}
    trained = Store(folder).read(Stage.TRAIN, TrainedModel, **identity)
    if trained.data_sha256 is None:
        raise GeneratorError(
            f"the training logged no dataset, so nobody can tell whether the data has changed: {LOG_IT}"
        )
    if trained.data_sha256 == last.entry.data:
        return f"the data has not changed since {last.entry.version}: no release"
    bad = {item.version: item.reason for item in last.ledger.rejected}
    for entry in last.ledger.history:
        if entry.version in bad and entry.data == trained.data_sha256:
            return f"this data made {entry.version}, which was rejected ({bad[entry.version]}): no release"
    release = Release(
        model=last.model,
        version=last.probe,
        commit=last.entry.commit,
        root=Path(),
        store=Store(folder),
        attempt="",
        by=who(),
    )
    gate(release, trained, last.ledger, reporter)
    return None


def tag_next(last: Last, git: GitRepository) -> str:
    """Tags the released commit with the next version, and pushes the tag, which starts the release."""
    tag = last.model.tag(last.next)
    git.tag(tag, last.entry.commit, f"Release {last.model.name} {last.next}, retrained")
    git.push_tag(tag)
    return tag
