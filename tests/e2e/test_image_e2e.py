"""A model that MLflow saved, in a real image: built by Docker, asked in its container, pushed to ECR's host name."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from uv import find_uv_bin

from generator.adapters.docker import Docker
from generator.adapters.ecr import EcrRegistry
from generator.adapters.folder_registry import FolderRegistry
from generator.adapters.registry import HttpRegistry
from generator.adapters.uv import Uv
from generator.artifacts import BuiltImage
from generator.disk import file_sha256
from generator.errors import GeneratorError
from generator.image.archive import read_archive
from generator.image.context import Content, write_context
from generator.image.golden import Tolerance, compare, read_golden
from generator.release import Release
from generator.stages.package import Ingredients, Packager, local_tag, package
from generator.stages.publish import Publisher, publish
from tests import parts
from tests.environments import environment
from tests.generator.packaged import Predicted, Report, ingredients, lay_out
from tests.generator.workspaces import SMALLEST

pytestmark = pytest.mark.e2e

LARGEST = 350 * 10**6  # bytes of site-packages
TRAIN = """
import json, sys
import mlflow.pyfunc, mlflow.sklearn, pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
model = RandomForestClassifier(n_estimators=30, random_state=1).fit(X, y)
mlflow.sklearn.save_model(model, sys.argv[1], signature=infer_signature(X, y))
rows = X.sample(10, random_state=1)
predictions = mlflow.pyfunc.load_model(sys.argv[1]).predict(rows)
split = {"columns": list(rows.columns), "data": rows.values.tolist()}
json.dump({"request": {"dataframe_split": split}, "predictions": predictions.tolist()}, open(sys.argv[2], "w"))
"""


@dataclass(frozen=True)
class Scene:
    """A release that was packaged, once for all tests here."""

    release: Release
    given: Ingredients
    built: BuiltImage
    said: Report

    @property
    def tag(self) -> str:
        return local_tag(self.release)

    def in_image(self, script: str) -> str:
        command = ["docker", "run", "--rm", "--network=none", "--entrypoint=python", self.tag, "-c", script]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    parts.need_engine()
    host = parts.need_ecr()
    root = tmp_path_factory.mktemp("release")
    python = environment("mlflow3")
    train = [python, "-c", TRAIN, str(root / "saved"), str(root / "golden")]
    # Not here: in a folder with a uv.lock MLflow takes that project's requirements for the model's.
    subprocess.run(train, check=True, capture_output=True, cwd=root)
    freeze = [find_uv_bin(), "pip", "freeze", "--python", str(python)]
    frozen = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    registry = f"registry: {host}, repository: tagship-e2e/{uuid.uuid4().hex[:12]}"
    model_yaml = SMALLEST.replace("registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com", registry)
    lock = Uv().compile(frozen, python="3.11", folder=root)
    release = lay_out(root / "repository", model_yaml=model_yaml, lock=lock, model=root / "saved")
    given = ingredients(release, Predicted(**json.loads((root / "golden").read_text())))
    report = Report()
    built = package(release, given, Packager(Docker(), Uv(), report))
    yield Scene(release, given, built, report)
    Docker().remove(local_tag(release))


@pytest.fixture
def registry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> EcrRegistry:
    for name, value in parts.started_with().items():
        monkeypatch.setenv(name, value)
    if bundle := parts.started_with().get("TESTBED_CA_BUNDLE"):
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
    model = scene.release.model
    assert model.ecr is not None
    return EcrRegistry(model.config.image.registry, str(model.config.image.repository), model.ecr)


def test_the_image_answers_as_the_training_environment_did(scene: Scene) -> None:
    assert scene.built.golden_rows == 10
    assert scene.built.largest_difference <= 1e-9
    assert any("pip" in line for line in scene.said.printed), "the build's own output was not shown"


def test_the_image_is_what_a_restricted_pod_runs(scene: Scene) -> None:
    (image,) = json.loads(subprocess.run(["docker", "inspect", scene.tag], check=True, capture_output=True).stdout)
    config = image["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m", "inference"]
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert config["Labels"]["io.tagship.metrics"] == '{"accuracy":0.9}'
    assert read_archive(scene.release.store.folder / "image.tar").labels == config["Labels"]


def test_the_image_holds_the_server_the_model_and_little_else(scene: Scene) -> None:
    facts = json.loads(
        scene.in_image(
            "import importlib.util as u, inference, json, os, pathlib, sysconfig\n"
            "packages = pathlib.Path(sysconfig.get_paths()['purelib'])\n"
            "print(json.dumps({'server': inference.__file__,"
            " 'size': sum(p.lstat().st_size for p in packages.rglob('*')),"
            " 'found': [m for m in ('pip', 'uv', 'setuptools', 'pytest', 'sqlalchemy') if u.find_spec(m)],"
            " 'tests': len([p for p in packages.rglob('tests') if p.is_dir()]),"
            " 'mlflow': [p.name for p in packages.glob('mlflow*.dist-info')],"
            " 'writable': [p for p in ('/opt', '/opt/model', '/venv', '/etc') if os.access(p, os.W_OK)],"
            " 'golden': [str(p) for p in pathlib.Path('/opt').rglob('golden*')]}))"
        )
    )
    assert facts["server"] == "/opt/tagship/inference/__init__.py"
    assert facts["size"] <= LARGEST
    assert facts["found"] == []
    assert [name.partition("-")[0] for name in facts["mlflow"]] == ["mlflow_skinny"]
    assert (facts["tests"], facts["writable"], facts["golden"]) == (0, [], [])


def test_wrong_golden_rows_are_refused(scene: Scene, tmp_path: Path) -> None:
    golden = json.loads((scene.release.store.folder / "golden.json").read_text())
    golden["predictions"][3] = 1 - golden["predictions"][3]
    replayed = Docker().replay(scene.tag, json.dumps(golden), memory=2**30)
    with pytest.raises(GeneratorError, match="row 3: recorded"):
        compare(read_golden(json.dumps(golden)), replayed.predictions, Tolerance(1e-9))


def test_too_little_memory_is_recognised(scene: Scene) -> None:
    golden = (scene.release.store.folder / "golden.json").read_text()
    with pytest.raises(GeneratorError, match=r"serve\.resources\.limits\.memory"):
        Docker().replay(scene.tag, golden, memory=40 * 2**20)


def test_the_release_is_published_once(scene: Scene, registry: EcrRegistry) -> None:
    first = publish(scene.release, scene.built, Publisher(registry, Report()))
    assert (first.pushed, first.digest) == (True, scene.built.digest)
    found = registry.find(scene.built.digest)
    assert found is not None
    assert found.digest == scene.built.digest
    (repository,) = boto3.client("ecr").describe_repositories(repositoryNames=[registry.repository])[
        "repositories"
    ]
    assert repository["imageTagMutability"] == "IMMUTABLE"

    again = publish(scene.release, scene.built, Publisher(registry, Report()))
    assert (again.pushed, again.digest, again.record) == (False, first.digest, scene.built.record)


def test_another_commit_under_the_tag_is_refused(scene: Scene, registry: EcrRegistry, tmp_path: Path) -> None:
    publish(scene.release, scene.built, Publisher(registry, Report()))
    other = lay_out(tmp_path, model_yaml=(scene.release.root / "model.yaml").read_text())
    other = replace(other, commit="b" * 40)
    archive = other.store.folder / "image.tar"
    engine, tag = Docker(), f"tagship.local/other:{uuid.uuid4().hex[:8]}"
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    said = {**read_archive(scene.release.store.folder / "image.tar").labels}
    said["org.opencontainers.image.revision"] = other.commit
    engine.build(tmp_path / "context", tag=tag, platform="linux/amd64", labels=said, reporter=Report())
    digest = engine.save(tag, archive)
    engine.remove(tag)
    built = scene.built.model_copy(
        update={"commit": other.commit, "digest": digest, "archive_sha256": file_sha256(archive)}
    )
    with pytest.raises(GeneratorError, match="was published from commit c0ffee"):
        publish(other, built, Publisher(registry, Report()))
    found = registry.find("1.2.3")
    assert found is not None
    assert found.digest == scene.built.digest


def test_a_file_of_the_same_size_is_not_the_last_builds(scene: Scene, tmp_path: Path) -> None:
    """The engine keeps the last context; both of these are called `context` and have files of equal size."""
    engine, built = Docker(), []
    for version in ("1.2.3", "1.2.4"):
        context, tag = tmp_path / version / "context", f"tagship.local/size:{uuid.uuid4().hex[:8]}"
        model = scene.release.store.folder / "model"
        write_context(context, Content(model, "", {"name": "churn", "version": version}, "3.11"))
        (context / "Dockerfile").write_text("FROM scratch\nCOPY release.json /\n")
        engine.build(context, tag=tag, platform="linux/amd64", labels={}, reporter=Report())
        built.append(json.loads(_file_of(tag, "/release.json"))["version"])
        engine.remove(tag)
    assert built == ["1.2.3", "1.2.4"]


def _file_of(tag: str, path: str) -> bytes:
    def docker(*arguments: str) -> bytes:
        return subprocess.run(["docker", *arguments], check=True, capture_output=True).stdout

    container = docker("create", tag, "nothing").decode().strip()
    try:
        with tarfile.open(fileobj=io.BytesIO(docker("cp", f"{container}:{path}", "-"))) as archive:
            found = archive.extractfile(Path(path).name)
            assert found is not None
            return found.read()
    finally:
        docker("rm", container)


def test_dockers_own_login_serves_other_registries(
    scene: Scene, registry: EcrRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = registry._login
    assert login is not None
    auth = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    plain = HttpRegistry(registry.host, registry.repository)
    plain.push(scene.release.store.folder / "image.tar", "by-docker-login")
    found = plain.find("by-docker-login")
    assert found is not None
    assert found.digest == scene.built.digest

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(GeneratorError) as caught:
        HttpRegistry(registry.host, registry.repository).push(
            scene.release.store.folder / "image.tar", "without-login"
        )
    assert "could not be pushed" in str(caught.value)
    assert login.password not in str(caught.value)


def test_what_a_rehearsal_published_serves(scene: Scene, tmp_path: Path) -> None:
    registry, engine = FolderRegistry(tmp_path / "registry"), Docker()
    published = publish(scene.release, scene.built, Publisher(registry, Report()))
    tag = f"tagship.local/churn:observed-{published.digest[7:19]}"
    engine.load(registry.archive(published.digest), tag)
    golden = json.loads((scene.release.store.folder / "golden.json").read_text())
    try:
        with engine.serving(tag, environment={"TAGSHIP_DIGEST": published.digest}) as url:
            assert httpx.get(f"{url}/metadata").json()["digest"] == published.digest
            answer = httpx.post(f"{url}/predict", json=golden["request"]).json()
    finally:
        engine.remove(tag)
    assert answer["predictions"] == golden["predictions"]


def test_several_workers_in_a_confined_container(scene: Scene) -> None:
    golden = json.loads((scene.release.store.folder / "golden.json").read_text())
    with Docker().serving(scene.tag, environment={"TAGSHIP_WORKERS": "2"}) as url:
        answers = [httpx.post(f"{url}/predict", json=golden["request"]).json() for _ in range(8)]
        figures = httpx.get(f"{url}/metrics").text
    assert [answer["predictions"] for answer in answers] == [golden["predictions"]] * 8
    assert "inference_workers 2.0" in figures
    assert 'prediction_requests_total{endpoint="predict",status="200"} 8.0' in figures


def layers(archive: Path) -> list[str]:
    """Digests of the layers on top of the base image."""
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> dict[str, Any]:
            stream = tar.extractfile(f"blobs/sha256/{digest[7:]}")
            assert stream is not None
            found = json.load(stream)
            assert isinstance(found, dict)
            return found

        index = tar.extractfile("index.json")
        assert index is not None
        manifest = blob(json.load(index)["manifests"][0]["digest"])
    return [layer["digest"] for layer in manifest["layers"]][1:]


def test_packaging_again_gives_the_same_environment(scene: Scene) -> None:
    """Even where Docker has forgotten the first build: nodes that pull the next release have these layers."""
    archive = scene.release.store.folder / "image.tar"
    before = layers(archive)
    again = package(scene.release, scene.given, Packager(Docker(), Uv(), Report()))
    assert layers(archive)[:2] == before[:2]
    assert again.record == scene.built.record
    assert again.archive_sha256 == file_sha256(archive)


def test_a_resolver_conflict_names_both_sides(scene: Scene, tmp_path: Path) -> None:
    """uvicorn needs a newer h11 than this training lock has."""
    lock = "h11==0.7.0 --hash=sha256:" + "0" * 64 + "\n"
    release = lay_out(tmp_path, requirements="mlflow==3.13.0\n", lock=lock)
    with pytest.raises(GeneratorError) as caught:
        package(release, ingredients(release), Packager(Docker(), Uv(), Report()))
    assert "h11" in str(caught.value)
    assert "uvicorn" in str(caught.value)
    assert "generator lock" in str(caught.value)
