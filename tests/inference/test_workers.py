"""Several worker processes: one address, one sum of figures, restarts, and an end that is everybody's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from tests.inference.conftest import wait_until
from tests.inference.process import ask, is_ready, served
from tests.stillness import again_after_a_standstill

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
                wait_until(lambda pid=pid: not alive(pid))


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
    return [json.loads(line) for line in process.communicate(timeout=60)[1].splitlines()]


GOOD = {"mood": "well"}
ANSWERED = 'prediction_requests_total{endpoint="predict",status="200"}'
RESTARTS = 'inference_worker_restarts_total{worker="0"}'


def kill_until_it_is_missed(process: subprocess.Popen[str], port: int) -> int:
    """How often worker 0 was killed before the figures said that one is missing: each time it is for longer."""
    for kills in (1, 2, 3, 4):
        os.kill(pids(process)[0 if kills == 1 else -1], signal.SIGKILL)
        while (found := figures(port))[RESTARTS] < kills:
            if found["inference_workers"] == 1:
                return kills
    raise AssertionError("no figure said that a worker was missing")


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
        kills = kill_until_it_is_missed(process, port)
        assert figures(port)[ANSWERED] == 60
        wait_until(lambda: figures(port)["inference_workers"] == 2)
        wait_until(lambda: len([name for name in figures(port) if "process_open_fds" in name]) == 3)
        found = figures(port)
        assert (found[ANSWERED], found[RESTARTS]) == (60, kills)
        process.send_signal(signal.SIGTERM)
        lines = log_of(process)
        assert process.returncode == 0
    assert {line["worker"] for line in lines if line["message"] == "request"} == {0, 1}
    assert "a worker ended with signal 9 and is started again" in [line["message"] for line in lines]
    assert list(scratch.iterdir()) == []


def test_figures_that_rise_and_fall(saved: Saved, tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch") as (_, port):
        wait_until(lambda: is_ready(port))
        mood = {"mood": f"until {tmp_path / 'goes-on'}"}
        slow = [threading.Thread(target=ask, args=(port, "POST", "/predict", mood)) for _ in "1234"]
        for thread in slow:
            thread.start()
        # this very question is in flight, too
        wait_until(lambda: figures(port)["http_requests_in_flight"] == 5)
        wait_until(lambda: figures(port)["prediction_queue_length"] in (2, 3))  # by how many of the two were met
        (tmp_path / "goes-on").touch()
        for thread in slow:
            thread.join()
        wait_until(lambda: figures(port)["http_requests_in_flight"] == 1)
        wait_until(lambda: figures(port)["prediction_queue_length"] == 0)


@again_after_a_standstill(0.2)  # they listen for a second after the signal
def test_all_workers_finish_their_requests_on_sigterm(saved: Saved, tmp_path: Path) -> None:
    goes_on = tmp_path / f"goes-on-{len([*tmp_path.iterdir()])}"
    with workers(3, saved("moody"), tmp_path / "scratch") as (process, port):
        wait_until(lambda: is_ready(port))
        with ThreadPoolExecutor(6) as pool:
            mood = {"mood": f"until {goes_on}"}
            answers = [pool.submit(ask, port, "POST", "/predict", mood) for _ in range(6)]
            wait_until(lambda: figures(port)["http_requests_in_flight"] == 7)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: ask(port, "GET", "/readyz") == (503, {"status": "stopping"}))
            goes_on.touch()
            assert [answer.result()[0] for answer in answers] == [200] * 6
        assert [line["message"] for line in log_of(process)].count("stopped, 0 requests cut off") == 3
        assert process.returncode == 0


@again_after_a_standstill(1)  # who does not end is killed after three seconds more
def test_what_takes_too_long_is_cut_off(saved: Saved, tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch", TAGSHIP_SHUTDOWN_SECONDS="0.3") as (process, port):
        wait_until(lambda: is_ready(port))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ask, port, "POST", "/predict", {"mood": "sleep 600"})
            wait_until(lambda: figures(port)["http_requests_in_flight"] == 2)
            process.send_signal(signal.SIGTERM)
            said = sorted(line["message"] for line in log_of(process) if "cut off" in line["message"])
            assert said == ["stopped, 0 requests cut off", "stopped, 1 requests cut off"]
            assert process.returncode == 1


def test_workers_end_when_their_supervisor_is_gone(saved: Saved, tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch") as (process, port):
        wait_until(lambda: is_ready(port))
        left = pids(process)
        process.kill()
        wait_until(lambda: not any(alive(pid) for pid in left))


class Gated(mlflow.pyfunc.PythonModel):
    """The first process that loads it is let in; each other one waits until the file `open` is there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def load_context(self, context: Any) -> None:
        import pathlib

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
