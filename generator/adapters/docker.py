"""The Docker engine: builds images, runs them without network or rights, and stores them as archives."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generator.adapters import skopeo
from generator.adapters.background import until_ready
from generator.adapters.output import Silent
from generator.adapters.replies import read_hooked, read_parity, read_replay
from generator.adapters.shell import ProcessFailed, clean_environment, find_program, run
from generator.adapters.supervisor import ProcessSupervisor
from generator.errors import GeneratorError
from generator.image.archive import read_archive
from generator.ports import Hooked, Parity, Replay, Reporter, Supervisor

BUILD_SECONDS = 3600.0
REPLAY_SECONDS = 900.0  # the slowest model to load, and its golden rows
READY_SECONDS = 600.0
USER = "10001:10001"
# What a pod under Pod Security `restricted` may do, and no network besides.
CONFINED = (
    "--read-only",
    "--tmpfs=/tmp:exec",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    f"--user={USER}",
    "--pids-limit=4096",
)
# No attestations: they would make the image an index, whose digest the archive does not have.
_BUILD_ENVIRONMENT = {"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


@dataclass(frozen=True)
class Docker:
    """The engine behind the `docker` command; see ports.Engine."""

    supervisor: Supervisor = field(default_factory=ProcessSupervisor)
    name: str = "docker"

    def check(self) -> None:
        find_program(
            "docker",
            "install Docker (https://docs.docker.com/engine/install/), or run this where it is installed",
        )
        skopeo.check()
        try:
            run("docker", "version", "--format", "{{.Server.Version}}", timeout=30)
        except ProcessFailed as error:
            raise GeneratorError(_why_no_answer(error.stderr or str(error.code))) from error

    def build(
        self, context: Path, *, tag: str, platform: str, labels: Mapping[str, str], reporter: Reporter
    ) -> None:
        command = ["docker", "build", "--progress=plain", f"--platform={platform}"]
        command += [f"--label={key}={value}" for key, value in sorted(labels.items())]
        log = context.with_name("docker-build.log")
        ended = self.supervisor.run(
            [*command, f"--tag={tag}", "."],
            cwd=context,
            env=_build_environment(),
            timeout=BUILD_SECONDS,
            log=log,
            secrets=(),
            reporter=reporter,
        )
        if ended.timed_out:
            raise GeneratorError(f"the image was not built within {BUILD_SECONDS / 60:.0f} minutes; see {log}")
        if ended.code != 0:
            reason = "\n".join(f"  {line}" for line in ended.tail[-20:])
            raise GeneratorError(
                f"docker build failed ({ended.signal or ended.code}):\n{reason}\n"
                f"The whole log is {log}, the context {context}"
            )

    def replay(self, tag: str, golden: str, *, memory: int, environment: Mapping[str, str] = {}) -> Replay:
        limits = (f"--memory={memory}", f"--memory-swap={memory}")
        try:
            return read_replay(_run_confined(tag, "replay", golden, environment, limits))
        except ProcessFailed as error:
            if error.code == 137:
                raise GeneratorError(
                    f"the server was killed in its container: it needs more than the {memory / 2**20:.0f} MiB of "
                    "serve.resources.limits.memory; raise that in model.yaml"
                ) from error
            return read_replay(error.stdout, failure=error)

    def parity(self, tag: str, golden: str, *, environment: Mapping[str, str] = {}) -> Parity:
        # In all the memory that there is: two copies of the model are no matter of a pod's.
        try:
            return read_parity(_run_confined(tag, "parity", golden, environment))
        except ProcessFailed as error:
            return read_parity(error.stdout, failure=error)

    def hooks(self, tag: str, request: str, *, environment: Mapping[str, str] = {}) -> Hooked:
        try:
            return read_hooked(_run_confined(tag, "hooks", request, environment))
        except ProcessFailed as error:
            return read_hooked(error.stdout, failure=error)

    def save(self, tag: str, archive: Path) -> str:
        saved, stored = archive.with_name("docker.tar.tmp"), archive.with_name("image.tar.tmp")
        archive.parent.mkdir(parents=True, exist_ok=True)
        try:
            for leftover in (saved, stored):
                leftover.unlink(missing_ok=True)
            run("docker", "save", "--output", str(saved), tag, timeout=BUILD_SECONDS)
            skopeo.copy(f"docker-archive:{saved.name}", f"oci-archive:{stored.name}", cwd=archive.parent)
            digest = read_archive(stored).digest
            stored.replace(archive)
        finally:
            for leftover in (saved, stored):
                leftover.unlink(missing_ok=True)
        return digest

    def load(self, archive: Path, tag: str) -> None:
        loaded = archive.with_name("load.tar.tmp")
        loaded.unlink(missing_ok=True)
        try:
            skopeo.copy(f"oci-archive:{archive.name}", f"docker-archive:{loaded.name}:{tag}", cwd=archive.parent)
            run("docker", "load", "--quiet", "--input", str(loaded), timeout=BUILD_SECONDS)
        finally:
            loaded.unlink(missing_ok=True)

    @contextlib.contextmanager
    def serving(self, tag: str, *, environment: Mapping[str, str]) -> Iterator[str]:
        container = f"tagship-serving-{uuid.uuid4().hex}"
        try:
            yield self._ready(container, tag, environment)
        finally:
            _remove_container(container)

    def _ready(self, container: str, tag: str, environment: Mapping[str, str]) -> str:
        """The URL of the server, started. Without --rm: of one that ends early the engine keeps the reason."""
        options = (f"--name={container}", "--detach", "--pull=never", "--publish=127.0.0.1::8080", *CONFINED)
        try:
            run("docker", "run", *options, *_variables(environment), tag)
            address = next(iter(run("docker", "port", container, "8080/tcp").split()), "no port")
            until_ready(f"http://{address}", seconds=READY_SECONDS, alive=lambda: _runs(container))
        except GeneratorError as error:
            raise GeneratorError(f"{error}\n{self._last_words(container)}") from error
        return f"http://{address}"

    def _last_words(self, container: str) -> str:
        """The end of what the container printed, standard output and error as they came."""
        with tempfile.TemporaryDirectory(prefix="tagship-logs-") as folder:
            ended = self.supervisor.run(
                ["docker", "logs", "--tail=50", container],
                cwd=Path(folder),
                env=clean_environment(),
                timeout=60,
                log=Path(folder, "log"),
                secrets=(),
                reporter=Silent(),
            )
        return "\n".join(ended.tail)[-2000:]

    def remove(self, tag: str) -> None:
        with contextlib.suppress(ProcessFailed):
            run("docker", "image", "rm", "--force", tag)


def _build_environment() -> dict[str, str]:
    """Without a builder of the user's: what builds elsewhere leaves the engine with an older image, or none."""
    environment = clean_environment(_BUILD_ENVIRONMENT)
    environment.pop("BUILDX_BUILDER", None)
    return environment


