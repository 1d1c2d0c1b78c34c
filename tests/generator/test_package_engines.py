"""The engines: a process that runs the real server, and Docker where there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from generator.adapters.background import background
from generator.adapters.docker import Docker
from generator.adapters.process_engine import ProcessEngine, Running
from generator.disk import folder_sha256
from generator.errors import GeneratorError
from generator.image.archive import read_archive
from generator.image.context import Content, write_context
from generator.ports import Reporter
from tests.generator.packaged import Report

TAG = "tagship.local/churn:1.2.3"
RELEASE = {"name": "churn", "version": "1.2.3", "run_id": "r", "commit": "c" * 40}
REQUEST = {"request": {"instances": [{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0}]}}


@dataclass
class ThisEnvironment:
    """The environment that the tests run in has what the server needs."""

    made: list[Path] = field(default_factory=list)

    def create(self, folder: Path, *, python: str, lock: Path, reporter: Reporter, **_: object) -> Path:
        self.made.append(folder)
        return Path(sys.executable)

    def compile(self, requirements: str, **_: Any) -> str:
        raise AssertionError("an engine resolves nothing")


@pytest.fixture
def context(tmp_path: Path, model: Path) -> Path:
    write_context(tmp_path / "image", Content(model, "numpy==2.4.0 --hash=sha256:00\n", RELEASE, "3.11"))
    return tmp_path / "image"


@pytest.fixture
def engine(engines: Path, context: Path) -> ProcessEngine:
    engine = ProcessEngine(engines, ThisEnvironment(), "3.11")
    engine.build(context, tag=TAG, platform="linux/amd64", labels={"a": "b"}, reporter=Report())
    return engine


def test_a_process_answers_the_golden_rows_as_the_image_would(engine: ProcessEngine, context: Path) -> None:
    before = folder_sha256(context)
    replayed = engine.replay(TAG, json.dumps(REQUEST), memory=2**30)
    assert (replayed.predictions, replayed.error) == ([1, 3], None)
    assert replayed.load_seconds > 0
    copied = engine.folder / "images" / "tagship.local_churn_1.2.3" / "context"
    assert folder_sha256(copied) == before, "the server changed its own context"


def test_the_servers_environment_is_not_ours(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('our PYTHONPATH reached the server')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TAGSHIP_MODEL", "/nonexistent")
    assert engine.replay(TAG, json.dumps(REQUEST), memory=2**30).predictions == [1, 3]


def test_a_request_that_the_model_refuses_is_an_error(engine: ProcessEngine) -> None:
    replayed = engine.replay(TAG, json.dumps({"request": {"instances": [{"a": 0.0}]}}), memory=2**30)
    assert "b" in str(replayed.error)


def test_a_model_that_does_not_load_is_an_error_with_its_reason(engine: ProcessEngine) -> None:
    copied = engine.folder / "images" / "tagship.local_churn_1.2.3" / "context"
    for path in (copied / "model").glob("model.*"):
        path.write_bytes(b"damaged")
    replayed = engine.replay(TAG, json.dumps(REQUEST), memory=2**30)
    assert replayed.error


def test_the_archive_brings_back_the_same_server(engine: ProcessEngine, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    digest = engine.save(TAG, archive)
    assert digest == read_archive(archive).digest
    assert engine.save(TAG, archive) == digest
    engine.load(archive, "tagship.local/churn:observed")
    environment = {"TAGSHIP_DIGEST": digest}
    with engine.serving("tagship.local/churn:observed", environment=environment) as url:
        facts = httpx.get(f"{url}/metadata", trust_env=False).json()
        answer = httpx.post(f"{url}/predict", json=REQUEST["request"], trust_env=False).json()
    assert (facts["version"], facts["digest"]) == ("1.2.3", digest)
    assert answer["predictions"] == [1, 3]
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{url}/livez", trust_env=False)


def test_a_server_that_cannot_start_says_why(engine: ProcessEngine) -> None:
    begun = time.monotonic()
    with (
        pytest.raises(GeneratorError, match="TAGSHIP_STRICT"),
        engine.serving(TAG, environment={"TAGSHIP_STRICT": "perhaps"}),
    ):
        raise AssertionError("it started")
    assert time.monotonic() - begun < 120, "it was waited for although it had ended"


def test_an_environment_is_made_once_and_again_where_it_was_half_made(tmp_path: Path, context: Path) -> None:
    environments = ThisEnvironment()
    engine = ProcessEngine(tmp_path / "engine", environments, "3.11")

    def build() -> int:
        engine.build(context, tag=TAG, platform="linux/amd64", labels={}, reporter=Report())
        return len(environments.made)

    assert (build(), build()) == (1, 1)
    (marker,) = engine.folder.glob("environments/*/complete")
    marker.unlink()
    (marker.parent / "left-over").write_text("")
    assert build() == 2
    assert not (marker.parent / "left-over").exists()


def test_an_unknown_image_names_the_stage_that_builds_it(engine: ProcessEngine) -> None:
    with pytest.raises(GeneratorError, match="generator stage package"):
        engine.replay("tagship.local/other:1", "{}", memory=2**30)


def test_without_the_docker_command_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GeneratorError, match="docker is not installed: install Docker"):
        Docker().check()


# What the docker command prints when its engine is away, for each way that it can be.
ANSWERS = {
    "gone": ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", None, "start it"),
    "elsewhere": (
        "Cannot connect to the Docker daemon",
        "tcp://10.1.2.3:2375",
        "at DOCKER_HOST=tcp://10.1.2.3:2375",
    ),
    "forbidden": ("Got permission denied while trying to connect", None, "add it to the group `docker`"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_engine_that_does_not_answer_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str
) -> None:
    said, host, expected = ANSWERS[case]
    for name, script in (("docker", f"echo '{said}' >&2; exit 1"), ("skopeo", "exit 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if host:
        monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(GeneratorError) as caught:
        Docker().check()
    assert expected in str(caught.value)


def test_without_skopeo_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GeneratorError, match="skopeo is not installed: install it"):
        Docker().check()


@pytest.mark.parametrize("script", ["exit 1", "echo '#7 ERROR: no space left on device' >&2; exit 17"])
def test_a_build_that_fails_shows_its_end_and_where_the_log_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, context: Path, script: str
) -> None:
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GeneratorError) as caught:
        Docker().build(context, tag=TAG, platform="linux/amd64", labels={}, reporter=Report())
    assert str(tmp_path / "docker-build.log") in str(caught.value)
    assert ("no space left" in str(caught.value)) == ("ERROR" in script)


MORE = ("-e", "--env", "-v", "--volume", "--mount", "--privileged")


def test_golden_rows_are_replayed_without_network_rights_or_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What docker is asked for; the test of the real image shows that a server runs under it."""
    answer = '{"predictions": [1], "load_seconds": 1, "runtime": "sklearn", "rows": 9, "largest_difference": 0}'
    (tmp_path / "docker").write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/asked\necho '{answer}'\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    assert Docker().replay(TAG, "{}", memory=2**30).predictions == [1]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert {
        "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
        "--user=10001:10001", "--pull=never", f"--memory={2**30}", f"--memory-swap={2**30}",
    } <= set(asked)  # fmt: skip
    assert asked[-2:] == [TAG, "replay"]
    assert asked[0] == "run", "a container that ended by itself is not asked for again"
    assert not [word for word in asked if word.startswith(MORE)]

    assert Docker().parity(TAG, "{}").rows == 9
    compared = (tmp_path / "asked").read_text().splitlines()
    assert compared[-2:] == [TAG, "parity"]
    without = {f"--memory={2**30}", f"--memory-swap={2**30}", "replay", "parity"}
    assert named(compared) - without == named(asked) - without, "two models at once need more than a pod has"


