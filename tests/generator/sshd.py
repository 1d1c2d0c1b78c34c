"""OpenSSH's own server on this machine, which lets one key push and nothing else; it notes what it is asked for."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests import parts
from tests.ports import held_port


@dataclass(frozen=True)
class Sshd:
    """A server that runs."""

    folder: Path
    port: int

    @property
    def key(self) -> str:
        """The private key that it lets in."""
        return (self.folder / "key").read_text()

    @property
    def known_hosts(self) -> str:
        kind, public, *_ = (self.folder / "host.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {public}"

    @property
    def asked(self) -> list[str]:
        """The commands that clients asked for, in order."""
        log = self.folder / "asked"
        return log.read_text().splitlines() if log.exists() else []

    def address(self, repository: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"


def new_key(file: Path) -> str:
    """Makes a pair of keys; the public one."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    return file.with_name(f"{file.name}.pub").read_text()


@contextmanager
def running(folder: Path) -> Iterator[Sshd]:
    """A server on a port of its own, with its keys in `folder`, which is made."""
    program = parts.need_sshd()
    folder.mkdir()
    new_key(folder / "host")
    shell = (
        shutil.which("git-shell")
        or f"{subprocess.check_output(['git', '--exec-path'], text=True).strip()}/git-shell"
    )
    forced = folder / "forced"
    log = shlex.quote(str(folder / "asked"))
    forced.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$SSH_ORIGINAL_COMMAND" >> {log}\n'
        f'exec {shlex.quote(shell)} -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    forced.chmod(0o755)
    (folder / "authorized").write_text(f"restrict {new_key(folder / 'key')}")
    with held_port() as port, _listening(program, folder, port, forced) as server:
        yield server


@contextmanager
def _listening(program: str, folder: Path, port: int, forced: Path) -> Iterator[Sshd]:
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "HostKey": folder / "host",
        "PidFile": "none",
        "AuthorizedKeysFile": folder / "authorized",
        "StrictModes": "no",  # temporary folders belong to everybody
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "ForceCommand": forced,
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [program, "-D", "-e", "-f", folder / "sshd_config"], stderr=(folder / "log").open("w")
    )
    try:
        _wait(port, process, folder)
        yield Sshd(folder, port)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError((folder / "log").read_text())
