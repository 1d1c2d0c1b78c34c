"""The real process: `python -m inference` and its replay, started, asked and ended."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from inference.app import create_app
from inference.server import LINGER_SECONDS, Server, listen
from inference.settings import Settings
from tests.inference.conftest import wait_until
from tests.inference.process import ROOT, ask, environment, is_ready, served
from tests.stillness import again_after_a_standstill

Saved = Callable[[str], Path]


@again_after_a_standstill(0.2)  # it listens for a second after the signal
def test_serves_and_lets_running_requests_finish_on_sigterm(
    saved: Saved, tmp_path_factory: pytest.TempPathFactory
) -> None:
    goes_on = tmp_path_factory.mktemp("gate") / "goes-on"
    with served(saved("moody"), TAGSHIP_MAX_BODY_BYTES="100000") as (process, port):
        wait_until(lambda: is_ready(port))
        # a client that sends all before it reads still learns why
        assert ask(port, "POST", "/predict", {"mood": "x" * 20_000_000})[1]["error"]["code"] == "body_too_large"
        client = ScoringServerClient("127.0.0.1", port)
        client.wait_server_ready(timeout=60)
        assert client.invoke(pd.DataFrame({"mood": ["well"]})).get_predictions().to_dict("list") == {0: ["well"]}
        answers: list[tuple[int, Any]] = []
        slow = threading.Thread(
            target=lambda: answers.append(ask(port, "POST", "/predict", {"mood": f"until {goes_on}"}))
        )
        slow.start()
        # this very question is in flight, too
        wait_until(lambda: b"http_requests_in_flight 2.0" in ask(port, "GET", "/metrics")[1])
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: ask(port, "GET", "/readyz") == (503, {"status": "stopping"}))
        assert ask(port, "GET", "/livez")[0] == 200
        time.sleep(LINGER_SECONDS)  # it no longer listens, and still waits for the answer
        assert process.poll() is None
        goes_on.touch()
        slow.join(60)
        assert answers[0][0] == 200
        assert answers[0][1]["predictions"] == [f"until {goes_on}"]
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        lines = [json.loads(line) for line in errors.splitlines()]
        assert "stopped, 0 requests cut off" in [line["message"] for line in lines]


def test_requests_that_take_too_long_are_cut_off(saved: Saved, tmp_path: Path) -> None:
    settings = Settings(model=saved("moody"), host="127.0.0.1", port=0, shutdown_seconds=0.3)
    listener = listen(settings)
    port = listener.getsockname()[1]
    server = Server(create_app(settings))
    running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    running.start()
    wait_until(lambda: is_ready(port))
    slow = threading.Thread(target=_ask_in_vain, args=(port, f"until {tmp_path / 'over'}"))
    slow.start()
    wait_until(lambda: server.service.in_flight == 1)
    server.handle_exit(signal.SIGTERM, None)
    running.join(60)
    assert not running.is_alive()
    assert server.cut_off == 1
    slow.join(60)
    (tmp_path / "over").touch()


def _ask_in_vain(port: int, mood: str) -> None:
    with suppress(OSError, http.client.HTTPException):
        ask(port, "POST", "/predict", {"mood": mood})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"TAGSHIP_PORT": "http"}, "TAGSHIP_PORT must be a whole number from 0 to 65535, not 'http'"),
        ({"TAGSHIP_HOST": "203.0.113.7", "TAGSHIP_PORT": "0"}, "cannot listen on 203.0.113.7:0"),
    ],
)
def test_bad_settings_are_one_line(settings: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inference"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(says)
    assert len(done.stderr.splitlines()) == 1


def test_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inference", "zzz"], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m inference")


def replay(
    folder: Path, given: str, *, command: str = "replay", settings: dict[str, str] | None = None, **options: Any
) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "inference", command],
        input=given,
        env=environment(TAGSHIP_MODEL=str(folder), **(settings or {})),
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )
    assert len(done.stdout.splitlines()) == 1, done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def test_replay_of_a_model_that_does_not_load_says_why(tmp_path: Path) -> None:
    code, found = replay(tmp_path, '{"request": null}')
    assert (code, found["error"]["code"]) == (1, "model_failed")
    assert "a file of the model is missing (FileNotFoundError: " in found["error"]["message"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("nonsense", "invalid_input"),
        ("{}", "invalid_input"),
    ],
)
def test_replay_errors(given: str, error: str) -> None:
    code, found = replay(ROOT, given)
    assert (code, found["error"]["code"]) == (1, error)


def test_replay(saved: Saved, tmp_path: Path) -> None:
    """Without a home or a folder to write in, as in the image; as another user too, where root runs the
    tests and others can reach this Python. The model writes to standard output, which is the answer's.
    """
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    given = '{"request": {"instances": [[1, 0]], "return_probabilities": true}}'
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to others
        folder, nobody = Path(shutil.copytree(saved("chatty"), Path(place, "model"))), dict[str, Any]()
        need = (Path(sys.executable).resolve(), ROOT, Path(tempfile.gettempdir()).resolve())
        if os.geteuid() == 0 and all(open_to_others(path) for path in need):
            nobody = {"user": 65532, "group": 65532, "extra_groups": []}
            for path in (folder.parent, folder, *folder.rglob("*")):
                path.chmod(path.stat().st_mode | 0o055)
        code, found = replay(folder, given, cwd=closed, **nobody)
    assert code == 0
    assert found["predictions"] == ["yes"]
    assert (found["probabilities"], found["classes"]) == ([[0.0, 1.0]], ["no", "yes"])
    assert found["health"]["status"] == "ready"
    assert found["metadata"]["flavors"] == ["python_function", "sklearn"]
    assert [column["name"] for column in found["columns"]] == ["a", "b"]
    assert (found["runtime"], found["runtime_reason"]) == ("sklearn", None)
    assert found["load_seconds"] > 0
    assert not list(closed.iterdir())


REQUEST = '{"request": {"instances": [[1, 0]]}}'


def test_parity_of_a_runtime_that_gives_what_pyfunc_gives(saved: Saved) -> None:
    code, found = replay(saved("labels"), REQUEST, command="parity")
    assert code == 0
    assert found["rows"] > 1000
    assert (found["largest_difference"], found["reason"]) == (0, None)


def test_a_native_runtime_that_gives_something_else_is_found_out_and_pyfunc_serves(
    saved: Saved, tmp_path: Path
) -> None:
    folder = saved("two-faced")
    assert replay(folder, REQUEST)[1]["predictions"] == [2]
    _, compared = replay(folder, REQUEST, command="parity")
    assert "numbers differ by up to 1" in compared["reason"]
    told = tmp_path / "release.json"
    told.write_text(json.dumps({"name": "x", "version": "1", "runtime": "pyfunc", "runtime_reason": "it differs"}))
    _, found = replay(folder, REQUEST, settings={"TAGSHIP_RELEASE": str(told)})
    assert (found["predictions"], found["runtime"], found["runtime_reason"]) == ([1], "pyfunc", "it differs")


def test_a_model_without_a_native_runtime_says_why(saved: Saved) -> None:
    _, found = replay(saved("custom-gaps"), REQUEST)
    assert (found["runtime"], found["runtime_reason"]) == ("pyfunc", "there is no native runtime for this flavor")
    code, compared = replay(saved("custom-gaps"), REQUEST, command="parity")
    assert (code, compared["error"]["code"]) == (1, "model_failed")


def open_to_others(path: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))
