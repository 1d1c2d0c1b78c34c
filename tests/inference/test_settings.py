"""Settings from the environment and the release file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.settings import Release, Settings, SettingsError, from_environment


def test_defaults() -> None:
    assert from_environment({}) == Settings()


def test_everything(tmp_path: Path) -> None:
    release = {
        "name": "churn",
        "version": "1.2.3",
        "run_id": "r",
        "commit": "c",
        "registered_version": 4,
        "more": 1,
    }
    path = tmp_path / "release.json"
    path.write_text(json.dumps(release))
    given = {
        "TAGSHIP_MODEL": "/models/x",
        "TAGSHIP_RELEASE": str(path),
        "TAGSHIP_DIGEST": "sha256:0",
        "TAGSHIP_HOST": "::",
        "TAGSHIP_PORT": "80",
        "TAGSHIP_STRICT": "true",
        "TAGSHIP_MAX_BODY_BYTES": "10",
        "TAGSHIP_MAX_ROWS": "20",
        "TAGSHIP_MAX_CONNECTIONS": "50",
        "TAGSHIP_KEEP_ALIVE_SECONDS": "7",
        "TAGSHIP_RUNTIME": "pyfunc",
        "TAGSHIP_BATCHING": "off",
        "TAGSHIP_MAX_QUEUE": "3",
        "TAGSHIP_REQUEST_SECONDS": "2.5",
        "TAGSHIP_WORKERS": "4",
        "TAGSHIP_SHUTDOWN_SECONDS": "1.5",
        "TAGSHIP_LOG_LEVEL": "debug",
    }
    expected = Release("churn", "1.2.3", run_id="r", commit="c", registered_version="4")
    assert from_environment(given) == Settings(
        model=Path("/models/x"),
        release=expected,
        digest="sha256:0",
        host="::",
        port=80,
        strict=True,
        max_body_bytes=10,
        max_rows=20,
        max_connections=50,
        keep_alive_seconds=7,
        runtime="pyfunc",
        batching=False,
        max_queue=3,
        request_seconds=2.5,
        workers=4,
        shutdown_seconds=1.5,
        log_level="DEBUG",
    )


def test_a_loose_folder_has_a_name() -> None:
    assert from_environment({"TAGSHIP_NAME": "loose"}).release == Release("loose", "0.0.0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TAGSHIP_PORT", "70000"),
        ("TAGSHIP_PORT", "8080.5"),
        ("TAGSHIP_STRICT", "perhaps"),
        ("TAGSHIP_MAX_BODY_BYTES", "0"),
        ("TAGSHIP_MAX_ROWS", "-1"),
        ("TAGSHIP_MAX_CONNECTIONS", "0"),
        ("TAGSHIP_KEEP_ALIVE_SECONDS", "0.5"),
        ("TAGSHIP_WORKERS", "0"),
        ("TAGSHIP_WORKERS", "17"),
        ("TAGSHIP_SHUTDOWN_SECONDS", "nan"),
        ("TAGSHIP_SHUTDOWN_SECONDS", "soon"),
        ("TAGSHIP_LOG_LEVEL", "LOUD"),
        ("TAGSHIP_RELEASE", "/does/not/exist.json"),
    ],
)
def test_bad_settings_name_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        from_environment({name: value})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"name": "x"}',
        {"name": 1, "version": "1"},
        {"name": "x", "version": "1", "commit": 5},
        {"name": "x", "version": "1", "runtime": "sklearn"},
    ],
)
def test_bad_release_files(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "release.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(SettingsError, match="release file"):
        from_environment({"TAGSHIP_RELEASE": str(path)})


def test_the_runtime_is_what_packaging_found_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_text(json.dumps({"name": "x", "version": "1", "runtime": "pyfunc", "runtime_reason": "it differs"}))
    packaged = from_environment({"TAGSHIP_RELEASE": str(path)})
    assert (packaged.runtime, packaged.release.runtime_reason) == ("pyfunc", "it differs")
    assert from_environment({"TAGSHIP_RELEASE": str(path), "TAGSHIP_RUNTIME": "auto"}).runtime == "auto"
    path.write_text(json.dumps({"name": "x", "version": "1", "runtime": None}))
    assert from_environment({"TAGSHIP_RELEASE": str(path)}).runtime == "auto"
