"""The image context: what is in it, the same for the same release, and a Dockerfile that hadolint accepts."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from generator.disk import folder_sha256
from generator.errors import GeneratorError
from generator.image.context import Content, HookFiles, dockerfile, release_facts, write_context
from tests import parts
from tests.generator.packaged import ingredients, lay_out

HASHED = " --hash=sha256:" + "2" * 64 + "\n"


def content(root: Path, lock: str = f"numpy==2.4.0{HASHED}", python: str = "3.11") -> Content:
    release = lay_out(root)
    given = ingredients(release)
    return Content(release.store.folder / "model", lock, release_facts(given.trained, given.registered), python)


def test_what_is_in_a_context(tmp_path: Path) -> None:
    write_context(tmp_path / "image", content(tmp_path / "release"))
    assert {path.name for path in (tmp_path / "image").iterdir()} == {
        "Dockerfile", ".dockerignore", "requirements.lock", "release.json", "inference", "model"
    }  # fmt: skip
    assert json.loads((tmp_path / "image" / "release.json").read_text()) == {
        "name": "churn",
        "version": "1.2.3",
        "run_id": "a" * 32,
        "commit": "c0ffee" + "0" * 34,
        "data_hash": "d" * 64,
        "registered_version": "7",
        "created": "2026-01-31T12:00:00Z",
    }
    assert (tmp_path / "image" / "inference" / "__main__.py").is_file()
    assert not [path for path in (tmp_path / "image").rglob("*") if "__pycache__" in path.parts]


def test_everything_is_readable_by_the_images_user(tmp_path: Path) -> None:
    given = content(tmp_path / "release")
    (given.model / "MLmodel").chmod(0o600)
    before = os.umask(0o077)
    try:
        write_context(tmp_path / "image", given)
    finally:
        os.umask(before)
    for path in (tmp_path / "image").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_a_files_time_tells_its_content(tmp_path: Path) -> None:
    """BuildKit does not fetch what has the size and the time of a file that it knows."""
    times = []
    for place, version in enumerate(("1.2.3", "1.2.4", "1.2.3")):
        given = content(tmp_path / f"release-{place}")
        write_context(tmp_path / f"image-{place}", replace(given, release={**given.release, "version": version}))
        context = tmp_path / f"image-{place}"
        times.append({str(path.relative_to(context)): path.stat().st_mtime_ns for path in context.rglob("*")})
    first, other, again = times
    assert first == again
    assert [name for name in first if first[name] != other[name]] == ["release.json"]


def test_the_same_release_gives_the_same_context(tmp_path: Path) -> None:
    write_context(tmp_path / "one", content(tmp_path / "a"))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "left-over").write_text("")
    write_context(tmp_path / "two", content(tmp_path / "b"))
    assert folder_sha256(tmp_path / "one") == folder_sha256(tmp_path / "two")


@pytest.mark.parametrize("hooked", [False, True])
def test_docker_is_shown_nothing_but_what_is_copied(tmp_path: Path, hooked: bool) -> None:
    (tmp_path / "hooks.py").write_text("def preprocess(frame): return frame\n")
    hooks = HookFiles(tmp_path / "hooks.py", {}) if hooked else None
    write_context(tmp_path / "image", replace(content(tmp_path / "release"), hooks=hooks))
    ignore = (tmp_path / "image" / ".dockerignore").read_text().splitlines()
    shown = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        line.split()[1]
        for line in (tmp_path / "image" / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
    }
    assert "*" in ignore
    assert shown == copied


@pytest.mark.parametrize("package", ["numpy", "lightgbm"])
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_hadolint_finds_nothing(tmp_path: Path, python: str, package: str) -> None:
    hadolint = parts.need_program("hadolint", "install this project's `dev` extra")
    path = tmp_path / "Dockerfile"
    path.write_text(dockerfile(content(tmp_path / "release", f"{package}==1.0{HASHED}", python)))
    found = subprocess.run([hadolint, "--no-color", str(path)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")
    assert f"FROM python:{python}-slim-bookworm " in path.read_text()


def test_lightgbm_gets_its_system_library(tmp_path: Path) -> None:
    assert "libgomp1" in dockerfile(content(tmp_path / "a", f"lightgbm==4.6{HASHED}"))
    assert "apt-get" not in dockerfile(content(tmp_path / "b"))


def test_the_image_ends_as_a_number_and_not_root(tmp_path: Path) -> None:
    text = dockerfile(content(tmp_path))
    assert [line for line in text.splitlines() if line.startswith("USER ")] == ["USER 10001:10001"]
    assert "# syntax=" not in text


def test_a_python_that_is_no_version_does_not_reach_the_dockerfile(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="is no Python version"):
        dockerfile(content(tmp_path, python="3.11\nRUN true"))


def test_a_package_with_the_servers_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="requires the package `inference`"):
        write_context(tmp_path / "image", content(tmp_path / "release", f"inference==0.9{HASHED}"))
    assert not (tmp_path / "image").exists()
