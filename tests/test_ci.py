"""`.ci/run` says what the checks said, whatever becomes of the test bed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / ".ci/run"
HERE = (
    *("sshd", "ssh", "chromium", "wrk", "jq", "curl", "openssl"),
    *("promtool", "kube-score", "source-controller", "kustomize-controller"),
)


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)


def run(
    tmp_path: Path,
    *,
    make: str = "true",
    up: str = "true",
    down: str = "true",
    curl: str = "true",
    absent: str = "",
) -> tuple[int, list[str], str]:
    """The exit code, what was called in order, and what was said, with `make` and a test bed that end as told.

    The machine has what `.ci/run` needs in HERE, but for the program that is `absent`.
    """
    calls, state = tmp_path / "calls", tmp_path / "state"
    for name, body in (("install", "true"), ("up", up), ("down", down)):
        script(tmp_path / "testbed" / name, f'echo "{name} $*" >>{calls}; {body}')
    script(tmp_path / "bin/make", f'echo "make $*${{REQUIRE_E2E:+ with parts}}" >>{calls}; {make}')
    script(tmp_path / "bin/docker", f'echo "docker $1 $2" >>{calls}')
    for name in {*HERE} - {absent}:
        script(tmp_path / "bin" / name, curl if name == "curl" else "true")
    script(tmp_path / "bin/apt-get", f'echo "apt-get $*" >>{calls}')
    for name in ("bash", "dirname", "tail", "grep", "cat", "sort", "xargs", "find", "id", "df", "sed"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    state.mkdir()
    (state / "env").write_text("export FROM_THE_TESTBED=yes\n")
    (tmp_path / "project/.ci").mkdir(parents=True)
    shutil.copy(RUN, tmp_path / "project/.ci/run")
    environment = {
        "PATH": str(tmp_path / "bin"),
        "HOME": str(tmp_path),
        "TESTBED": str(tmp_path / "testbed"),
        "TESTBED_STATE": str(state),
    }
    ended = subprocess.run([tmp_path / "project/.ci/run"], env=environment, capture_output=True, text=True)
    return ended.returncode, [line.strip() for line in calls.read_text().splitlines()], ended.stderr


def test_what_ci_calls_in_order(tmp_path: Path) -> None:
    code, calls, said = run(tmp_path, make='[ "$FROM_THE_TESTBED" = yes ]')
    assert code == 0, said
    room = ["docker image ls", "docker builder prune"]
    assert calls == [
        "install cluster",
        "up cluster",
        *room,
        "make demo",
        "make check",
        "make test with parts",
        "down",
    ]


@pytest.mark.parametrize(("absent", "package"), [("wrk", "wrk"), ("ssh", "openssh-client")])
def test_what_a_clean_machine_lacks_is_installed_first(tmp_path: Path, absent: str, package: str) -> None:
    code, calls, said = run(tmp_path, absent=absent)
    assert code == 0, said
    assert calls[:3] == [
        "apt-get update -qq",
        f"apt-get install -qq --no-install-recommends {package}",
        "install cluster",
    ]


def test_a_test_bed_that_does_not_come_down_is_told_and_is_no_failure(tmp_path: Path) -> None:
    code, calls, said = run(tmp_path, down="exit 3")
    assert (code, calls[-1]) == (0, "down")
    assert "testbed/down ended with 3" in said


@pytest.mark.parametrize("down", ["true", "exit 3"])
def test_a_failed_check_is_a_failure_and_the_test_bed_comes_down(tmp_path: Path, down: str) -> None:
    code, calls, _ = run(tmp_path, make='[ "$1" != check ]', down=down)
    assert code == 1
    assert calls[-2:] == ["make check", "down"]


def test_a_test_bed_that_does_not_come_up_is_a_failure(tmp_path: Path) -> None:
    code, calls, said = run(tmp_path, up="exit 4")
    assert (code, calls) == (1, ["install cluster", *["up cluster"] * 3, "down"])
    assert "attempt 3 of 3: the test bed's cluster is not up" in said


@pytest.mark.parametrize("port", ["10248", "10256", "10257", "10259"])
def test_a_process_of_the_cluster_that_has_ended_is_started_again(tmp_path: Path, port: str) -> None:
    """`up` says that all is well: the node is called ready still. Its second call starts what ended."""
    second = f"[ $(grep -c up {tmp_path}/calls) = 2 ]"
    code, calls, said = run(tmp_path, curl=f'case "$*" in *:{port}/healthz*) {second} ;; esac')
    assert code == 0, said
    assert calls[:3] == ["install cluster", "up cluster", "up cluster"]
    assert "make test with parts" in calls
    assert "attempt 1 of 3" in said and "attempt 2 of 3" not in said


def test_a_process_of_the_cluster_that_ends_each_time_is_a_failure_before_any_check(tmp_path: Path) -> None:
    code, calls, _ = run(tmp_path, curl="exit 7")
    assert (code, calls) == (1, ["install cluster", *["up cluster"] * 3, "down"])
