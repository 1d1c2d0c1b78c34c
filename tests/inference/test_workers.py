"""Several worker processes: one address, one sum of figures, restarts, and an end that is everybody's."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from tests.inference.conftest import wait_until
from tests.inference.process import ask, environment, is_ready, served

Saved = Callable[[str], Path]


@contextmanager
def workers(
    count: int, folder: Path, scratch: Path, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    scratch.mkdir(exist_ok=True)
    with served(folder, TAGSHIP_WORKERS=str(count), TMPDIR=str(scratch), **settings) as (process, port):
        children = []
        try:
            yield process, port
        finally:
            children = pids(process)
            process.kill()
            for pid in children:  # they notice by themselves; no test leaves any behind
                wait_until(lambda pid=pid: not alive(pid), 10)


def pids(process: subprocess.Popen[str]) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def figures(port: int) -> dict[str, float]:
    text = ask(port, "GET", "/metrics")[1].decode()
    rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def log_of(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.communicate(timeout=30)[1].splitlines()]


GOOD = {"mood": "well"}
ANSWERED = 'prediction_requests_total{endpoint="predict",status="200"}'


def test_one_sum_whoever_is_asked_and_after_a_death(saved: Saved, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    with workers(2, saved("moody"), scratch) as (process, port):
        wait_until(lambda: is_ready(port))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(port, "POST", "/predict", GOOD)[0], range(60)))
        assert answers == [200] * 60
        for _ in range(10):  # whoever answers
            found = figures(port)
            assert found[ANSWERED] == found["ml_predictions_total"] == 60
            assert found['prediction_latency_seconds_count{endpoint="predict"}'] == 60
            assert found["prediction_batch_rows_sum"] == 60
            assert found['active_model_version{name="model",version="0.0.0"}'] == 1
            assert found["inference_workers"] == 2
            processes = {name for name in found if name.startswith("process_cpu_seconds_total")}
            assert processes == {f'process_cpu_seconds_total{{worker="{one}"}}' for one in (0, 1, "supervisor")}
            assert not any(name.startswith("python_gc") for name in found)
        os.kill(pids(process)[0], signal.SIGKILL)
        wait_until(lambda: figures(port)["inference_workers"] == 1)
        assert figures(port)[ANSWERED] == 60
        wait_until(lambda: figures(port)["inference_workers"] == 2)
        wait_until(lambda: len([name for name in figures(port) if "process_open_fds" in name]) == 3)
        found = figures(port)
        assert (found[ANSWERED], found['inference_worker_restarts_total{worker="0"}']) == (60, 1)
        process.send_signal(signal.SIGTERM)
        lines = log_of(process)
        assert process.returncode == 0
    assert {line["worker"] for line in lines if line["message"] == "request"} == {0, 1}
    assert "a worker ended with signal 9 and is started again" in [line["message"] for line in lines]
    assert list(scratch.iterdir()) == []


def test_figures_that_rise_and_fall(saved: Saved, tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch") as (_, port):
        wait_until(lambda: is_ready(port))
        slow = [threading.Thread(target=ask, args=(port, "POST", "/predict", {"mood": "sleep 2"})) for _ in "1234"]
        for thread in slow:
            thread.start()
        # this very question is in flight, too
        wait_until(lambda: figures(port)["http_requests_in_flight"] == 5, 2)
        assert figures(port)["prediction_queue_length"] in (2, 3)  # by how many of the two were met
        for thread in slow:
            thread.join()
        wait_until(lambda: figures(port)["http_requests_in_flight"] == 1, 2)
        assert figures(port)["prediction_queue_length"] == 0


def test_all_workers_finish_their_requests_on_sigterm(saved: Saved, tmp_path: Path) -> None:
    with workers(3, saved("moody"), tmp_path / "scratch") as (process, port):
        wait_until(lambda: is_ready(port))
        with ThreadPoolExecutor(6) as pool:
            answers = [pool.submit(ask, port, "POST", "/predict", {"mood": "sleep 0.5"}) for _ in range(6)]
            wait_until(lambda: figures(port)["http_requests_in_flight"] == 7, 2)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: ask(port, "GET", "/readyz") == (503, {"status": "stopping"}), 1)
            assert [answer.result()[0] for answer in answers] == [200] * 6
        assert [line["message"] for line in log_of(process)].count("stopped, 0 requests cut off") == 3
        assert process.returncode == 0


def test_what_takes_too_long_is_cut_off(saved: Saved, tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch", TAGSHIP_SHUTDOWN_SECONDS="0.3") as (process, port):
        wait_until(lambda: is_ready(port))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ask, port, "POST", "/predict", {"mood": "sleep 3"})
            wait_until(lambda: figures(port)["http_requests_in_flight"] == 2, 2)
            process.send_signal(signal.SIGTERM)
            said = sorted(line["message"] for line in log_of(process) if "cut off" in line["message"])
            assert said == ["stopped, 0 requests cut off", "stopped, 1 requests cut off"]
            assert process.returncode == 1


def test_workers_end_when_their_supervisor_is_gone(saved: Saved, tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch") as (process, port):
        wait_until(lambda: is_ready(port))
        left = pids(process)
        process.kill()
        wait_until(lambda: not any(alive(pid) for pid in left), 10)


class Gated(mlflow.pyfunc.PythonModel):
    """The first process that loads it is let in; each other one waits until the file `open` is there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def load_context(self, context: Any) -> None:
        import pathlib
        import time

        folder = pathlib.Path(self.folder)
        try:
            (folder / "first").mkdir()
        except FileExistsError:
            while not (folder / "open").exists():
                time.sleep(0.05)

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input["mood"].tolist()


