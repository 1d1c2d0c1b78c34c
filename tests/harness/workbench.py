"""Runs in a training environment: imports MLflow once, then runs each job in a fork of its own.

Importing MLflow takes seconds, a fork milliseconds; every job still is a process with its own environment,
folder and modules. Reads one JSON job a line, answers `{"code": ..., "output": ...}` a line.
"""

import atexit
import json
import os
import runpy
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
# Finding out what a model imports takes MLflow ten seconds; after one it takes the flavor's defaults.
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "1"


def warm_up() -> None:
    import alembic.command
    import git
    import mlflow.pyfunc
    import mlflow.sklearn
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.pipeline
    from mlflow.store.model_registry import sqlalchemy_store as registry
    from mlflow.store.tracking import sqlalchemy_store as tracking
    from mlflow.utils.requirements_utils import _init_packages_to_modules_map
    from sqlalchemy.dialects import sqlite

    assert all((alembic.command, git, mlflow, sklearn, registry, sqlite, tracking))
    _init_packages_to_modules_map()  # reads the metadata of every package: half a second


def run(job: dict) -> None:
    """The job in this process: `argv` as `python argv...`, in `folder`, with `env` beside our own."""
    os.environ.update(job["env"])
    os.chdir(job["folder"])
    sys.argv = job["argv"]
    target = Path(job["argv"][0])
    sys.path[0] = str(target if target.is_dir() else target.parent)
    try:
        runpy.run_path(str(target), run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def forked(job: dict) -> dict:
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            run(job)
        status = wait(child, job.get("kill_after"))
        output.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "output": output.read().decode(errors="replace")}


def wait(child: int, kill_after: float | None) -> int:
    """The child's status; it is killed where it has not ended in time."""
    end = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if done:
            return status
        if end is not None and time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            end = None
        time.sleep(0.001)


if __name__ == "__main__":
    warm_up()
    # The end of a job's output must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(forked(json.loads(line))) + "\n")
        answers.flush()
