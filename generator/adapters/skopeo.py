"""skopeo: moves images between an engine's archives, OCI archives and registries, digests unchanged."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from generator.adapters.shell import ProcessFailed, find_program, run
from generator.errors import GeneratorError

HINT = "install it (`apt-get install skopeo`, `brew install skopeo`; GitHub's ubuntu-24.04 runners have it)"
SECONDS = 3600.0


def check() -> None:
    """Raises MissingProgram where skopeo is not installed."""
    find_program("skopeo", HINT)


def copy(source: str, target: str, *options: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Copies an image. Names of files are relative to `cwd`: skopeo splits them at colons."""
    check()
    run(
        "skopeo",
        "--insecure-policy",
        "copy",
        "--quiet",
        *options,
        source,
        target,
        cwd=cwd,
        env=env,
        timeout=SECONDS,
    )


def push(archive: Path, target: str, *, auth: Mapping[str, Mapping[str, str]], tls: bool) -> None:
    """Uploads the OCI archive to `target` (host/repository:tag) with exactly its digest.

    `auth` is the `auths` of a Docker configuration. It travels in a file that only this user can read.
    """
    with tempfile.TemporaryDirectory(prefix="tagship-push-") as home:  # readable by this user alone
        login = Path(home, "auth.json")
        login.write_text(json.dumps({"auths": auth}), encoding="utf-8")
        try:
            copy(
                f"oci-archive:{archive.name}",
                f"docker://{target}",
                "--preserve-digests",
                *(() if tls else ("--dest-tls-verify=false",)),
                cwd=archive.parent,
                # A home of its own: neither other logins nor a user's aliases of registries decide anything.
                env={"REGISTRY_AUTH_FILE": str(login), "HOME": home, "XDG_RUNTIME_DIR": home},
            )
        except ProcessFailed as error:
            raise GeneratorError(f"{target} could not be pushed: {_reason(error.stderr)}") from error


def _reason(stderr: str) -> str:
    """skopeo's last line, without its log prefix."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()] or ["skopeo gave no reason"]
    return lines[-1].split("msg=", 1)[-1].strip('"').replace('\\"', '"')
