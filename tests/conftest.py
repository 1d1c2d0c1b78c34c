"""A hostile place to run in: what a test must not touch by accident fails loudly.

HOME is a file, so nothing can be read or written below it; AWS_*, KUBECONFIG and Git's own settings point
nowhere; a connection to anything but this machine raises. What real parts need is kept aside in `parts`.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import parts

_NOWHERE = Path(tempfile.mkdtemp(prefix="tagship-tests-"))
GIT_CONFIG = """\
[user]
name = Ada
email = ada@example.com
[init]
defaultBranch = main
[protocol "file"]
allow = always
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden folders anew")


# A busy machine is no failure: nor where it is slow to run an example, nor where it is slow to draw one. CI, which says
# so by REQUIRE_E2E, draws the same in each run: what it finds is of the change at hand.
hypothesis.settings.register_profile(
    "tagship",
    deadline=None,
    derandomize=bool(os.environ.get("REQUIRE_E2E")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tagship")


def pytest_configure() -> None:
    parts.remember()
    _keep_caches()
    home = _NOWHERE / "a-test-touched-HOME"
    home.write_text("")
    (_NOWHERE / "gitconfig").write_text(GIT_CONFIG)
    # Without a bytecode cache each new process compiles all of MLflow again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in {*os.environ} - {"TAGSHIP_TEST_CACHE"}:
        if name.startswith(("AWS_", "TAGSHIP_", "MLFLOW_", "GITHUB_", "GIT_")) or name in ("CI", "KUBECONFIG"):
            del os.environ[name]
    os.environ |= {
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "aws"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "KUBECONFIG": str(home / "kubeconfig"),
        "GIT_CONFIG_GLOBAL": str(_NOWHERE / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    sys.addaudithook(_refuse_strangers)
    # A shell starts what goes to the background deaf to Ctrl-C, and all that it starts; tests interrupt commands.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    shutil.rmtree(_NOWHERE, ignore_errors=True)


def _keep_caches() -> None:
    """What uv and npm fetched lies below HOME: without it every test would fetch every package again."""
    home = Path(os.environ.get("HOME", "/"))
    os.environ.setdefault("UV_CACHE_DIR", str(Path(os.environ.get("XDG_CACHE_HOME", home / ".cache")) / "uv"))
    os.environ.setdefault("UV_PYTHON_INSTALL_DIR", str(home / ".local/share/uv/python"))
    os.environ.setdefault("NPM_CONFIG_CACHE", str(home / ".npm"))
    os.environ.setdefault("NPM_CONFIG_USERCONFIG", str(home / ".npmrc"))  # may name a mirror


def _refuse_strangers(event: str, args: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = str(args[1][0])
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host in ("localhost", *parts.local_names())
    if not local:
        raise RuntimeError(f"a test tried to connect to {host}")
