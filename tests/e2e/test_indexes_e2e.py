"""A model whose package is on a private index alone: locked, trained, packaged and served; its login is nowhere."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.adapters.docker import Docker
from generator.adapters.uv import Uv
from generator.errors import GeneratorError
from generator.image.archive import read_archive
from generator.rehearsal import rehearse
from generator.stages.package import local_tag
from tests import parts
from tests.e2e.rehearsals import Told, repository
from tests.private_index import MODULE, PACKAGE, PASSWORD, SECRET, PrivateIndex, private_index

pytestmark = pytest.mark.e2e

SCRIPT = f"""
import os
import mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from {MODULE} import Halved

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
print("variables of indexes:", sorted(name for name in os.environ if "INDEX" in name))
with mlflow.start_run():
    model = make_pipeline(Halved(), LogisticRegression(max_iter=10000)).fit(X, y)
    requirements = ["scikit-learn", "{PACKAGE}"]
    mlflow.sklearn.log_model(model, name="model", input_example=X.head(3), pip_requirements=requirements)
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateIndex]:
    monkeypatch.setenv("CORP_INDEX", SECRET)
    monkeypatch.delenv("UV_EXCLUDE_NEWER", raising=False)  # the index says no dates
    with private_index(tmp_path / "served") as found:
        yield found


@pytest.fixture
def project(index: PrivateIndex, tmp_path: Path) -> Path:
    indexes = f"indexes: [{{name: corp, url: '{index.url}', secret: CORP_INDEX}}]"
    return repository(tmp_path / "project", SCRIPT, requirements=f"[scikit-learn, {PACKAGE}]", train=indexes)


def shows_a_login(raw: bytes) -> bool:
    return any(form.encode() in raw for form in (PASSWORD, SECRET, base64.b64encode(SECRET.encode()).decode()))


def files_with_a_login(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(folder)) for path in files if shows_a_login(path.read_bytes())]


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_text(f"Authorization: Basic {base64.b64encode(SECRET.encode()).decode()}")
    assert files_with_a_login(tmp_path) == ["a/b"]


def test_in_processes(project: Path, index: PrivateIndex, tmp_path: Path) -> None:
    kept, told = tmp_path / "kept", Told()
    uv = Uv(linked=True)
    outcome = rehearse(project, None, told, engine="process", keep=kept, environments=uv)
    assert len(outcome.answer["predictions"]) == 3
    store = outcome.release.store.folder
    assert "variables of indexes: []" in (store / "train.log").read_text()
    assert f"{PACKAGE}==1.0.0" in (kept / "clone/requirements.lock").read_text()
    assert [path.name for path in (outcome.release.work / "wheels").iterdir()] == [
        f"{MODULE}-1.0.0-py3-none-any.whl"
    ]
    assert files_with_a_login(kept) == []
    assert not shows_a_login("\n".join(told.lines).encode())
    assert ("GET", "/private/simple/scikit-learn/", True) in index.asked, "it is asked first, for every package"


def test_in_containers(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build has no index to ask and no login to lose: not in a layer, the history or its log."""
    parts.need_engine()
    for name, value in parts.started_with().items():
        monkeypatch.setenv(name, value)
    kept, told = tmp_path / "kept", Told()
    outcome = rehearse(project, None, told, engine="docker", keep=kept, environments=Uv(linked=True))
    tag = local_tag(outcome.release)
    try:
        assert len(outcome.answer["predictions"]) == 3
        show = ["docker", "run", "--rm", "--network=none", "--entrypoint=python", tag, "-c"]
        code = f"import {MODULE}; print({MODULE}.__file__)"
        found = subprocess.run([*show, code], check=True, capture_output=True, text=True).stdout
        assert found.startswith("/venv/"), "the image has not the package itself"
        for command in (["history", "--no-trunc", tag], ["image", "inspect", tag]):
            said = subprocess.run(["docker", *command], check=True, capture_output=True).stdout
            assert b"inference" in said
            assert not shows_a_login(said)
        assert layers_with_a_login(outcome.release.store.folder / "image.tar") == []
        assert files_with_a_login(kept) == []
        assert not shows_a_login("\n".join(told.lines).encode())
    finally:
        Docker().remove(tag)


def layers_with_a_login(archive: Path) -> list[str]:
    """Files in the layers of an image; it must have layers, and the package in one of them."""
    found, names = [], []
    with tarfile.open(archive) as image:
        manifest = json.loads(_read(image, image.getmember(_blob(read_archive(archive).digest))))
        for layer in manifest["layers"]:
            raw = _read(image, image.getmember(_blob(layer["digest"])))
            with tarfile.open(
                fileobj=io.BytesIO(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
            ) as files:
                for item in files:
                    names.append(item.name)
                    if item.isfile() and shows_a_login(_read(files, item)):
                        found.append(item.name)
    assert any(name.endswith(f"{MODULE}.py") for name in names)
    assert not any(MODULE in name and name.endswith(".whl") for name in names), (
        "the fetched files are no part of the image"
    )
    return found


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _read(archive: tarfile.TarFile, item: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(item)
    assert stream is not None
    return stream.read()


def test_a_login_that_expired_before_packaging_is_told(
    project: Path, index: PrivateIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    index.login = "robot:another one by now"
    with pytest.raises(GeneratorError, match="refuses the login in CORP_INDEX") as caught:
        rehearse(project, None, Told(), engine="process", keep=tmp_path / "kept")
    assert not shows_a_login(str(caught.value).encode())
    assert files_with_a_login(tmp_path / "kept") == []
