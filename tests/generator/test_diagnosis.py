"""From how a script ended, and its last lines, to the fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from generator.ports import Ended
from generator.training.diagnosis import Context, explain, traceback_end

CONTEXT = Context(
    script="models/churn/train.py",
    requirements="models/churn/requirements.txt",
    timeout=300,
    timeout_place="models/churn/model.yaml:5:3",
    commit="0123456789abcdef0123456789abcdef01234567",
    elsewhere={"features": "src/features"},
)
FAILED = Ended(code=1, signal=None, timed_out=False, survivors=(), tail=(), seconds=3.0)


def said(*lines: str, **ended: object) -> str:
    message = explain(replace(FAILED, tail=lines, **ended), CONTEXT)  # type: ignore[arg-type]
    assert message is not None
    return message


def raised(last: str, *frames: str) -> tuple[str, ...]:
    return ("Traceback (most recent call last):", '  File "train.py", line 3, in <module>', *frames, last)


def test_a_script_that_ended_well_needs_no_word() -> None:
    assert explain(replace(FAILED, code=0, tail=raised("ValueError: caught and printed")), CONTEXT) is None


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("sklearn.ensemble", "scikit-learn"),
        ("cv2", "opencv-python-headless"),
        ("yaml", "pyyaml"),
        ("PIL", "pillow"),
        ("google.cloud.storage", "google-cloud-storage"),
        ("pkg_resources", "setuptools<81"),
        ("lifelines.utils", "lifelines"),
    ],
)
def test_missing_module_names_the_package_and_the_file(module: str, package: str) -> None:
    message = said(*raised(f"ModuleNotFoundError: No module named '{module}'"))
    assert f"Add `{package}` to models/churn/requirements.txt and run `generator lock`." in message


def test_missing_module_that_is_elsewhere_in_the_repository() -> None:
    message = said(*raised("ModuleNotFoundError: No module named 'features'"))
    assert "which is src/features in this repository, outside the model's folder" in message
    assert "requirements" not in message


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            raised("ImportError: libGL.so.1: cannot open shared object file: No such file or directory"),
            "replace opencv-python by opencv-python-headless",
        ),
        (
            raised("ImportError: libodbc.so.2: cannot open shared object file: No such file or directory"),
            "the system library libodbc.so.2 is not on this machine",
        ),
        (
            raised("ImportError: cannot import name 'FallbackAsyncAdaptedQueuePool' from 'sqlalchemy.pool'"),
            "Add `sqlalchemy<2.1` to models/churn/requirements.txt and run `generator lock`.",
        ),
        (
            raised("FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'"),
            "clean checkout of 0123456789ab, where only committed files are: commit data.csv",
        ),
        (
            raised(
                "KeyError: 'API_URL'",
                '  File "<frozen os>", line 679, in __getitem__',
            ),
            "the environment variable API_URL is not set",
        ),
        (
            raised(
                "KeyError: 'API_URL'",
                '  File "/usr/lib/python3.10/os.py", line 680, in __getitem__',
                "    raise KeyError(key) from None",
            ),
            "the environment variable API_URL is not set",
        ),
        (
            raised(
                "mlflow.exceptions.MlflowException: API request to http://mlflow.corp:5000/api/2.0/mlflow/runs failed with "
                "exception HTTPConnectionPool(host='mlflow.corp', port=5000): Max retries exceeded with url: /api"
            ),
            "the tracking server http://mlflow.corp:5000 does not answer",
        ),
        (
            raised(
                "mlflow.exceptions.MlflowException: API request to endpoint /api/2.0/mlflow/runs/create failed with error code 401 != 200."
            ),
            "the tracking server refuses us (HTTP 401). Name the GitHub secret with its token in tracking.secret",
        ),
        (raised("NameError: name 'get_ipython' is not defined"), "get_ipython exists in notebooks only"),
        (raised("OSError: [Errno 28] No space left on device"), "the disk is full"),
        (raised("MemoryError"), "it ran out of memory"),
        (
            raised("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 74.5 GiB"),
            "it ran out of memory",
        ),
    ],
)
def test_known_failures(lines: tuple[str, ...], expected: str) -> None:
    message = said(*lines)
    assert message.startswith("models/churn/train.py failed: ")
    assert expected in message
    assert lines[-1] in message, "the evidence is not shown"


@pytest.mark.parametrize(
    "last",
    [
        "KeyError: 'accuracy'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/mnt/data.csv'",
        "ValueError: No module named 'x' is what we look for",
    ],
)
def test_what_only_looks_like_a_known_failure_is_just_shown(last: str) -> None:
    message = said(*raised(last))
    assert message.startswith("models/churn/train.py ended with exit code 1.\n  Traceback")
    assert message.endswith(last)


def test_an_older_traceback_does_not_count() -> None:
    """It was caught, or the script went on from it."""
    lines = (
        *raised("ModuleNotFoundError: No module named 'cupy'"),
        "no GPU, going on",
        *raised("ValueError: bad labels"),
    )
    message = said(*lines)
    assert "cupy" not in message
    assert "ValueError: bad labels" in message


def test_timeout_tells_where_to_raise_it() -> None:
    message = said("epoch 1", code=None, signal="SIGTERM", timed_out=True)
    assert "still running after 300 s" in message
    assert "Raise train.timeout (models/churn/model.yaml:5:3; at most 19800)" in message
    assert message.endswith("  epoch 1")


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ("SIGKILL", "ran out of memory"),
        ("SIGSEGV", "crashed in native code"),
        ("SIGUSR1", "was ended by SIGUSR1."),
    ],
)
def test_signals(signal: str, expected: str) -> None:
    assert expected in said(code=None, signal=signal)


def test_a_silent_end() -> None:
    assert said(code=3) == "models/churn/train.py ended with exit code 3.\n  It printed nothing."


def test_a_long_traceback_keeps_our_frames_and_its_end() -> None:
    library = [
        f'  File "/env/lib/python3.11/site-packages/deep/{number}.py", line 1, in f' for number in range(60)
    ]
    shown = traceback_end(raised("RuntimeError: too deep", *library))
    assert len(shown) < 30
    assert shown[1] == '  File "train.py", line 3, in <module>'
    assert shown[-1] == "RuntimeError: too deep"
    assert "  …" in shown