def _variables(environment: Mapping[str, str]) -> list[str]:
    return [f"--env={key}={value}" for key, value in sorted(environment.items())]


def _run_confined(
    tag: str, command: str, golden: str, environment: Mapping[str, str], limits: Sequence[str] = ()
) -> str:
    """What a command of the server prints, run with the rights of a pod and without network."""
    container = f"tagship-{command}-{uuid.uuid4().hex}"
    own = ("--rm", "--interactive", f"--name={container}", "--pull=never", "--network=none")
    options = (*own, *CONFINED, *limits, *_variables(environment))
    try:
        return run("docker", "run", *options, tag, command, stdin=golden, timeout=REPLAY_SECONDS)
    except BaseException:
        _remove_container(container)  # it outlives a command that was ended for its time, or with us
        raise


def _remove_container(container: str) -> None:
    with contextlib.suppress(GeneratorError):
        run("docker", "rm", "--force", "--volumes", container)


def _runs(container: str) -> bool:
    with contextlib.suppress(ProcessFailed):
        return run("docker", "inspect", "--format", "{{.State.Running}}", container).strip() == "true"
    return False


def _why_no_answer(reason: str) -> str:
    host = os.environ.get("DOCKER_HOST")
    where = f" at DOCKER_HOST={host}" if host else ""
    if re.search("permission denied", reason, re.IGNORECASE):
        return (
            f"this user may not use the Docker engine{where}: add it to the group `docker`, or use rootless Docker"
        )
    told = "correct or unset DOCKER_HOST" if host else "start it (`systemctl start docker`, or Docker Desktop)"
    return f"the Docker engine{where} does not answer: {told}; docker says: {reason.strip().splitlines()[-1]}"
