"""uv itself: locks, environments, and what it says when they fail."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from generator.adapters.uv import Uv
from generator.errors import GeneratorError, Unreachable, Unresolvable
from tests.generator.trainings import Told


def test_a_lock_has_hashes_and_no_address(tmp_path: Path) -> None:
    lock = Uv().compile("six==1.17.0\n", python="3.11", folder=tmp_path)
    lines = [line for line in lock.splitlines() if not line.lstrip().startswith(("#", "--hash=sha256:"))]
    assert lines == ["six==1.17.0 \\"]
    assert "://" not in lock
    assert str(tmp_path) not in lock


def test_includes_and_constraints(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("six\n")
    lock = Uv().compile("-r base.txt\n", python="3.11", constraints="six<1.17\n", folder=tmp_path)
    assert "six==1.16.0" in lock
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.txt"]


def test_what_does_not_resolve_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unresolvable) as caught:
        Uv().compile("six==1.17.0\nsix<1.10\n", python="3.11", folder=tmp_path)
    message = str(caught.value)
    assert "six==1.17.0" in message
    assert "unsatisfiable" in message
    assert "hint" not in message
    assert "\n" not in message


def test_an_index_that_does_not_answer_is_another_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Unreachable, match="the package index did not answer; try again"):
        Uv().compile("six\n", python="3.11", folder=tmp_path)


def test_settings_of_folders_above_are_not_read(tmp_path: Path) -> None:
    """They are in no commit that a lock is compared with, and a rehearsal's clone lies elsewhere."""
    (tmp_path / "pyproject.toml").write_text('[tool.uv]\nconstraint-dependencies = ["six<1.17"]\n')
    (tmp_path / "uv.toml").write_text('exclude-newer = "2024-01-01T00:00:00Z"\n')
    inner = tmp_path / "repository"
    inner.mkdir()
    lock = inner / "requirements.lock"
    lock.write_text(Uv().compile("six<=1.17.0\n", python="3.11", folder=inner))
    assert "six==1.17.0" in lock.read_text()
    (inner / "uv.toml").write_text("[pip]\nno-binary = ['six']\nno-build = true\n")
    Uv().create(tmp_path / "environment", python="3.11", lock=lock, reporter=Told())


def test_an_environment_has_exactly_the_lock(tmp_path: Path) -> None:
    lock, told = tmp_path / "requirements.lock", Told()
    lock.write_text(Uv().compile("six==1.17.0\n", python="3.11", folder=tmp_path))
    folder = tmp_path / "work" / "environment"
    folder.mkdir(parents=True)
    (folder / "left-over").write_text("")
    python = Uv().create(folder, python="3.11", lock=lock, reporter=told)
    code = "import six, sys, importlib.metadata as m; print(sys.version_info[:2], [d.name for d in m.distributions()])"
    assert subprocess.check_output([str(python), "-c", code], text=True) == "(3, 11) ['six']\n"
    assert not (folder / "left-over").exists()
    assert any("Installed 1 package" in line for line in told.printed), "uv's progress is not shown"
    assert not any("six" in line for line in told.printed), "a line for each package is too much"


def test_a_cut_off_for_new_releases_counts_for_resolving_alone(tmp_path: Path) -> None:
    """A lock made before the cut-off was set, or with another one, is still what is installed."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(Uv().compile("six==1.17.0\n", python="3.11", folder=tmp_path))  # of December 2024
    kept = os.environ.get("UV_EXCLUDE_NEWER")
    os.environ["UV_EXCLUDE_NEWER"] = "2024-01-01T00:00:00Z"
    try:
        assert "six==1.16.0" in Uv().compile("six\n", python="3.11", folder=tmp_path)
        Uv().create(tmp_path / "environment", python="3.11", lock=lock, reporter=Told())
    finally:
        del os.environ["UV_EXCLUDE_NEWER"]
        if kept is not None:
            os.environ["UV_EXCLUDE_NEWER"] = kept


@pytest.mark.parametrize(("uv", "alone"), [(Uv(), True), (Uv(linked=True), False)])
def test_a_trainings_files_are_no_links_to_the_cache(uv: Uv, alone: bool, tmp_path: Path) -> None:
    """A script that writes into one of its packages would change every later environment."""
    if os.environ.get("UV_LINK_MODE"):
        pytest.skip("UV_LINK_MODE is set")
    lock = tmp_path / "requirements.lock"
    lock.write_text(uv.compile("six==1.17.0\n", python="3.11", folder=tmp_path))
    for name in ("one", "two"):  # the first may have filled the cache
        python = uv.create(tmp_path / name, python="3.11", lock=lock, reporter=Told())
    (module,) = python.parents[1].glob("lib/*/site-packages/six.py")
    assert alone == (module.stat().st_nlink == 1)


def test_what_is_installed_into_an_environment_does_not_reach_the_next(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(Uv().compile("six==1.17.0\n", python="3.11", folder=tmp_path))
    for name in ("one", "two"):
        python = Uv().create(tmp_path / name, python="3.11", lock=lock, reporter=Told())
        (module,) = python.parents[1].glob("lib/*/site-packages/six.py")
        assert "changed" not in module.read_text()
        (tmp_path / "six.py").write_text("changed")
        (tmp_path / "six.py").replace(module)
        module.with_name("extra.py").write_text("")
        assert len(list(module.parent.glob("*.py"))) - len(list(module.parent.glob("_*.py"))) == 2


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("six==1.17.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(GeneratorError, match=r"a package is not the one that requirements\.lock names"):
        Uv().create(tmp_path / "environment", python="3.11", lock=lock, reporter=Told())


def test_a_package_without_a_hash_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("six==1.17.0\n")
    with pytest.raises(GeneratorError, match=r"requirements\.lock cannot be installed here\. .*hash"):
        Uv().create(tmp_path / "environment", python="3.11", lock=lock, reporter=Told())


def test_a_python_that_is_not_here_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(GeneratorError) as caught:
        Uv().create(tmp_path / "environment", python="3.99", lock=lock, reporter=Told())
    message = str(caught.value)
    assert "Python 3.99 is not on this machine (found: " in message
    assert "uv python install 3.99" in message