def test_a_container_gets_the_variables_that_it_is_tried_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "docker").write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/asked\necho '{{\"predictions\": [1]}}'\n"
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert Docker().hooks(TAG, "{}", environment={"STORE": "a '$(b)' \"c", "EMPTY": ""}).predictions == [1]
    assert (tmp_path / "asked").read_text().splitlines()[-4:] == [
        "--env=EMPTY=",
        "--env=STORE=a '$(b)' \"c",
        TAG,
        "hooks",
    ]


def named(words: list[str]) -> set[str]:
    return {word for word in words if not word.startswith("--name=")}


def test_a_container_whose_replay_failed_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text(f'#!/bin/sh\nprintf "%s " "$@" >> {tmp_path}/asked\n[ "$1" = rm ]\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GeneratorError, match="the server in the image did not answer"):
        Docker().replay(TAG, "{}", memory=2**30)
    asked = (tmp_path / "asked").read_text().split()
    (name,) = (word.removeprefix("--name=") for word in asked if word.startswith("--name="))
    assert asked[-4:] == ["rm", "--force", "--volumes", name]


def docker_that(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A `docker` that keeps what it is asked, a line each, and then runs `script`; the file that it keeps it in."""
    (folder / "docker").write_text(f'#!/bin/sh\necho "$*" >> {folder}/asked\n{script}\n')
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "asked"


def test_a_container_does_not_outlive_an_interrupt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = docker_that(tmp_path, monkeypatch, '[ "$1" = rm ] || exec sleep 60')
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(KeyboardInterrupt):
            Docker().replay(TAG, "{}", memory=2**30)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    begun, removed = asked.read_text().splitlines()
    assert removed.split()[:-1] == ["rm", "--force", "--volumes"]
    assert f"--name={removed.split()[-1]} " in begun


def test_a_server_that_ends_early_in_its_container_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = 'case "$1" in logs) echo "said on one"; echo "and the other" >&2;; inspect) echo false;; esac'
    asked = docker_that(tmp_path, monkeypatch, script)
    with (
        pytest.raises(GeneratorError, match=r"(?s)ended\nsaid on one\nand the other"),
        Docker().serving(TAG, environment={}),
    ):
        raise AssertionError("it started")
    commands = [line.split() for line in asked.read_text().splitlines()]
    assert "--rm" not in commands[0] and "--pull=never" in commands[0]
    assert commands[-1][:3] == ["rm", "--force", "--volumes"]


def test_an_image_is_built_by_the_engine_that_runs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, context: Path
) -> None:
    """A builder in a container of its own loads nothing: an image of the same tag from before would be asked."""
    docker_that(tmp_path, monkeypatch, f"env > {tmp_path}/environment")
    monkeypatch.setenv("BUILDX_BUILDER", "in-a-container")
    Docker().build(context, tag=TAG, platform="linux/amd64", labels={}, reporter=Report())
    told = (tmp_path / "environment").read_text().splitlines()
    assert "DOCKER_BUILDKIT=1" in told
    assert not [line for line in told if line.startswith("BUILDX_BUILDER=")]


def test_a_servers_log_is_kept_short_and_its_end_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "import sys; sys.stdin.readline(); print('x' * 2**20 * 17 + ' the last words', flush=True); input()"
    log.write_bytes(b"")
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=output, text=True)
    assert process.stdin is not None
    server = Running("http://127.0.0.1:1", lambda: True, log)
    process.stdin.write("\n")
    process.stdin.flush()
    while not server.last_words().endswith("the last words"):
        time.sleep(0.01)
    server.trim_log()
    assert log.stat().st_size < 10_000
    assert server.last_words().endswith("the last words")
    with log.open("ab") as output:
        output.write(b"and more\n")
    server.trim_log()
    assert server.last_words().endswith("the last words\nand more")
    process.communicate("\n")


def test_a_program_in_the_background_appends_to_its_log(tmp_path: Path) -> None:
    """A log that is cut would else begin with as many zeros as were cut."""
    log = tmp_path / "log"
    log.write_text("of the last time")
    script = "import sys, time; print('a', flush=True); sys.stdin.close()\nwhile True: time.sleep(.1); print('b', flush=True)"
    with background([sys.executable, "-c", script], cwd=tmp_path, log=log):
        while not log.read_text().startswith("a\nb"):
            time.sleep(0.01)
        os.truncate(log, 0)
        while not log.read_bytes():
            time.sleep(0.01)
    assert set(log.read_bytes()) == set(b"b\n")
