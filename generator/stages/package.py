"""package: from the model on disk to an image that predicts what the training environment predicted.

No credentials are needed, and what the model brings runs in containers alone. Everything is written under
a temporary name first: killed at any point, a second run gives the same result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from generator.artifacts import BuiltImage, GateReport, Record, RegisteredModel, TrainedModel
from generator.disk import file_sha256, folder_sha256, write_atomically
from generator.errors import GeneratorError
from generator.image.archive import ARCHIVE, read_archive
from generator.image.context import Content, release_facts, server_requirements, write_context
from generator.image.golden import allowed, compare, read_golden
from generator.image.labels import kept_metrics, labels
from generator.image.runtime import Choice, expected, settled
from generator.image.runtime_lock import Sources, check_hashes, constraints, requirements
from generator.ports import Engine, Environments, Parity, Replay, Reporter
from generator.quantity import in_bytes
from generator.release import Release

NOTHING = '{"request": null, "predictions": null}'


@dataclass(frozen=True)
class Packager:
    """What packaging works with."""

    engine: Engine
    environments: Environments
    reporter: Reporter


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
        self.tag, self.say = local_tag(release), with_.reporter.say
        golden = release.store.folder / "golden.json"
        self.golden = golden.read_text(encoding="utf-8") if self.trained.golden.sha256 else NOTHING
        self.lock = _runtime_lock(release, self.trained, with_)

    def run(self) -> BuiltImage:
        choice = expected(self.config.serve.runtime, self.trained)
        record = self._build(choice)
        replayed = self._replay()
        final = settled(choice, self.trained, replayed, self._compare)
        if final.served.runtime != choice.served.runtime:
            self.say(f"building the image again, to be {final.served.summary}")
            record = self._build(final)
        else:
            self.say(final.served.summary)
        if final.told and not choice.told:
            replayed = self._replay()
            settled(final, self.trained, replayed, self._compare)
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
            model=release.store.folder / "model",
            lock=self.lock,
            release=release_facts(self.trained, self.given.registered, choice),
            python=self.config.train.python,
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

    def _replay(self) -> Replay:
        """What the image answered to the golden rows, in a pod's memory."""
        memory, rows = (
            in_bytes(self.release.model.targets[0].serve.resources.limits.memory),
            self.trained.golden.rows,
        )
        self.say(f"asking the image for {rows} golden rows" if rows else "loading the model in the image")
        replayed = self.with_.engine.replay(self.tag, self.golden, memory=memory)
        if replayed.error is not None:
            raise GeneratorError(f"the image cannot serve this model: {replayed.error}")
        return replayed

    def _compare(self) -> Parity:
        self.say("comparing the library's own predictions with those of MLflow's pyfunc")
        return self.with_.engine.parity(self.tag, self.golden)


def local_tag(release: Release) -> str:
    """How the image is called on this machine, where other releases may be built at the same time."""
    return f"tagship.local/{release.model.name}:{release.version}-{release.commit[:12]}"


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


def _runtime_lock(release: Release, trained: TrainedModel, with_: Packager) -> str:
    """The lock of what the image installs, resolved once for a release: a second run gets the first one's."""
    sources = _sources(release, trained)
    wanted, bounds = requirements(sources), constraints(sources)
    python, platform = release.model.config.train.python, release.model.config.image.platform
    key = hashlib.sha256("\0".join((wanted, bounds, python, platform)).encode()).hexdigest()
    kept = release.work / f"runtime-{key[:16]}.lock"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    with_.reporter.say("resolving what the image installs")
    try:
        lock = with_.environments.compile(
            wanted,
            python=python,
            platform=platform,
            constraints=bounds,
            folder=release.store.folder / "model",
        )
    except GeneratorError as error:
        raise GeneratorError(
            "the image's environment cannot be resolved: what the model requires (its requirements.txt and "
            f"{release.model.lock_file}) and what the inference server requires ({_server_names(release)}) "
            f"exclude each other. Loosen the training requirements, run `generator lock` and release again.\n{error}"
        ) from error
    check_hashes(lock)
    write_atomically(kept, lock)
    return lock


def _sources(release: Release, trained: TrainedModel) -> Sources:
    lock, model = release.root / release.model.lock_file, release.store.folder / "model" / "requirements.txt"
    if not lock.is_file() or file_sha256(lock) != trained.lock_sha256:
        raise GeneratorError(
            f"{release.model.lock_file} is not the lock that the model was trained with: check out the "
            "release's commit, or run `generator stage train` again"
        )
    if not model.is_file():
        raise GeneratorError(
            "the model says nothing of what it requires (no requirements.txt beside its MLmodel): "
            "log it with mlflow's log_model of its flavor"
        )
    return Sources(
        model=model.read_text(encoding="utf-8"),
        server=server_requirements(tracing=release.model.traced),
        training_lock=lock.read_text(encoding="utf-8"),
        mlflow_version=trained.mlflow_version,
        python=release.model.config.train.python,
    )


def _server_names(release: Release) -> str:
    text = server_requirements(tracing=release.model.traced)
    return ", ".join(line for line in text.splitlines() if line and not line.startswith("#"))


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
