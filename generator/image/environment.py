"""The environment of a release's image: from what its model, its hooks and the server require to one lock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from generator.artifacts import TrainedModel
from generator.disk import file_sha256, write_atomically
from generator.errors import GeneratorError, Unresolvable
from generator.image.context import server_requirements
from generator.image.converted import is_converted
from generator.image.converted import requirements as converted_requirements
from generator.image.runtime_lock import Sources, check_hashes, constraints, requirements
from generator.ports import Environments, PackageIndex, Reporter
from generator.release import Release


def runtime_lock(
    release: Release,
    trained: TrainedModel,
    environments: Environments,
    reporter: Reporter,
    indexes: Sequence[PackageIndex] = (),
) -> str:
    """The lock of what the image installs, resolved once for a release: a second run gets the first one's."""
    sources = _sources(release, trained)
    wanted, bounds = requirements(sources), constraints(sources)
    python, platform = release.model.config.train.python, release.model.config.image.platform
    made_from = (wanted, bounds, python, platform, *(index.url for index in indexes))
    key = hashlib.sha256("\0".join(made_from).encode()).hexdigest()
    kept = release.work / f"runtime-{key[:16]}.lock"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    reporter.say("resolving what the image installs")
    try:
        lock = environments.compile(
            wanted,
            python=python,
            platform=platform,
            constraints=bounds,
            folder=release.store.folder / "model",
            indexes=indexes,
        )
    except Unresolvable as error:
        raise GeneratorError(
            "the image's environment cannot be resolved: what the model requires (its requirements.txt and "
            f"{release.model.lock_file}) and what the inference server requires ({_server_names(release)}) "
            "exclude each other. Loosen the training requirements, run `generator lock` and release "
            f"again.\n{error}"
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
    converted = is_converted(trained)
    hooks = release.model.config.serve.hooks is not None
    return Sources(
        model=converted_requirements(hooks=hooks) if converted else model.read_text(encoding="utf-8"),
        server=_server(release),
        training_lock=lock.read_text(encoding="utf-8"),
        mlflow_version=None if converted else trained.mlflow_version,
        python=release.model.config.train.python,
    )


def _server(release: Release) -> str:
    """What the server and the hooks need."""
    hooks = release.model.config.serve.hooks
    return server_requirements(tracing=release.model.traced) + "\n".join(hooks.requirements if hooks else ())


def _server_names(release: Release) -> str:
    return ", ".join(line for line in _server(release).splitlines() if line and not line.startswith("#"))
