"""package: from the model on disk to an image that predicts what the training environment predicted.

No credentials are needed but those of private package indexes, which stay in this process and uv; what the
model brings runs in containers alone. Everything is written under a temporary name first: killed at any point, a
second run gives the same result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from generator.artifacts import BuiltImage, GateReport, Record, RegisteredModel, TrainedModel
from generator.config.schema import Hooks
from generator.config.variables import literals
from generator.disk import file_sha256, folder_sha256
from generator.errors import GeneratorError, InvalidInput
from generator.image.archive import ARCHIVE, read_archive
from generator.image.context import WHEELS, Content, HookFiles, release_facts, write_context
from generator.image.converted import CONVERTED, check_converted, is_converted, lay_out
from generator.image.environment import runtime_lock
from generator.image.golden import Recorded, allowed, compare, read_golden
from generator.image.labels import kept_metrics, labels
from generator.image.runtime import Choice, expected, settled
from generator.ports import Engine, Environments, PackageFiles, Parity, Replay, Reporter
from generator.quantity import in_bytes
from generator.release import Release
from generator.training.hooks_check import hooks_problems
from generator.training.indexes import indexes_of

NOTHING = '{"request": null, "predictions": null}'


@dataclass(frozen=True)
class Packager:
    """What packaging works with."""

    engine: Engine
    environments: Environments
    reporter: Reporter
    files: PackageFiles | None = None  # needed where there are private package indexes
    variables: Mapping[str, str] = field(default_factory=dict)  # the caller's environment, with their logins


@dataclass(frozen=True)
class Ingredients:
    """What the stages before left as artifacts."""

    trained: TrainedModel
    gate: GateReport
    registered: RegisteredModel


def package(release: Release, given: Ingredients, with_: Packager) -> BuiltImage:
    """Builds the image, asks it for the golden rows, and stores it as `image.tar` beside the artifacts."""
    if with_.engine.name == "process" and not release.rehearsal:
        raise GeneratorError(
            "packaging needs a Docker engine: only a rehearsal can do without (`generator rehearse`)"
        )
    with_.engine.check()
    _check_ingredients(release, given)
    return _Packaging(release, given, with_).run()


class _Packaging:
    """One release on its way to an image."""

    def __init__(self, release: Release, given: Ingredients, with_: Packager) -> None:
        self.release, self.given, self.with_ = release, given, with_
        self.config, self.trained = release.model.config, given.trained
        self.variables = literals(self.config.serve.env)  # a Secret's are the cluster's
        self.tag, self.say = local_tag(release), with_.reporter.say
        golden = release.store.folder / "golden.json"
        self.golden = golden.read_text(encoding="utf-8") if self.trained.golden.sha256 else NOTHING
        self.indexes = indexes_of(release.model, with_.variables)
        self.lock = runtime_lock(release, self.trained, with_.environments, with_.reporter, self.indexes)
        self.files = self._fetch()

    def run(self) -> BuiltImage:
        choice = expected(self.config.serve.runtime, self.trained)
        record = self._build(choice)
        replayed, final = self._try(choice)
        if final.served.runtime != choice.served.runtime:
            self.say(f"building the image again, to be {final.served.summary}")
            record = self._build(final)
        else:
            self.say(final.served.summary)
        if final.told and not choice.told:
            replayed, _ = self._try(final)
        if self.config.serve.hooks:
            self._try_hooks(self.config.serve.hooks)
        return self._built(final, record, replayed)

    def _built(self, choice: Choice, record: Record, replayed: Replay) -> BuiltImage:
        archive = self.release.store.folder / ARCHIVE
        tolerance = allowed(self.config.gate.golden_tolerance, converted=choice.served.converted)
        difference = compare(read_golden(self.golden), replayed.predictions, tolerance)
        digest = _store(self.release, self.with_.engine, self.tag, archive)
        self.say(f"{ARCHIVE} holds {digest}, {archive.stat().st_size / 2**20:.0f} MiB")
        return BuiltImage(
            **self.release.identity,
            engine="docker" if self.with_.engine.name == "docker" else "process",
            digest=digest,
            archive_sha256=file_sha256(archive),
            size=archive.stat().st_size,
            platform=self.config.image.platform,
            runtime_lock_sha256=hashlib.sha256(self.lock.encode()).hexdigest(),
            golden_rows=self.trained.golden.rows,
            largest_difference=difference,
            load_seconds=replayed.load_seconds,
            served=choice.served,
            record=record,
        )

    def _build(self, choice: Choice) -> Record:
        """Builds the image for `choice`; what it says of itself."""
        release, context = self.release, self.release.work / "image"
        record = _record(release, self.given, choice)
        content = Content(
            model=self._model(),
            lock=self.lock,
            release=release_facts(self.trained, self.given.registered, choice),
            python=self.config.train.python,
            hooks=_hook_files(release),
            files=self.files,
        )
        write_context(context, content)
        self.say(f"building the image for {self.config.image.platform}")
        self.with_.engine.build(
            context,
            tag=self.tag,
            platform=self.config.image.platform,
            labels=labels(self.trained, record, engine=self.with_.engine.name, source=self.config.repository.url),
            reporter=self.with_.reporter,
        )
        return record

    def _fetch(self) -> Path | None:
        """What private indexes have, as files in a folder: the build gets those, and no login."""
        if not self.indexes or self.with_.files is None:
            return None
        folder, process = self.release.work / WHEELS, self.with_.engine.name == "process"
        self.say("fetching what PyPI does not have")
        self.with_.files.fetch(
            self.lock,
            python=self.config.train.python,
            platform=None if process else self.config.image.platform,
            indexes=self.indexes,
            folder=folder,
        )
        return folder

    def _try(self, choice: Choice) -> tuple[Replay, Choice]:
        """What the image of `choice` answered, and what is to serve. The two questions are asked side by side."""
        rows = self.trained.golden.rows
        self.say(f"asking the image for {rows} golden rows" if rows else "loading the model in the image")
        with ThreadPoolExecutor(1) as beside:
            parity = beside.submit(self._compare) if choice.compared else None
            replayed = self._replay()
        return replayed, settled(choice, self.trained, replayed, parity.result if parity else self._compare)

    def _model(self) -> Path:
        """The folder that the image serves."""
        model = self.release.store.folder / "model"
        if not is_converted(self.trained):
            return model
        return lay_out(self.release.work / "served", model, self.release.store.folder / CONVERTED)

    def _replay(self) -> Replay:
        """What the image answered to the golden rows, in a pod's memory."""
        memory = in_bytes(self.release.model.targets[0].serve.resources.limits.memory)
        replayed = self.with_.engine.replay(self.tag, self.golden, memory=memory, environment=self.variables)
        if replayed.error is not None:
            raise GeneratorError(f"the image cannot serve this model: {replayed.error}")
        return replayed

    def _try_hooks(self, hooks: Hooks) -> None:
        """Refuses an image whose hooks fail, or answer something else than their golden file says."""
        golden = Recorded(None, None, deterministic=True)
        if hooks.golden:
            text = (self.release.root / self.release.model.path(hooks.golden)).read_text(encoding="utf-8")
            golden = read_golden(text, named=hooks.golden)
        self.say(f"asking hooks and model for {hooks.golden or 'a row made from the schema of requests'}")
        request = json.dumps({"request": golden.request})
        answered = self.with_.engine.hooks(self.tag, request, environment=self.variables)
        if answered.error is not None:
            raise GeneratorError(f"{hooks.file} does not work in the image, {answered.error}")
        try:
            compare(golden, answered.predictions, allowed(self.config.gate.golden_tolerance, converted=False))
        except GeneratorError as error:
            raise GeneratorError(f"hooks and model do not answer what {hooks.golden} says. {error}") from error

    def _compare(self) -> Parity:
        self.say("comparing the library's own predictions with those of MLflow's pyfunc")
        return self.with_.engine.parity(self.tag, self.golden, environment=self.variables)


