"""The package stage: what it accepts, what it builds, and what it refuses. The engine and uv are small fakes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import BuiltImage, RuntimeName
from generator.errors import GeneratorError, Unreachable, Unresolvable
from generator.image.archive import ARCHIVE, read_archive, write_archive
from generator.image.labels import read_labels
from generator.ports import Hooked, Parity, Replay, Reporter
from generator.release import Release
from generator.stages.package import Ingredients, Packager, package
from tests.generator.packaged import LOCK, Predicted, Report, at_commit, ingredients, lay_out
from tests.generator.workspaces import SMALLEST

HASHED = " --hash=sha256:" + "2" * 64 + "\n"
GOLDEN = Predicted({"instances": [{"age": 1.0}, {"age": 2.0}, {"age": 3.0}]}, [0, 1, 1])


@dataclass
class Locks:
    """Answers with a lock that installs what was asked for by name."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    refuses: GeneratorError | None = None

    def compile(self, requirements: str, **settings: Any) -> str:
        self.asked.append({"requirements": requirements, **settings})
        if self.refuses:
            raise self.refuses
        return f"mlflow-skinny==3.13.0{HASHED}numpy==2.4.0{HASHED}"

    def create(self, folder: Path, *, python: str, lock: Path, reporter: Reporter, **_: object) -> Path:
        raise AssertionError("packaging with an engine makes no environment")


@dataclass
class OneLayer:
    """An engine whose image is the context, and whose server answers what it was told to."""

    answers: Any = None
    error: str | None = None
    name: str = "docker"
    native: RuntimeName = "sklearn"
    parity_found: Parity = Parity(4096, 0.0)  # noqa: RUF009  (frozen)
    built: list[dict[str, Any]] = field(default_factory=list)
    replayed: list[tuple[str, str, int]] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    hooks_found: Hooked = Hooked(["no"])  # noqa: RUF009  (frozen)
    hooked: list[str] = field(default_factory=list)
    variables: list[Mapping[str, str]] = field(default_factory=list)

    def check(self) -> None: ...

    def build(
        self, context: Path, *, tag: str, platform: str, labels: Mapping[str, str], reporter: Reporter
    ) -> None:
        reporter.output("Step 1")
        self.built.append({"context": context, "tag": tag, "platform": platform, "labels": dict(labels)})

    def replay(self, tag: str, golden: str, *, memory: int, environment: Mapping[str, str] = {}) -> Replay:
        self.replayed.append((tag, golden, memory))
        self.variables.append(environment)
        (built,) = self.built[-1:]
        told = json.loads((built["context"] / "release.json").read_text())["runtime"]
        runtime = told or self.native
        return Replay(self.answers, 1.5, self.error, runtime, "no native one" if runtime == "pyfunc" else None)

    def parity(self, tag: str, golden: str, *, environment: Mapping[str, str] = {}) -> Parity:
        self.compared.append(tag)
        self.variables.append(environment)
        return self.parity_found

    def hooks(self, tag: str, request: str, *, environment: Mapping[str, str] = {}) -> Hooked:
        self.hooked.append(request)
        self.variables.append(environment)
        return self.hooks_found

    def save(self, tag: str, archive: Path) -> str:
        (built,) = [item for item in self.built if item["tag"] == tag][-1:]
        temporary = archive.with_name("image.tar.tmp")
        digest = write_archive(temporary, built["context"], labels=built["labels"], platform=built["platform"])
        temporary.replace(archive)
        return digest

    def load(self, archive: Path, tag: str) -> None: ...

    @contextlib.contextmanager
    def serving(self, tag: str, *, environment: Mapping[str, str]) -> Iterator[str]:
        yield "http://127.0.0.1:1"

    def remove(self, tag: str) -> None: ...


def run(
    release: Release, given: Ingredients, engine: OneLayer | None = None, locks: Locks | None = None
) -> BuiltImage:
    engine = engine or OneLayer([0, 1, 1])
    return package(release, given, Packager(engine, locks or Locks(), Report()))


def refusal(
    release: Release, given: Ingredients, engine: OneLayer | None = None, locks: Locks | None = None
) -> str:
    with pytest.raises(GeneratorError) as caught:
        run(release, given, engine, locks)
    assert not (release.store.folder / ARCHIVE).exists()
    return str(caught.value)


