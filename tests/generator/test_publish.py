"""The publish stage, with a registry that is a folder."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.adapters.folder_registry import FolderRegistry
from generator.artifacts import BuiltImage, PublishedImage
from generator.disk import file_sha256
from generator.errors import GeneratorError
from generator.image.archive import write_archive
from generator.image.labels import ENGINE, METRICS, REVISION, VERSION, labels
from generator.ports import Found
from generator.release import Release
from generator.stages.publish import Publisher, publish
from tests.generator.packaged import Report, ingredients, lay_out

PLATFORM = "linux/amd64"


def packaged(
    root: Path, *, version: str = "1.2.3", engine: str = "docker", **changed: str
) -> tuple[Release, BuiltImage]:
    """A release with an image.tar, whose labels may differ from what the artifact says."""
    release = lay_out(root, version=version)
    given = ingredients(release)
    context = root / "context"
    context.mkdir()
    (context / "file").write_text(version)
    archive = release.store.folder / "image.tar"
    built = BuiltImage.model_validate(
        {
            **release.identity,
            "engine": engine,
            "digest": "sha256:" + "0" * 64,
            "size": 1,
            "platform": PLATFORM,
            "runtime_lock_sha256": "0" * 64,
            "golden_rows": 0,
            "largest_difference": 0.0,
            "load_seconds": 1.0,
            "served": {"runtime": "sklearn"},
            "record": {"run_id": "a" * 32, "runtime": "sklearn", "metrics": {"accuracy": 0.9}},
        }
    )
    said = {**labels(given.trained, built.record, engine=engine, source=None), **changed}
    digest = write_archive(archive, context, labels=said, platform=PLATFORM)
    changes = {"digest": digest, "archive_sha256": file_sha256(archive), "size": archive.stat().st_size}
    return release, built.model_copy(update=changes)


def run(release: Release, built: BuiltImage, registry: Any) -> PublishedImage:
    return publish(release, built, Publisher(registry, Report()))


def refusal(release: Release, built: BuiltImage, registry: FolderRegistry) -> str:
    before = sorted(path.name for path in registry.folder.glob("*"))
    with pytest.raises(GeneratorError) as caught:
        run(release, built, registry)
    assert sorted(path.name for path in registry.folder.glob("*")) == before, "something was pushed"
    return str(caught.value)


def test_the_image_is_pushed_as_it_is(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    registry = FolderRegistry(tmp_path / "registry")
    published = run(release, built, registry)
    assert published.pushed
    assert published.digest == built.digest
    assert published.repository == "123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn"
    assert published.record == built.record
    assert published.load_seconds == built.load_seconds
    found = registry.find("1.2.3")
    assert found is not None
    assert found.digest == built.digest
    assert file_sha256(registry.archive(built.digest)) == built.archive_sha256


def test_the_same_release_again_pushes_nothing_and_keeps_the_published_image(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "registry")
    first = run(*packaged(tmp_path / "a"), registry)
    release, built = packaged(tmp_path / "b", **{METRICS: '{"accuracy":0.8}'})
    built = built.model_copy(update={"record": built.record.model_copy(update={"metrics": {"accuracy": 0.8}})})
    again = run(release, built, registry)
    assert built.digest != first.digest
    assert not again.pushed
    assert (again.digest, again.record) == (first.digest, first.record)


def test_another_commit_under_the_same_version_is_refused(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "registry")
    run(*packaged(tmp_path / "a"), registry)
    release, built = packaged(tmp_path / "b", **{REVISION: "b" * 40})
    other = replace(release, commit="b" * 40)
    message = refusal(other, built.model_copy(update={"commit": "b" * 40}), registry)
    assert "was published from commit c0ffee" in message
    assert "higher version" in message


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        (VERSION, "9.9.9", "its version is 9.9.9"),
        (REVISION, "b" * 40, "its commit is bbbb"),
        ("io.tagship.model", "other", "its name is other"),
        (ENGINE, "process", "its engine is process"),
        (METRICS, '{"accuracy":1.0}', "its record is"),
        (METRICS, '{"accuracy\\n":1.0}', "does not carry Tagship's labels"),
        (METRICS, "[1]", "does not carry Tagship's labels"),
        (VERSION, "1.2.3\nx", "does not carry Tagship's labels"),
        ("io.tagship.run-id", "../../x", "does not carry Tagship's labels"),
        ("io.tagship.registered-version", "-1", "does not carry Tagship's labels"),
    ],
)
def test_an_archive_whose_labels_say_otherwise_is_refused(
    tmp_path: Path, label: str, value: str, said: str
) -> None:
    release, built = packaged(tmp_path / "r", **{label: value})
    assert said in refusal(release, built, FolderRegistry(tmp_path / "registry"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"digest": "sha256:" + "1" * 64}, "its digest is"),
        ({"archive_sha256": "1" * 64}, "its content is"),
        ({"archive_sha256": None}, "its content is"),
    ],
)
def test_a_forged_artifact_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    release, built = packaged(tmp_path / "r")
    assert said in refusal(release, built.model_copy(update=change), FolderRegistry(tmp_path / "registry"))


def test_an_archive_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    with (release.store.folder / "image.tar").open("ab") as file:
        file.write(b"\0" * 512)
    assert "its content is" in refusal(release, built, FolderRegistry(tmp_path / "registry"))


def test_an_image_for_another_platform_is_refused(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    archive = release.store.folder / "image.tar"
    other, _ = packaged(tmp_path / "s")
    said = labels(ingredients(other).trained, built.record, engine="docker", source=None)
    digest = write_archive(archive, tmp_path / "r" / "context", labels=said, platform="linux/arm64")
    built = built.model_copy(update={"digest": digest, "archive_sha256": file_sha256(archive)})
    assert "its platform is linux/arm64" in refusal(release, built, FolderRegistry(tmp_path / "registry"))


def test_an_image_without_an_engine_stays_in_its_rehearsal(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r", engine="process")
    registry = FolderRegistry(tmp_path / "registry")
    assert "for a rehearsal" in refusal(release, built, registry)
    assert run(replace(release, rehearsal=True), built, registry).rehearsal


def test_a_tag_that_somebody_else_holds_is_refused(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    registry = FolderRegistry(tmp_path / "registry")
    registry.ensure()
    (tmp_path / "context").mkdir()
    write_archive(registry.folder / "1.2.3.tar", tmp_path / "context", labels={}, platform=PLATFORM)
    message = refusal(release, built, registry)
    assert "churn:1.2.3 does not carry Tagship's labels (io.tagship.model is missing)" in message


def test_another_models_image_under_the_tag_is_refused(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    registry = FolderRegistry(tmp_path / "registry")
    registry.ensure()
    (tmp_path / "context").mkdir()
    said = labels(ingredients(release).trained, built.record, engine="docker", source=None)
    said["io.tagship.model"] = "other"
    write_archive(registry.folder / "1.2.3.tar", tmp_path / "context", labels=said, platform=PLATFORM)
    assert "is other 1.2.3 already" in refusal(release, built, registry)


@dataclass
class Careless:
    """A registry that changes what it is given."""

    pushed: list[str] = field(default_factory=list)

    def ensure(self) -> None: ...

    def find(self, reference: str) -> Found | None:
        return Found("sha256:" + "f" * 64, {}) if self.pushed else None

    def push(self, archive: Path, tag: str) -> None:
        self.pushed.append(tag)


def test_a_registry_that_has_another_digest_afterwards_is_an_error(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    with pytest.raises(GeneratorError, match=f"the registry has sha256:{'f' * 64} after {built.digest}"):
        run(release, built, Careless())


@dataclass
class Immutable:
    """A registry whose tags cannot move, and where somebody else pushes just before us."""

    theirs: Found
    tried: bool = False

    def ensure(self) -> None: ...

    def find(self, reference: str) -> Found | None:
        return self.theirs if self.tried else None

    def push(self, archive: Path, tag: str) -> None:
        self.tried = True
        raise GeneratorError("the tag is immutable")


def test_of_two_that_publish_the_same_commit_at_once_the_first_wins(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    said = labels(ingredients(release).trained, built.record, engine="docker", source=None)
    published = run(release, built, Immutable(Found("sha256:" + "e" * 64, said)))
    assert (published.digest, published.pushed) == ("sha256:" + "e" * 64, False)
    with pytest.raises(GeneratorError, match="was published from commit bbbb"):
        run(release, built, Immutable(Found("sha256:" + "e" * 64, {**said, REVISION: "b" * 40})))


def test_killed_at_any_point_a_second_run_publishes_once(tmp_path: Path) -> None:
    release, built = packaged(tmp_path / "r")
    for point in range(1, 100):
        registry = FolderRegistry(tmp_path / str(point))
        child = os.fork()
        if child == 0:
            _kill_at(point)
            run(release, built, registry)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        published = run(release, built, registry)
        assert published.digest == built.digest
        assert [path.name for path in registry.folder.glob("*.tar")] == ["1.2.3.tar"]
        if os.WIFEXITED(status):
            assert point > 3, "the stage was not killed anywhere"
            return
    raise AssertionError("the stage never came to its end")


def _kill_at(point: int) -> None:
    left = [point]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(("os.", "shutil.")) or event == "open":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