def test_ready_means_all_and_who_comes_late_does_not_answer(saved: Saved, tmp_path: Path) -> None:
    saved("moody")  # points MLflow to a folder
    gate, model = tmp_path / "gate", tmp_path / "model"
    gate.mkdir()
    signature = ModelSignature(Schema([ColSpec("string", "mood")]))
    mlflow.pyfunc.save_model(
        model, python_model=Gated(str(gate)), signature=signature, pip_requirements=["cloudpickle"]
    )
    with workers(2, model, tmp_path / "scratch") as (process, port):
        wait_until(lambda: _answers(port) and figures(port)["model_load_time_seconds"] > 0)
        states = [ask(port, "GET", "/readyz")[0] for _ in range(20)]
        assert set(states) == {503}
        (gate / "open").touch()
        wait_until(lambda: is_ready(port))
        assert {ask(port, "POST", "/predict", GOOD)[0] for _ in range(20)} == {200}
        (gate / "open").unlink()
        os.kill(pids(process)[0], signal.SIGKILL)
        wait_until(lambda: figures(port)['inference_worker_restarts_total{worker="0"}'] == 1)
        assert {ask(port, "POST", "/predict", GOOD)[0] for _ in range(20)} == {200}
        assert ask(port, "GET", "/readyz")[0] == 200
        process.send_signal(signal.SIGTERM)  # also while one of them still loads
        log_of(process)
        assert process.returncode == 0


def _answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/livez")[0] == 200
    except OSError:
        return False


def supervised(work: str, size: int = 2, **patience: float) -> subprocess.Popen[str]:
    """A supervisor whose workers run `work`, as lines of a function that gets `member`."""
    body = "\n    ".join(work.splitlines())
    code = f"""
import os, signal, sys, tempfile, time
from inference.observability import logs
from inference.settings import SettingsError
from inference.workers import Patience, Supervisor
import numpy.random

def work(member):
    {body}

logs.configure("INFO")
try:
    code = Supervisor({size}, work, Patience(**{patience!r})).run()
except SettingsError as error:
    sys.exit(str(error))
sys.exit(code)
"""
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("work", "how"),
    [
        ("return 7", "code 7"),
        ("return 0", "code 0"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("raise SystemExit(3)", "code 3"),
        ("raise RuntimeError('no')", "code 1"),
    ],
)
def test_workers_that_keep_dying_end_the_server(work: str, how: str) -> None:
    process = supervised(work, first_wait=0.01, most_quick=3)
    lines = log_of(process)
    assert process.returncode == 1
    messages = [line["message"] for line in lines]
    assert f"a worker ended with {how}, soon after its start as before: giving up" in messages
    again = [
        line["worker"] for line in lines if line["message"] == f"a worker ended with {how} and is started again"
    ]
    assert 2 <= max(again.count(0), again.count(1)) <= 3


def test_a_worker_that_lived_long_is_forgiven() -> None:
    process = supervised("time.sleep(0.2)\nreturn 1", size=1, quick=0.1, first_wait=0.01, most_quick=2)
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    restarts = [line for line in log_of(process) if "started again" in line["message"]]
    assert len(restarts) >= 3


def test_a_worker_that_does_not_end_is_killed() -> None:
    work = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(member.index, flush=True)\ntime.sleep(60)"
    process = supervised(work, stop=0.3)
    assert process.stdout
    assert sorted(process.stdout.readline() for _ in "12") == ["0\n", "1\n"]
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    log_of(process)
    assert process.returncode == 1
    assert time.monotonic() - began < 20


def test_workers_draw_their_own_random_numbers() -> None:
    process = supervised("print(numpy.random.random(), flush=True)\ntime.sleep(60)", size=4, stop=0.1)
    assert process.stdout
    assert len({process.stdout.readline() for _ in range(4)}) == 4
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def test_nowhere_to_write_is_one_line() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import tempfile; tempfile.tempdir = '/nonexistent'\n"
            "import sys; from inference.__main__ import main; sys.exit(main([]))",
        ],
        env=environment(TAGSHIP_WORKERS="2", TAGSHIP_PORT="0", TAGSHIP_HOST="127.0.0.1"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert re.fullmatch("TAGSHIP_WORKERS over 1 needs a folder to write in: .* mount one at /tmp.*\n", done.stderr)
