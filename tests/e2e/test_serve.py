"""The page about `generator serve` to the letter: its commands, in environments that uv makes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generator.serving_parts import ask, save, tracking_server, wait_until
from tests.ports import held_port

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parents[2] / "docs/serve.md"


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as held:
        yield held


def commands(heading: str, **instead: str) -> list[str]:
    """The lines of the `sh` block below a heading, without comments; `instead` replaces parts of them."""
    block = re.search(r"```sh\n(.*?)```", PAGE.read_text().split(f"## {heading}\n", 1)[1], re.DOTALL)
    assert block, f"no sh block below {heading}"
    lines = [line.split("  #")[0].strip() for line in block[1].splitlines()]
    for old, new in {"8081": instead.pop("port"), **instead}.items():
        lines = [line.replace(old, new) for line in lines]
    return lines


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


@contextlib.contextmanager
def served(command: str, folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command, from when it says that it serves until ^C; it ends as it should and leaves nothing behind."""
    process = subprocess.Popen(
        shlex.split(command),
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=(folder / "said").open("w"),
        text=True,
        # As a terminal's own: a shell's background jobs ignore ^C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving "), (folder / "said").read_text()
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert (folder / "said").read_text().endswith("interrupted\n")
        assert not list((folder / ".tagship/serve/engine/images").iterdir())
        assert not list((folder / ".tagship/serve").glob("new-*"))
    finally:
        process.kill()
        process.wait()


def test_a_folder(tmp_path: Path, port: int) -> None:
    save(tmp_path / "model", 1.5)
    serve, *requests = commands("A folder", port=str(port))
    with served(serve, tmp_path):
        printed, ran, sent = (
            subprocess.run(
                line, shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
            )
            for line in requests
        )
        assert printed.stdout.startswith("curl -sS ")
        assert json.loads(ran.stdout)["predictions"] == [1.5]
        assert json.loads(sent.stdout) == {"predictions": [1.5]}
        save(tmp_path / "model", 2.5)
        wait_until(lambda: ask(port)["predictions"] == [2.5], 120)
    again = subprocess.run(
        ["generator", "request", "model", "--send"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["predictions"] == [2.5]
    assert "http://127.0.0.1:8080/predict" in again.stderr


def test_a_run_and_a_registered_model(tmp_path: Path, port: int) -> None:
    (tmp_path / "tracking").mkdir()
    (tmp_path / "work").mkdir()
    with tracking_server(tmp_path / "tracking") as server:
        run_id = server.register(1.0, release="churn-1.2.3")
        server.register(2.0)
        server.alias("1")
        lines = commands("A run or a registered model", port=str(port), **{"<run id>": run_id})
        export, *serves = lines
        assert export == "export MLFLOW_TRACKING_URI=http://127.0.0.1:5000"
        expected = [(1.0, "1.2.3"), (1.0, "1.2.3"), (2.0, "2"), (1.0, run_id[:8])]
        for serve, (answer, version) in zip(serves, expected, strict=True):
            with served(serve, tmp_path / "work", MLFLOW_TRACKING_URI=server.uri):
                assert ask(port)["predictions"] == [answer], serve
                facts = ask(port, "GET", "/metadata")
                assert facts["version"] == version, serve
                if "@live" in serve:
                    assert (facts["run_id"], facts["registered_version"]) == (run_id, "1")
