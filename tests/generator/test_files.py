"""Writing generated files: what is ours is rewritten, everything else is left alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from generator.errors import GeneratorError
from generator.files import LOCK, Kind, RenderedFile, apply, compare
from generator.plan.files import Owner

OWNED = RenderedFile("k8s/owned.yaml", "x: 1\n", Owner.TAGSHIP)
SHARED = RenderedFile("k8s/shared.yaml", "y: 1\n", Owner.SHARED)


def kinds(root: Path, *wanted: RenderedFile) -> dict[str, Kind]:
    return {change.path: change.kind for change in compare(root, wanted).changes}


def written(root: Path, *wanted: RenderedFile) -> None:
    apply(root, compare(root, wanted))


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, OWNED, SHARED)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = compare(tmp_path, [OWNED, SHARED])
    assert again.clean
    apply(tmp_path, again)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_lock_is_what_sha256sum_reads(tmp_path: Path) -> None:
    written(tmp_path, OWNED, SHARED)
    subprocess.run(["sha256sum", "--check", "--strict", LOCK], cwd=tmp_path, check=True)


def test_stale_and_hand_edited_are_told_apart(tmp_path: Path) -> None:
    written(tmp_path, OWNED)
    newer = RenderedFile(OWNED.path, "x: 2\n", Owner.TAGSHIP)
    assert kinds(tmp_path, newer) == {OWNED.path: Kind.UPDATE}
    (tmp_path / OWNED.path).write_text("x: mine\n")
    assert kinds(tmp_path, newer) == {OWNED.path: Kind.EDITED}
    change = compare(tmp_path, [newer]).changes[0]
    assert change.diff().splitlines()[-2:] == ["-x: mine", "+x: 2"]
    written(tmp_path, newer)
    assert (tmp_path / OWNED.path).read_text() == "x: 2\n"


def test_a_shared_file_is_made_once(tmp_path: Path) -> None:
    written(tmp_path, SHARED)
    (tmp_path / SHARED.path).write_text("mine\n")
    assert compare(tmp_path, [SHARED]).clean
    assert (tmp_path / SHARED.path).read_text() == "mine\n"


def test_a_file_that_was_never_ours_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    (tmp_path / OWNED.path).write_text("somebody's\n")
    with pytest.raises(GeneratorError, match=r"k8s/owned\.yaml: exists already and was not written by"):
        written(tmp_path, OWNED, SHARED)
    assert (tmp_path / OWNED.path).read_text() == "somebody's\n"
    assert not (tmp_path / SHARED.path).exists()
    assert not (tmp_path / LOCK).exists()


def test_orphans_go_and_edited_ones_stay(tmp_path: Path) -> None:
    other = RenderedFile("k8s/b/c/other.yaml", "z: 1\n", Owner.TAGSHIP)
    written(tmp_path, OWNED, other)
    (tmp_path / OWNED.path).write_text("mine\n")
    assert kinds(tmp_path) == {OWNED.path: Kind.KEEP_ORPHAN, other.path: Kind.REMOVE}
    written(tmp_path)
    assert (tmp_path / OWNED.path).read_text() == "mine\n"
    assert not (tmp_path / "k8s/b").exists()
    assert kinds(tmp_path) == {OWNED.path: Kind.KEEP_ORPHAN}, "it stays reported until somebody decides"


def test_a_file_that_is_its_own_source_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    (tmp_path / OWNED.path).write_text(OWNED.text)
    copied = RenderedFile(OWNED.path, OWNED.text, Owner.TAGSHIP, origin=tmp_path / OWNED.path)
    written(tmp_path, copied)
    assert OWNED.path in (tmp_path / LOCK).read_text()


@pytest.mark.parametrize("path", ["../out.yaml", "/etc/out.yaml", "a/../../out.yaml"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(GeneratorError, match="leads out of the repository"):
        compare(tmp_path, [RenderedFile(path, "", Owner.TAGSHIP)])


def test_no_link_leads_out(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "repo/k8s").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GeneratorError, match="symbolic link"):
        compare(tmp_path / "repo", [OWNED])


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "0" * 64 + "  ../../x",
        "0" * 64 + "  /etc/passwd",
        "0" * 64 + "  .git/config",
        "0" * 64 + "  train.py",
    ],
)
def test_a_damaged_lock_is_no_licence_to_delete(tmp_path: Path, line: str) -> None:
    (tmp_path / LOCK).write_text(line + "\n")
    with pytest.raises(GeneratorError):
        compare(tmp_path, [])
