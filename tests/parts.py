"""The real parts that some tests need. An absent one skips its tests, or fails them with REQUIRE_E2E=1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

_environment: dict[str, str] = {}
_PREFIXES = ("AWS_", "DOCKER_", "KUBECONFIG", "TESTBED_")
_KEPT_IN = "TESTS_STARTED_WITH"
_PROMETHEUS = "unpack Debian's package prometheus as .ci/run does, and put its usr/bin on the PATH"


def remember() -> None:
    """Keeps what points at real parts, before the environment is made hostile; workers of xdist inherit it."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}
    os.environ.setdefault(_KEPT_IN, json.dumps(kept))
    _environment.update(json.loads(os.environ[_KEPT_IN]))


def started_with() -> dict[str, str]:
    """The variables that point at real parts: pass them on to what needs them."""
    return dict(_environment)


def local_names() -> list[str]:
    """Host names that the test bed answers under."""
    return [_environment[name] for name in ("TESTBED_ECR_REGISTRY",) if name in _environment]


def absent(part: str, how: str) -> None:
    """Says that `part` is not here and `how` to bring it."""
    if os.environ.get("REQUIRE_E2E") == "1":
        pytest.fail(f"{part} is absent, and REQUIRE_E2E=1 asks for it: {how}")
    pytest.skip(f"{part} is absent: {how}")


def need_program(name: str, how: str) -> str:
    """The program's path."""
    found = shutil.which(name)
    if found is None:
        absent(name, how)
    return str(found)


def need_kustomize() -> str:
    return need_program("kustomize", "put kustomize on the PATH, or source the test bed's env")


def need_actionlint() -> str:
    return need_program("actionlint", "put actionlint on the PATH, or source the test bed's env")


def need_sshd() -> str:
    """OpenSSH's server, and its client."""
    need_program("ssh", "install openssh-client")
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        absent("OpenSSH's server", "install openssh-server")
    return str(found)


def need_promtool() -> str:
    """Prometheus' own checker, and beside it Prometheus."""
    need_program("prometheus", _PROMETHEUS)
    return need_program("promtool", _PROMETHEUS)


def need_kubeconform() -> str:
    return need_program("kubeconform", "put kubeconform on the PATH, or source the test bed's env")


def need_kube_score() -> str:
    return need_program(
        "kube-score", "go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0, and put it on the PATH"
    )


def need_flux() -> tuple[Path, Path]:
    """Flux's source-controller and kustomize-controller; beside them, in `crds/`, the definitions of their objects."""
    how = "build Flux's controllers as .ci/run does, and put them on the PATH"
    return Path(need_program("source-controller", how)), Path(need_program("kustomize-controller", how))


def need_act() -> None:
    """`act`, with stand-ins for third-party actions."""
    need_program("act-local", "source the test bed's env")
    need_program("act", "source the test bed's env")


@cache
def _engine_answers() -> bool:
    if shutil.which("docker") is None or shutil.which("skopeo") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def need_engine() -> None:
    """A Docker engine that answers, and skopeo."""
    if not _engine_answers():
        absent("a Docker engine with skopeo", "start Docker and install skopeo, or source the test bed's env")


def need_cluster() -> str:
    """A Kubernetes cluster of this machine with Argo CD; returns the path of an administrator's kubeconfig."""
    if "TESTBED_GIT_ROOT" not in _environment or "KUBECONFIG" not in _environment:
        absent("a Kubernetes cluster on this machine", "bring up the test bed's cluster, and source its env")
    return _environment["KUBECONFIG"]


def need_aws() -> None:
    """An AWS API on this machine; never the real one."""
    if "AWS_ENDPOINT_URL" not in _environment:
        absent("an AWS API on this machine", "source the test bed's env")


def need_ecr() -> str:
    """The registry that answers under an ECR host name, beside an AWS API; returns the host."""
    if "TESTBED_ECR_REGISTRY" not in _environment:
        absent("a registry under an ECR host name", "source the test bed's env")
    return _environment["TESTBED_ECR_REGISTRY"]