def test_the_artifact_describes_the_archive(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    built = run(release, ingredients(release, GOLDEN))
    image = read_archive(release.store.folder / ARCHIVE)
    assert (built.digest, built.platform) == (image.digest, image.platform)
    assert built.golden_rows == 3
    assert built.load_seconds == 1.5
    labelled = read_labels(image.labels, "image.tar")
    assert labelled.identity == release.identity
    assert labelled.record == built.record
    assert image.labels["org.opencontainers.image.created"] == "2026-01-31T12:00:00Z"
    assert built.record.registered_version == 7


def test_the_engine_gets_the_golden_request_and_the_pods_memory(tmp_path: Path) -> None:
    release = lay_out(tmp_path, model_yaml=SMALLEST + "serve: {resources: {limits: {memory: 768Mi}}}\n")
    engine = OneLayer([0, 1, 1])
    run(release, ingredients(release, GOLDEN), engine)
    ((_, golden, memory),) = engine.replayed
    assert json.loads(golden)["request"] == GOLDEN.request
    assert memory == 768 * 2**20
    assert "golden.json" not in {path.name for path in (release.work / "image").rglob("*")}


@pytest.mark.parametrize("traced", [True, False])
def test_spans_take_packages_of_their_own(tmp_path: Path, traced: bool) -> None:
    serve = 'serve: {tracing: {endpoint: "http://otel:4318"}}\n' if traced else ""
    release, locks = lay_out(tmp_path, model_yaml=SMALLEST + serve), Locks()
    run(release, ingredients(release, GOLDEN), locks=locks)
    assert ("opentelemetry-exporter-otlp-proto-http" in locks.asked[0]["requirements"]) == traced


def test_the_same_release_packaged_again_is_the_same_image(tmp_path: Path) -> None:
    release, locks = lay_out(tmp_path), Locks()
    given = ingredients(release, GOLDEN)
    first = run(release, given, locks=locks)
    assert run(release, given, locks=locks).digest == first.digest
    assert len(locks.asked) == 1, "what the image installs was resolved anew, and may differ"


def test_a_changed_model_is_another_image(tmp_path: Path) -> None:
    digests = set()
    for size in ("1", "2"):
        release = lay_out(tmp_path / size)
        (release.store.folder / "model" / "model.pkl").write_text(size)
        digests.add(run(release, ingredients(release)).digest)
    assert len(digests) == 2


def test_without_golden_rows_the_model_is_only_loaded(tmp_path: Path) -> None:
    release, engine = lay_out(tmp_path), OneLayer(None)
    built = run(release, ingredients(release), engine)
    assert json.loads(engine.replayed[0][1])["request"] is None
    assert (built.golden_rows, built.largest_difference) == (0, 0.0)


def test_other_predictions_are_refused_with_the_rows(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    message = refusal(release, ingredients(release, GOLDEN), OneLayer([0, 0, 1]))
    assert "in 1 of 3 rows" in message
    assert "row 1: recorded 1, the image says 0" in message


def test_a_model_that_cannot_be_served_says_why(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    engine = OneLayer(None, error="No module named 'feature_engine'")
    assert "feature_engine" in refusal(release, ingredients(release, GOLDEN), engine)


def test_numbers_may_differ_within_the_tolerance(tmp_path: Path) -> None:
    release = lay_out(tmp_path, model_yaml=SMALLEST + "gate: {golden_tolerance: 0.001}\n")
    golden = Predicted(GOLDEN.request, [1.0, 200.0, None])
    built = run(release, ingredients(release, golden), OneLayer([1.0005, 200.0, None]))
    assert built.largest_difference == pytest.approx(0.0005, rel=1e-3)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("model/MLmodel", "is not the model that was trained"),
        ("golden.json", "golden.json is not the one that was recorded"),
    ],
)
def test_files_that_changed_since_the_training_are_refused(tmp_path: Path, path: str, said: str) -> None:
    release = lay_out(tmp_path)
    given = ingredients(release, GOLDEN)
    with (release.store.folder / path).open("a") as file:
        file.write("\n")
    assert said in refusal(release, given)


def test_another_training_lock_is_refused(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    given = ingredients(release)
    (tmp_path / "requirements.lock").write_text(LOCK + "\n")
    assert "not the lock that the model was trained with" in refusal(release, given)


def test_artifacts_of_different_runs_are_refused(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    given = ingredients(release)
    other = given.gate.model_copy(update={"run_id": "b" * 32})
    assert "different runs" in refusal(release, replace(given, gate=other))
    other = given.gate.model_copy(update={"model_sha256": "b" * 64})
    assert "another model" in refusal(release, replace(given, gate=other))


def test_only_a_rehearsal_may_do_without_an_engine(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    given = ingredients(release, GOLDEN)
    assert "needs a Docker engine" in refusal(release, given, OneLayer([0, 1, 1], name="process"))
    assert run(replace(release, rehearsal=True), given, OneLayer([0, 1, 1], name="process")).engine == "process"


def test_an_image_that_is_too_large_is_refused(tmp_path: Path) -> None:
    release = lay_out(tmp_path, model_yaml=SMALLEST.replace("com}", "com, max_size: 1Ki}"))
    with pytest.raises(GeneratorError, match=r"more than image\.max_size allows \(1Ki\)"):
        run(release, ingredients(release))


def test_requirements_that_exclude_each_other_name_both_sides(tmp_path: Path) -> None:
    release = lay_out(tmp_path, lock=LOCK + "starlette==0.20.0 --hash=sha256:" + "3" * 64 + "\n")
    message = refusal(release, ingredients(release))
    assert "requirements.lock pins starlette==0.20.0" in message
    assert "server needs starlette>=" in message


def test_what_the_resolver_says_is_passed_on_with_both_sides(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    message = refusal(release, ingredients(release), locks=Locks(refuses=Unresolvable("anyio<3 and anyio>=4")))
    assert "anyio<3 and anyio>=4" in message
    assert "requirements.lock" in message
    assert "starlette" in message


def test_an_index_that_does_not_answer_is_no_contradiction(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    message = refusal(release, ingredients(release), locks=Locks(refuses=Unreachable("the index is away")))
    assert message == "the index is away"


@pytest.mark.parametrize("path", ["code/inference/__init__.py", "code/inference.py", "code/inference/model.py"])
def test_a_model_with_the_servers_module_name_is_refused(tmp_path: Path, path: str) -> None:
    release = lay_out(tmp_path)
    module = release.store.folder / "model" / path
    module.parent.mkdir(parents=True)
    module.write_text("")
    assert "its own top-level module `inference`" in refusal(release, ingredients(release))


def test_a_link_out_of_the_model_folder_is_refused(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    given = ingredients(release)
    (release.store.folder / "model" / "data").symlink_to("/etc")
    assert "symbolic link" in refusal(release, given)


def test_of_many_metrics_those_of_the_gate_travel_first(tmp_path: Path) -> None:
    release = lay_out(tmp_path, model_yaml=SMALLEST + "gate: {metrics: {zeta: {min: 0}}}\n")
    metrics = {f"m{number:03}": 0.5 for number in range(200)} | {"zeta": 1.0}
    built = run(release, ingredients(release, metrics=metrics))
    assert len(built.record.metrics) == 50
    assert built.record.metrics["zeta"] == 1.0


def test_killed_at_any_point_a_second_run_gives_the_same_image(tmp_path: Path) -> None:
    expected = run_in(lay_out(tmp_path / "whole"))
    for point in range(1, 400, 7):
        release = lay_out(tmp_path / str(point))
        child = os.fork()
        if child == 0:
            kill_at(point)
            run_in(release)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert run_in(release) == expected, f"after a kill at event {point}"
        assert [path.name for path in release.store.folder.glob("*.tmp*")] == []
        if os.WIFEXITED(status):
            assert point > 100, "too few events: the stage was not killed anywhere"
            return


def run_in(release: Release) -> str:
    return run(at_commit(release, "a" * 40), ingredients(at_commit(release, "a" * 40), GOLDEN)).digest


def kill_at(point: int) -> None:
    """Kills this process at the `point`-th change of a file."""
    left = [point]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(("os.", "shutil.")) or (event == "open" and arguments[1] in ("w", "wb", "x")):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