def local_tag(release: Release) -> str:
    """How the image is called on this machine, where other releases may be built at the same time."""
    return f"tagship.local/{release.model.name}:{release.version}-{release.commit[:12]}"


def _hook_files(release: Release) -> HookFiles | None:
    hooks = release.model.config.serve.hooks
    if hooks is None:
        return None
    if problems := hooks_problems(release.model, release.root):
        raise InvalidInput(problems)
    return HookFiles(release.root / release.model.path(hooks.file), hooks.input)


def _check_ingredients(release: Release, given: Ingredients) -> None:
    """One run, one model, and exactly the files that the train stage recorded."""
    trained, folder = given.trained, release.store.folder
    if not (trained.run_id == given.gate.run_id == given.registered.run_id):
        raise GeneratorError(
            f"train.json, gate.json and register.json are of different runs ({trained.run_id}, "
            f"{given.gate.run_id}, {given.registered.run_id}): run `generator stage gate` and `register` again"
        )
    if given.gate.model_sha256 != trained.model_sha256:
        raise GeneratorError("gate.json is about another model: run `generator stage gate` again")
    if not (folder / "model" / "MLmodel").is_file():
        raise GeneratorError(f"no model in {folder / 'model'}: run `generator stage train` first")
    if folder_sha256(folder / "model") != trained.model_sha256:
        raise GeneratorError(
            f"{folder / 'model'} is not the model that was trained: run `generator stage train` again"
        )
    check_converted(folder / CONVERTED, trained, release.model.config.serve.runtime)
    golden = folder / "golden.json"
    if trained.golden.sha256 is not None and (
        not golden.is_file() or file_sha256(golden) != trained.golden.sha256
    ):
        raise GeneratorError("golden.json is not the one that was recorded: run `generator stage train` again")


def _record(release: Release, given: Ingredients, choice: Choice) -> Record:
    return Record(
        runtime=choice.served.runtime,
        golden_rows=given.trained.golden.rows,
        run_id=given.trained.run_id,
        registered_version=given.registered.registered_version,
        data_sha256=given.trained.data_sha256,
        metrics=kept_metrics(given.trained.metrics, release.model.config.gate.metrics),
    )


def _store(release: Release, engine: Engine, tag: str, archive: Path) -> str:
    digest = engine.save(tag, archive)
    largest, size = release.model.max_image_bytes, archive.stat().st_size
    if size > largest:
        raise GeneratorError(
            f"the image is {size / 2**20:.0f} MiB, more than image.max_size allows "
            f"({release.model.config.image.max_size}): raise that, or require less"
        )
    found = read_archive(archive)
    if found.platform != release.model.config.image.platform:
        raise GeneratorError(
            f"the image was built for {found.platform}, not {release.model.config.image.platform}: "
            "use an engine that builds for that platform, or change image.platform"
        )
    return digest
